import { describe, expect, it } from 'vitest';
import { messages } from '../../../src/interfaces/web/messages.ts';
import { publicRoot } from '../../../src/interfaces/web/public-pages.ts';
import { aSite, away, BROWSER, FORGED, ONE_CLICK, VALID } from './public-site.ts';

describe('the unsubscribe page', () => {
  it('asks, names project, lists and masked address, and offers a button that posts to its own URL', async () => {
    const { app, recorded } = aSite();
    const answer = await app.request(`/u/${VALID}`, { headers: BROWSER });
    const page = await answer.text();
    expect(answer.status).toBe(200);
    expect(page).toContain('<html lang="en">');
    expect(page).toContain('Penny Gazette');
    expect(page).toContain('a…@example.org');
    expect(page).toContain('Weekly letter and Events');
    expect(page).toMatch(/<form method="post" action="\?language=en"><button/);
    expect(recorded.unsubscribed).toEqual([]);
  });

  it.each(['GET', 'HEAD', 'OPTIONS'])('changes nothing on %s, however often', async (method) => {
    const { app, recorded } = aSite();
    for (let time = 0; time < 50; time += 1) {
      expect((await app.request(`/u/${VALID}`, { method, headers: { 'sec-purpose': 'prefetch' } })).ok).toBe(true);
    }
    expect(recorded.unsubscribed).toEqual([]);
  });

  it('has no script, nothing from elsewhere, and a policy that forbids both', async () => {
    const answer = await aSite().app.request(`/u/${VALID}`, { headers: BROWSER });
    const page = await answer.text();
    expect(page).not.toMatch(/<script|\son\w+=|https?:\/\//i);
    const policy = answer.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('set-cookie')).toBeNull();
  });

  it('escapes what the project and its lists are called', async () => {
    const hostile = '"><img src=x onerror=alert(1)>';
    const { app } = aSite({ details: { projectName: hostile, maskedAddress: hostile, listNames: [hostile] } });
    const page = await (await app.request(`/u/${VALID}`, { headers: BROWSER })).text();
    expect(page).not.toContain('<img');
    expect(page).toContain('&quot;&gt;&lt;img src=x onerror=alert(1)&gt;');
  });

  it('says so, without a button, when there is nothing left to do', async () => {
    const { app } = aSite({ details: { alreadyUnsubscribed: true } });
    const page = await (await app.request(`/u/${VALID}`, { headers: BROWSER })).text();
    expect(page).toContain(messages.en.already.title);
    expect(page).not.toContain('<button');
  });

  it('says before the press that the database is away, and offers to come again', async () => {
    const { app, recorded } = aSite({ actions: { openUnsubscribe: away } });
    const answer = await app.request(`/u/${VALID}`, { headers: BROWSER });
    const page = await answer.text();
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('60');
    expect(page).toContain(messages.en.unavailable.textBefore);
    expect(page).toMatch(/<form method="get"><button/);
    expect(recorded.reported).toEqual(['unsubscribe: the database is away']);
  });

  it('says before the press that a link is that of a test, and unsubscribes nobody by it', async () => {
    const { app, recorded } = aSite();
    for (const request of [{}, { method: 'POST' }]) {
      const answer = await app.request('/u/test', { ...request, headers: BROWSER });
      const page = await answer.text();
      expect(answer.status).toBe(200);
      expect(page).toContain(messages.en.test.title);
      expect(page).not.toContain('<button');
    }
    expect(recorded.unsubscribed).toEqual([]);
  });

  it('offers to take an unsubscribe back where the link can do that, and only there', async () => {
    for (const undoable of [true, false]) {
      const { app } = aSite({ details: { alreadyUnsubscribed: true, undoable } });
      for (const request of [{}, { method: 'POST' }]) {
        const page = await (await app.request(`/u/${VALID}?language=de`, { ...request, headers: BROWSER })).text();
        const button = /<form method="post" action="([^"]+)"><button[^>]*>Wieder anmelden/.exec(page)?.[1];
        expect(button).toBe(undoable ? `${VALID}/undo?language=de` : undefined);
      }
    }
  });
});

describe('the language of a public page', () => {
  const languageOf = async (language: string | undefined, acceptLanguage: string, query = '') => {
    const { app } = aSite({ details: { language } });
    const answer = await app.request(`/u/${VALID}${query}`, { headers: { ...BROWSER, 'accept-language': acceptLanguage } });
    return answer.headers.get('content-language');
  };

  it.each([
    ['the subscriber’s own', 'de-AT', 'en', 'de'],
    ['the best that the browser accepts when the subscriber’s is unknown', undefined, 'fr, en;q=0.3, de-CH;q=0.8', 'de'],
    ['the browser’s when we do not speak the subscriber’s', 'fr', 'de', 'de'],
    ['not one that the browser refuses', undefined, 'de;q=0, en', 'en'],
    ['English when nothing fits', undefined, 'fr', 'en'],
    ['English when the header is nonsense', undefined, ';;q=,,constructor', 'en'],
  ])('is %s', async (_name, locale, acceptLanguage, expected) => {
    expect(await languageOf(locale, acceptLanguage)).toBe(expected);
  });

  it('can be changed by the reader, and stays changed after the button', async () => {
    expect(await languageOf('en', 'en', '?language=de')).toBe('de');
    const { app } = aSite({ details: { language: 'en' } });
    const page = await (await app.request(`/u/${VALID}?language=de`, { headers: BROWSER })).text();
    expect(page).toContain('<html lang="de">');
    expect(page).toContain('action="?language=de"');
    expect(page).toContain('Weekly letter und Events');
  });
});

describe('one-click unsubscribe (RFC 8058)', () => {
  const multipart = new FormData();
  multipart.set('List-Unsubscribe', 'One-Click');
  multipart.set('token', FORGED);

  it.each([
    ['a form body', ONE_CLICK],
    ['a multipart body with extra fields', { method: 'POST', body: multipart }],
    ['a foreign Origin and no user agent', { ...ONE_CLICK, headers: { origin: 'https://mail.example' } }],
    [
      'a body that cannot be parsed',
      { method: 'POST', body: '--x', headers: { 'content-type': 'multipart/form-data; boundary=y' } },
    ],
  ])('acts at once on a POST with %s', async (_name, request) => {
    const { app, recorded } = aSite();
    const answer = await app.request(`/u/${VALID}`, request);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('location')).toBeNull();
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(recorded.unsubscribed.map(({ token }) => token)).toEqual([VALID]);
  });

  it('takes the identity from the URL, never from the body', async () => {
    const { app, recorded } = aSite();
    const body = new URLSearchParams({ 'List-Unsubscribe': 'One-Click', token: VALID });
    await app.request(`/u/${FORGED}`, { method: 'POST', body });
    expect(recorded.unsubscribed).toEqual([]);
  });

  it('says success only of what was kept', async () => {
    const { app } = aSite();
    const answers = await Promise.all([VALID, FORGED, 'test'].map((token) => app.request(`/u/${token}`, ONE_CLICK)));
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 200]);
    expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual([
      'You are unsubscribed.\n',
      expect.stringContaining('no subscription was changed'),
      expect.stringContaining('No subscription was changed'),
    ]);
  });

  it('asks to come again later when the wish could not be stored', async () => {
    const { app, recorded } = aSite({ actions: { unsubscribe: away } });
    const answer = await app.request(`/u/${VALID}`, ONE_CLICK);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('60');
    expect(recorded.reported).toEqual(['unsubscribe: the database is away']);
  });
});

describe('the button of the unsubscribe page', () => {
  it('unsubscribes and confirms on a page', async () => {
    const { app, recorded } = aSite();
    const answer = await app.request(`/u/${VALID}?language=en`, { method: 'POST', headers: BROWSER });
    const page = await answer.text();
    expect(answer.status).toBe(200);
    expect(page).toContain(messages.en.unsubscribed.title);
    expect(page).toContain('a…@example.org');
    expect(recorded.unsubscribed).toHaveLength(1);
  });

  it('confirms even when only the names cannot be read afterwards', async () => {
    const { app, recorded } = aSite({ actions: { openUnsubscribe: away } });
    const answer = await app.request(`/u/${VALID}`, { method: 'POST', headers: BROWSER });
    expect(answer.status).toBe(200);
    expect(recorded.unsubscribed).toHaveLength(1);
  });

  it('offers to try again when the wish could not be stored', async () => {
    const { app } = aSite({ actions: { unsubscribe: away } });
    const answer = await app.request(`/u/${VALID}`, { method: 'POST', headers: BROWSER });
    expect(answer.status).toBe(503);
    expect(await answer.text()).toContain(messages.en.unavailable.button);
  });
});

describe('the way back from an unsubscribe', () => {
  it('is a press on an address of its own, which no one-click request meets', async () => {
    const { app, recorded } = aSite();
    const answer = await app.request(`/u/${VALID}/undo?language=de`, { method: 'POST', headers: BROWSER });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain(messages.de.resubscribed.title);
    expect(recorded).toMatchObject({ resubscribed: [VALID], unsubscribed: [] });
  });

  it.each([FORGED, 'test'])('leads back to the page of a link that has nothing to take back (%s)', async (token) => {
    const { app, recorded } = aSite();
    const answer = await app.request(`/u/${token}/undo?language=de`, { method: 'POST', headers: BROWSER });
    expect(answer.status).toBe(303);
    expect(new URL(answer.headers.get('location')!, `https://news.example/mail/u/${token}/undo`).href).toBe(
      `https://news.example/mail/u/${token}?language=de`,
    );
    expect(recorded.resubscribed).toEqual([]);
  });

  it('is not gone by a reload', async () => {
    const { app, recorded } = aSite();
    const answer = await app.request(`/u/${VALID}/undo`, { headers: BROWSER });
    expect([answer.status, answer.headers.get('location')]).toEqual([302, `../${VALID}`]);
    expect(recorded.resubscribed).toEqual([]);
  });

  it('asks to press again when it could not be stored', async () => {
    const { app } = aSite({ actions: { resubscribe: away } });
    const answer = await app.request(`/u/${VALID}/undo`, { method: 'POST', headers: BROWSER });
    expect(answer.status).toBe(503);
    expect(await answer.text()).toContain(messages.en.unavailable.button);
  });
});

describe('a forged unsubscribe token', () => {
  it.each(['qzq', FORGED, 'x'.repeat(2000), '..%2F..%2Fetc', '%00', '%E0%A4%A'])(
    'is called a broken link before the press, without a button (%s)',
    async (token) => {
      const { app } = aSite();
      const answer = await app.request(`/u/${token}`, { headers: BROWSER });
      const page = await answer.text();
      expect(answer.status).toBe(404);
      expect(page).toContain(messages.en.brokenLink.unsubscribe);
      expect(page).not.toContain('<button');
      expect(page).not.toContain(token);
    },
  );

  it('is called so after a press too, and changes nothing', async () => {
    const { app, recorded } = aSite();
    const answer = await app.request(`/u/${FORGED}`, { method: 'POST', headers: BROWSER });
    expect(answer.status).toBe(404);
    expect(await answer.text()).toContain(messages.en.brokenLink.title);
    expect(recorded.unsubscribed).toEqual([]);
  });
});

describe('the bare address', () => {
  it('says nothing about what runs here, and for whom', async () => {
    const answer = await publicRoot().request('/', { headers: { ...BROWSER, 'accept-language': 'de' } });
    const page = await answer.text();
    expect(answer.status).toBe(200);
    expect(page).toContain(messages.de.root.title);
    expect(page).not.toMatch(/pennypost|<script|docs|https?:\/\//i);
    expect(answer.headers.get('x-robots-tag')).toContain('noindex');
  });
});

describe('a tracked link', () => {
  it('redirects to its target, untouched and without leaving traces', async () => {
    const answer = await aSite().app.request(`/c/${VALID}/${VALID}`);
    expect(answer.status).toBe(302);
    expect(answer.headers.get('location')).toBe('https://shop.example/?a=1&b=%20#c');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
    expect(answer.headers.get('set-cookie')).toBeNull();
  });

  it.each(['GET', 'HEAD'])('hands on the raw facts of a %s', async (method) => {
    const { app, recorded } = aSite();
    const headers = {
      'user-agent': 'Mozilla/5.0',
      'sec-fetch-site': 'none',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
      purpose: 'prefetch',
      referer: 'https://mail.example/',
      'accept-language': 'de',
    };
    const answer = await app.request(`/c/${VALID}/${VALID}`, { method, headers });
    expect(answer.status).toBe(302);
    expect(recorded.clicked).toEqual([
      {
        method,
        userAgent: 'Mozilla/5.0',
        ip: '203.0.113.7',
        secFetchSite: 'none',
        secFetchMode: 'navigate',
        secFetchDest: 'document',
        purpose: 'prefetch',
        referer: 'https://mail.example/',
        acceptLanguage: 'de',
      },
    ]);
  });

  it('cuts headers that are meant to fill the database', async () => {
    const { app, recorded } = aSite();
    await app.request(`/c/${VALID}/${VALID}`, { headers: { 'user-agent': 'x'.repeat(10_000) } });
    expect(recorded.clicked[0]?.userAgent).toHaveLength(512);
  });

  it.each(['javascript:alert(1)', '//evil.example', 'data:text/html,x', 'mailto:a@example.org', '', 'not a link'])(
    'never leads to %s',
    async (target) => {
      const answer = await aSite({ target }).app.request(`/c/${VALID}/${VALID}`);
      expect(answer.status).toBe(404);
      expect(answer.headers.get('location')).toBeNull();
    },
  );

  it.each([
    ['https://shop.example/ä b', 'https://shop.example/%C3%A4%20b'],
    ['https://bücher.example/', 'https://xn--bcher-kva.example/'],
    ['https://shop.example/\r\nSet-Cookie: a=b', 'https://shop.example/Set-Cookie:%20a=b'],
    ['https:\\\\shop.example\\x', 'https://shop.example/x'],
  ])('encodes %j as it must stand in a header', async (target, location) => {
    const answer = await aSite({ target }).app.request(`/c/${VALID}/${VALID}`);
    expect(answer.headers.get('location')).toBe(location);
    expect(answer.headers.get('set-cookie')).toBeNull();
  });

  it('gets a plain page and no redirect when its token is forged, whatever the query says', async () => {
    const answer = await aSite().app.request(`/c/${VALID}/${FORGED}?url=https://evil.example`, { headers: BROWSER });
    expect(answer.status).toBe(404);
    expect(answer.headers.get('location')).toBeNull();
    expect(await answer.text()).not.toContain('evil');
  });

  it('answers 503 with a page to try again should the target itself be unknown for now', async () => {
    const { app, recorded } = aSite({ actions: { click: away } });
    const answer = await app.request(`/c/${VALID}/${VALID}`, { headers: BROWSER });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('60');
    expect(recorded.reported).toEqual(['click: the database is away']);
  });
});

describe('the open pixel', () => {
  const isPixel = async (answer: Response) => {
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('image/gif');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect(bytes).toHaveLength(43);
    expect(bytes.toString('latin1', 0, 6)).toBe('GIF89a');
  };

  it('is a transparent GIF of 43 octets that tells of the open', async () => {
    const { app, recorded } = aSite();
    await isPixel(await app.request(`/o/${VALID}`));
    expect(recorded.opened).toHaveLength(1);
  });

  it('is the same for a forged token, and when the database is away', async () => {
    await isPixel(await aSite().app.request(`/o/${FORGED}`));
    const { app, recorded } = aSite({ actions: { open: away } });
    await isPixel(await app.request(`/o/${VALID}`));
    expect(recorded.reported).toEqual(['open: the database is away']);
  });
});
