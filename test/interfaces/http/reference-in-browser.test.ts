import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, noBrowser } from '../../support/browser.ts';
import { type Instance, openInstance } from './instance.ts';

describe.skipIf(noBrowser !== undefined)(`the API reference${noBrowser === undefined ? '' : ` (skipped: ${noBrowser})`}`, () => {
  let instance: Instance;
  let browser: Browser;
  let origin: string;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    instance = await openInstance();
    const server = serve({ fetch: instance.app.fetch, port: 0, hostname: '127.0.0.1' });
    await new Promise((resolve) => server.once('listening', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    stop = () => new Promise((resolve) => server.close(() => resolve()));
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await stop();
    await instance.close();
  });

  it.each(['light', 'dark'] as const)(
    'shows introduction and routes in %s, without a request to another host',
    async (colorScheme) => {
      const context = await browser.newContext({ colorScheme });
      const page = await context.newPage();
      const elsewhere: string[] = [];
      const errors: string[] = [];
      page.on('request', (request) => {
        if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith('data:')) elsewhere.push(request.url());
      });
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
      page.on('pageerror', (error) => errors.push(error.message));
      await page.goto(`${origin}/docs/`, { waitUntil: 'networkidle' });

      await page.getByRole('heading', { name: 'First request' }).first().waitFor();
      await page.getByText('Create a list').first().waitFor();
      const ground = await page.evaluate<string>(`getComputedStyle(document.body).backgroundColor`);
      const [red] = ground.match(/\d+/g)!.map(Number);
      expect(red! < 128).toBe(colorScheme === 'dark');
      expect({ elsewhere, errors }).toEqual({ elsewhere: [], errors: [] });
      await context.close();
    },
  );
});
