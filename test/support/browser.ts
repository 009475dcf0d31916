import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';

/** Why browser tests skip here; undefined where they run. */
export const noBrowser = existsSync(CHROMIUM) ? undefined : `there is no ${CHROMIUM}: apt-get install chromium`;

/** Debian's Chromium without a sandbox (tests run as root) and without requests of its own. */
export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
