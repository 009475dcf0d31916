import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import nodemailer from 'nodemailer';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Inbox, startInbox } from '../../../src/infrastructure/inbox/inbox.ts';
import { inboxPages } from '../../../src/interfaces/web/inbox-pages.ts';
import { publicPages } from '../../../src/interfaces/web/public-pages.ts';
import { launchBrowser, noBrowser } from '../../support/browser.ts';
import { letter } from './letter.ts';

const PICTURES = new URL('../../../docs/pictures/', import.meta.url);
const PHONE = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true } as const;
const DESK = { viewport: { width: 1280, height: 800 } } as const;
const PAYLOAD = '<script>window.owned=1;parent.owned=1;top.location="/owned"</script><img src=x onerror="window.owned=1">';

describe.skipIf(noBrowser !== undefined)(`in a browser${noBrowser === undefined ? '' : ` (skipped: ${noBrowser})`}`, () => {
  const unsubscribed: string[] = [];
  let browser: Browser;
  let inbox: Inbox;
  let base: string;
  let close: () => Promise<void>;

  beforeAll(async () => {
    inbox = await startInbox();
    const app = new Hono().route('/inbox', inboxPages(inbox)).route('/', publicPages(actions()));
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
    await new Promise((resolve) => server.once('listening', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    close = () => new Promise((resolve) => server.close(() => resolve()));
    await fill(inbox);
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await close();
    await inbox.close();
  });

  function actions() {
    const details = {
      projectName: 'The Penny Gazette',
      maskedAddress: 'a…@example.org',
      listNames: ['Weekly letter'],
      language: undefined,
    };
    return {
      openUnsubscribe: async (token: string) =>
        token.startsWith('ada')
          ? { ...details, alreadyUnsubscribed: unsubscribed.includes(token), undoable: unsubscribed.includes(token) }
          : undefined,
      unsubscribe: async (token: string) => token.startsWith('ada') && unsubscribed.push(token) > 0,
      resubscribe: async (token: string) => unsubscribed.splice(unsubscribed.indexOf(token), 1).length > 0,
      click: async () => undefined,
      open: async () => undefined,
    };
  }

  /** Opens a page, hands it over, and insists that it needed nothing that its policy forbids and fits its width. */
  async function visit(path: string, options: BrowserContextOptions, look: (page: Page) => Promise<void>): Promise<void> {
    const context = await browser.newContext({ locale: 'en', ...options });
    try {
      const page = await context.newPage();
      await page.goto(base + path);
      await look(page);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    } finally {
      await context.close();
    }
  }

  async function picture(page: Page, name: string): Promise<void> {
    if (process.env.UPDATE_PICTURES !== '1') return;
    mkdirSync(PICTURES, { recursive: true });
    await page.screenshot({ path: new URL(`${name}.png`, PICTURES).pathname });
  }

  describe('the unsubscribe page on a phone', () => {
    it.each(['light', 'dark'] as const)(
      'asks in %s colours that can be read, and has a button for thumbs',
      async (colorScheme) => {
        await visit(`/u/ada-${colorScheme}`, { ...PHONE, colorScheme }, async (page) => {
          const button = page.getByRole('button', { name: 'Unsubscribe' });
          expect((await button.boundingBox())?.height).toBeGreaterThanOrEqual(44);
          expect(await lowestContrast(page)).toBeGreaterThanOrEqual(4.5);
          await picture(page, `unsubscribe-phone-${colorScheme}`);
        });
        expect(unsubscribed).not.toContain(`ada-${colorScheme}`);
      },
    );

    it('unsubscribes at the press of its button, and says so', async () => {
      await visit('/u/ada-presses', { ...PHONE, javaScriptEnabled: false }, async (page) => {
        await page.getByRole('button', { name: 'Unsubscribe' }).click();
        await page.getByRole('heading', { name: 'You are unsubscribed' }).waitFor();
      });
      await visit('/u/ada-presses', PHONE, async (page) => {
        await page.getByRole('heading', { name: 'You are already unsubscribed' }).waitFor();
        expect(await page.getByRole('button', { name: 'Unsubscribe', exact: true }).count()).toBe(0);
        await picture(page, 'unsubscribed-phone');
      });
      expect(unsubscribed).toContain('ada-presses');
    });

    it.each(['light', 'dark'] as const)('takes it back at a second press (%s)', async (colorScheme) => {
      const token = `ada-returns-${colorScheme}`;
      await visit(`/u/${token}`, { ...PHONE, colorScheme, javaScriptEnabled: true }, async (page) => {
        await page.getByRole('button', { name: 'Unsubscribe' }).click();
        const button = page.getByRole('button', { name: 'Subscribe again' });
        expect((await button.boundingBox())?.height).toBeGreaterThanOrEqual(44);
        expect(await lowestContrast(page)).toBeGreaterThanOrEqual(4.5);
        await button.click();
        await page.getByRole('heading', { name: 'You are subscribed again' }).waitFor();
        expect(unsubscribed).not.toContain(token);
        await page.getByRole('link', { name: 'Deutsch' }).click();
        await page.getByRole('heading', { name: 'Abmelden' }).waitFor();
        expect(new URL(page.url()).pathname).toBe(`/u/${token}`);
      });
    });

    it('can be used by keyboard alone, in German', async () => {
      await visit('/u/ada-keys', { ...DESK, locale: 'de-DE' }, async (page) => {
        await page.keyboard.press('Tab');
        expect(await page.evaluate('document.activeElement.textContent')).toBe('Abmelden');
        await page.keyboard.press('Enter');
        await page.getByRole('heading', { name: 'Sie sind abgemeldet' }).waitFor();
      });
      expect(unsubscribed).toContain('ada-keys');
    });
  });

  describe('the development inbox', () => {
    it('lists what came, and shows what comes without a reload', async () => {
      await visit('/inbox', DESK, async (page) => {
        expect(await page.locator('#list .row').count()).toBe(12);
        expect(await lowestContrast(page)).toBeGreaterThanOrEqual(4.5);
        await picture(page, 'inbox-list');
        await deliver(inbox, { subject: 'Just in', to: 'late@example.org' });
        await page.getByText('Just in').waitFor();
      });
    });

    it.each([
      ['inbox-message', '', { ...DESK, colorScheme: 'light' }],
      ['inbox-message-dark', '?width=phone', { ...DESK, colorScheme: 'dark' }],
      ['inbox-message-phone', '', PHONE],
    ] as const)('shows a message as it looks (%s)', async (name, query, options) => {
      await visit(`/inbox/messages/12${query}`, options, async (page) => {
        const mail = page.frameLocator('iframe');
        await mail.getByRole('heading', { name: 'Letters that find their reader' }).waitFor();
        expect(await page.getByText('Load them').count()).toBe(1);
        await picture(page, name);
      });
    });

    it('opens links of a message in a tab of their own, without a way back', async () => {
      await visit('/inbox/messages/12', DESK, async (page) => {
        const opened = page.context().waitForEvent('page');
        await page.frameLocator('iframe').getByRole('link', { name: 'Read the first letter' }).click();
        const tab = await opened;
        await tab.waitForLoadState();
        expect(await tab.evaluate('window.opener')).toBeNull();
        expect(page.url()).toContain('/inbox/messages/12');
      });
    });

    it('runs nothing that came in a subject, a name or the HTML of a message', async () => {
      for (const path of ['/inbox', '/inbox/messages/1', '/inbox/messages/1?tab=headers', '/inbox/messages/1/html?remote=on']) {
        await visit(path, DESK, async (page) => {
          await page.waitForLoadState('networkidle');
          for (const frame of page.frames()) expect(await frame.evaluate('window.owned')).toBeUndefined();
          expect(new URL(page.url()).pathname).toBe(path.replace(/\?.*/, ''));
        });
      }
      await visit('/inbox/messages/1', DESK, async (page) => {
        expect(await page.frames()[1]?.evaluate('self.origin')).toBe('null');
        await page.locator('.letter h1', { hasText: '<script>' }).waitFor();
      });
    });
  });
});

const PEOPLE = [
  'Ada Lovelace',
  'Zoë Krüger',
  'Jürgen Öl',
  'Ελένη Παππά',
  'Žofia Nováková',
  'Marie Curie',
  'Søren Holm',
  'Nguyễn Văn An',
];

async function fill(inbox: Inbox): Promise<void> {
  await deliver(inbox, {
    subject: PAYLOAD,
    from: { name: PAYLOAD, address: 'eve@example.org' },
    html: `<h1>Hi</h1>${PAYLOAD}<svg onload="window.owned=1"></svg>`,
  });
  for (const [index, name] of [...PEOPLE, 'Łukasz Wójcik', 'Émile Roux', 'Grace Hopper'].entries()) {
    const address = `${['ada', 'zoe', 'juergen', 'eleni', 'zofia', 'marie', 'soren', 'an', 'lukasz', 'emile', 'grace'][index]}@example.org`;
    const first = name.split(' ')[0]!;
    await deliver(inbox, {
      to: { name, address },
      subject: `${first}, the November letters are here`,
      html: letter(first),
      text: `Dear ${first}, ...`,
    });
  }
}

type Mail = Parameters<ReturnType<typeof nodemailer.createTransport>['sendMail']>[0];

async function deliver(inbox: Inbox, mail: Mail): Promise<void> {
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: inbox.port, ignoreTLS: true });
  const list = { unsubscribe: [{ url: 'https://news.example/u/token', comment: '' }] };
  await transport.sendMail({ from: 'The Penny Gazette <gazette@news.example>', to: 'eve@example.org', list, ...mail });
}

/** The lowest contrast (WCAG 2.2, 1.4.3) of any text on the page with the nearest ground behind it. */
function lowestContrast(page: Page): Promise<number> {
  return page.evaluate<number>(`(() => {
    const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const color = rgb(getComputedStyle(at).backgroundColor);
        if (color.length === 3 || color[3] > 0) return color;
      }
      return [255, 255, 255];
    };
    const ratios = [...document.body.querySelectorAll('*')]
      .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '') && element.checkVisibility())
      .map((element) => [light(rgb(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a))
      .map(([high, low]) => (high + 0.05) / (low + 0.05));
    return Math.min(...ratios);
  })()`);
}
