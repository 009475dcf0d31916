import { Hono } from 'hono';
import nodemailer from 'nodemailer';
import { afterEach, describe, expect, it } from 'vitest';
import { type Inbox, startInbox } from '../../../src/infrastructure/inbox/inbox.ts';
import { inboxPages } from '../../../src/interfaces/web/inbox-pages.ts';
import { readableDomains, readableUrl } from '../../../src/interfaces/web/readable-text.ts';

const HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>';
const open: Inbox[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((inbox) => inbox.close()));
});

type Mail = Parameters<ReturnType<typeof nodemailer.createTransport>['sendMail']>[0];

/** The pages over a real inbox that these messages were sent to. */
async function aSite(...mails: Mail[]) {
  const inbox = await startInbox();
  open.push(inbox);
  const transport = nodemailer.createTransport({
    host: '127.0.0.1',
    port: inbox.port,
    ignoreTLS: true,
    pool: true,
    maxConnections: 1,
  });
  for (const mail of mails)
    await transport.sendMail({ from: 'Ann <ann@example.org>', to: 'bob@example.org', text: 'Hello', ...mail });
  transport.close();
  const app = new Hono().route('/inbox', inboxPages(inbox));
  const read = async (path: string) => (await app.request(path)).text();
  return { app, inbox, read };
}

describe('the list of the development inbox', () => {
  it('says where to send to while it is empty', async () => {
    const { inbox, read } = await aSite();
    const page = await read('/inbox');
    expect(page).toContain('No messages yet.');
    expect(page).toContain(inbox.url);
  });

  it('shows recipient and subject, newest first', async () => {
    const { read } = await aSite({ subject: 'the first' }, { subject: 'the second', to: 'carol@example.org' });
    const page = await read('/inbox');
    expect(page.indexOf('the second')).toBeLessThan(page.indexOf('the first'));
    expect(page).toContain('carol@example.org');
    expect(page).toContain('<b>2</b> received');
  });

  it('searches, and keeps the search in its links', async () => {
    const { read } = await aSite({ subject: 'Apples & pears' }, { subject: 'Plums' });
    const page = await read('/inbox?search=apples+%26');
    expect(page).toContain('Apples &amp; pears');
    expect(page).not.toContain('Plums');
    expect(page).toContain('href="/inbox/messages/1?search=apples+%26"');
    expect(page).toContain('value="apples &amp;"');
    expect(await read('/inbox?search=zebra')).toContain('Nothing matches “zebra”.');
  });

  it('pages through more than fit', async () => {
    const { read } = await aSite(...Array.from({ length: 52 }, (_, index) => ({ subject: `no ${index + 1}.` })));
    const first = await read('/inbox');
    expect(first).toContain('no 3.');
    expect(first).not.toContain('no 2.');
    const older = /href="(\/inbox\?after=3)" rel="next"/.exec(first)?.[1];
    expect(older).toBeDefined();
    const second = await read(older!);
    expect(second).toContain('no 2.');
    expect(second).not.toContain('rel="next"');
  });

  it('is there as JSON too', async () => {
    const { app } = await aSite({ subject: 'one' }, { subject: 'two' });
    const list = await (await app.request('/inbox/messages.json?limit=1')).json();
    expect(list).toMatchObject({
      received: 2,
      recipients: 1,
      next: '2',
      items: [{ id: '2', subject: 'two', to: ['bob@example.org'] }],
    });
    expect(await (await app.request('/inbox/messages.json?after=nonsense&limit=x')).json()).toMatchObject({
      items: [{ id: '2' }, { id: '1' }],
    });
  });

  it('is emptied by its own button and by no other site', async () => {
    const { app, inbox } = await aSite({ subject: 'one' });
    const foreign = { method: 'POST', headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' } };
    expect((await app.request('/inbox/clear', foreign)).status).toBe(403);
    expect(inbox.received()).toBe(1);
    const own = await app.request('/inbox/clear', { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } });
    expect([own.status, own.headers.get('location')]).toEqual([303, '/inbox']);
    expect(inbox.received()).toBe(0);
  });

  it('brings its own style and script and nothing from elsewhere', async () => {
    const { app, read } = await aSite({ subject: 'one' });
    const answer = await app.request('/inbox');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'; style-src 'self'; script-src 'self'");
    expect(await answer.text()).not.toMatch(/(?:src|href)="(?:https?:)?\/\/|<style|style="|\son\w+="/);
    expect((await app.request('/inbox/inbox.css')).headers.get('content-type')).toContain('text/css');
    expect(await read('/inbox/inbox.js')).toContain('replaceChildren');
  });
});

describe('the page of a message', () => {
  const letter: Mail = {
    subject: 'Parts',
    text: 'the text part',
    html: '<!doctype html><html><head><title>x</title></head><body><img src="https://t.example/o/1"><a href="https://a.example/?x=1&amp;y=2">go</a><a href="javascript:alert(1)">no</a></body></html>',
    attachments: [{ filename: '"Überblick"\u202e.html', content: '<script>alert(1)</script>', contentType: 'text/html' }],
  };

  it('shows the HTML in a frame without scripts and without an origin', async () => {
    const { read } = await aSite(letter);
    const page = await read('/inbox/messages/1');
    const frame = /<iframe [^>]*>/.exec(page)?.[0];
    expect(frame).toContain('sandbox="allow-popups allow-popups-to-escape-sandbox"');
    expect(frame).toContain('src="/inbox/messages/1/html"');
    expect(frame).not.toMatch(/srcdoc|allow-scripts|allow-same-origin|allow-forms|allow-top/);
  });

  it('serves that HTML under a policy of its own, and loads from the web only when asked to', async () => {
    const { app, read } = await aSite(letter);
    const quiet = await app.request('/inbox/messages/1/html');
    const policy = quiet.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/^sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none';/);
    expect(policy).not.toMatch(/https?:|script/);
    expect(quiet.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await quiet.text()).toContain('<head><base target="_blank">');
    expect(await read('/inbox/messages/1')).toContain('Load them');
    const loud = await app.request('/inbox/messages/1/html?remote=on');
    expect(loud.headers.get('content-security-policy')).toContain('img-src data: https: http:');
    expect(await read('/inbox/messages/1?remote=on')).not.toContain('Load them');
  });

  it('has tabs for text, headers, links and source', async () => {
    const { read } = await aSite(letter);
    expect(await read('/inbox/messages/1?tab=text')).toContain('the text part');
    expect(await read('/inbox/messages/1?tab=headers')).toMatch(/<th scope="row">MIME-Version<\/th>/);
    expect(await read('/inbox/messages/1?tab=source')).toContain('Content-Type: multipart/mixed');
    expect(await read('/inbox/messages/1?width=phone')).toContain('<div class="stage phone">');
  });

  it('makes only web links clickable', async () => {
    const { read } = await aSite(letter);
    const page = await read('/inbox/messages/1?tab=links');
    expect(page).toContain('<a href="https://a.example/?x=1&amp;y=2" target="_blank" rel="noopener noreferrer">');
    expect(page).toContain('javascript:alert(1)');
    expect(page).not.toContain('href="javascript:');
  });

  it('opens with the text when there is no HTML', async () => {
    const { app, read } = await aSite({ subject: 'Plain', text: 'only text' });
    const page = await read('/inbox/messages/1');
    expect(page).toContain('only text');
    expect(page).not.toContain('<iframe');
    expect((await app.request('/inbox/messages/1/html')).status).toBe(404);
  });

  it('gives source and attachments as downloads only', async () => {
    const { app, inbox } = await aSite(letter);
    const source = await app.request('/inbox/messages/1/source');
    expect(source.headers.get('content-disposition')).toContain('attachment; filename="message-1.eml"');
    expect(Buffer.from(await source.arrayBuffer())).toEqual(inbox.raw('1'));
    const file = await app.request('/inbox/messages/1/attachments/0');
    expect(file.headers.get('content-type')).toBe('application/octet-stream');
    expect(file.headers.get('content-disposition')).toMatch(/^attachment; filename="[\w.-]+"; filename\*=UTF-8''[\w%.-]+$/);
    expect(file.headers.get('content-security-policy')).toContain('sandbox');
    expect(await file.text()).toBe('<script>alert(1)</script>');
  });

  it('is there as JSON too', async () => {
    const { app } = await aSite(letter);
    const message = await (await app.request('/inbox/messages/1.json')).json();
    expect(message).toMatchObject({
      subject: 'Parts',
      envelope: { from: 'ann@example.org', to: ['bob@example.org'] },
      links: [
        { url: 'https://a.example/?x=1&y=2', label: 'go' },
        { url: 'javascript:alert(1)', label: 'no' },
      ],
      attachments: [{ size: 25, url: '/inbox/messages/1/attachments/0' }],
    });
  });

  it.each([
    '/inbox/messages/99',
    '/inbox/messages/99.json',
    '/inbox/messages/99/html',
    '/inbox/messages/99/source',
    '/inbox/messages/1/attachments/7',
    '/inbox/messages/99/attachments/0',
  ])('answers 404 for %s', async (path) => {
    const { app } = await aSite(letter);
    expect((await app.request(path)).status).toBe(404);
  });

  it('shows what came from outside as text, wherever it stands', async () => {
    const { read } = await aSite({
      subject: HOSTILE,
      from: { name: HOSTILE, address: 'ann@example.org' },
      to: { name: HOSTILE, address: 'bob@example.org' },
      text: HOSTILE,
      headers: { 'X-Hostile': HOSTILE, 'List-Unsubscribe': '<https://u.example/"onmouseover=alert(1)>' },
      attachments: [{ filename: HOSTILE, content: 'x' }],
    });
    const paths = ['/inbox', `/inbox?search=${encodeURIComponent('"><script>alert(1)</script>')}`, '/inbox/messages/1'];
    for (const path of [...paths, ...['text', 'headers', 'links', 'source'].map((tab) => `/inbox/messages/1?tab=${tab}`)]) {
      const page = await read(path);
      expect(page, path).not.toMatch(/<script>|<img|"onmouseover/);
    }
    expect(await read('/inbox/messages/1?tab=text')).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  });
});

describe('who sees the development inbox', () => {
  const ask = async (
    headers: Record<string, string>,
    access?: { names?: readonly string[]; direct?: boolean },
    path = '/inbox',
  ) => {
    const inbox = await startInbox();
    open.push(inbox);
    return new Hono().route('/inbox', inboxPages(inbox, { access })).request(path, { headers });
  };

  it.each([
    'localhost',
    'localhost:8025',
    'LOCALHOST:8025',
    'inbox.localhost',
    '127.0.0.1:8025',
    '[::1]:8025',
    '192.168.1.7',
    'localhost.',
  ])('is a browser that asks for it under %s', async (host) => expect((await ask({ host })).status).toBe(200));

  it.each([
    'attacker.example',
    'attacker.example:8025',
    '127.0.0.1.attacker.example',
    'localhost.attacker.example',
    '127.0.0.1@attacker.example',
    'attacker.example/localhost',
    'xlocalhost',
    '',
  ])('is no page of a site whose name leads here: "%s"', async (host) => {
    const answer = await ask({ host });
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain('Open it under localhost');
  });

  it.each(['/inbox/messages.json', '/inbox/messages/1/source', '/inbox/inbox.js'])('holds for %s as well', async (path) => {
    expect((await ask({ host: 'attacker.example' }, undefined, path)).status).toBe(403);
  });

  it('is a browser that uses the name of the public URL, where that is allowed', async () => {
    expect((await ask({ host: 'Mail.Example.com' }, { names: ['mail.example.com'] })).status).toBe(200);
    expect((await ask({ host: 'other.example.com' }, { names: ['mail.example.com'] })).status).toBe(403);
  });

  it.each([
    ...['x-forwarded-for', 'forwarded', 'x-real-ip', 'via', 'x-forwarded-host', 'x-forwarded-proto'],
    ...['cf-connecting-ip', 'true-client-ip', 'x-envoy-external-address', 'tailscale-user-login'],
  ])('is no client of a proxy on this machine, which says %s', async (name) => {
    expect((await ask({ host: '127.0.0.1', [name]: '203.0.113.9' }, { direct: true })).status).toBe(403);
    expect((await ask({ host: '127.0.0.1', [name]: '203.0.113.9' })).status).toBe(200);
  });
});

describe('what is read by people', () => {
  it.each([
    ['Ada <ada@xn--bcher-kva.example>', 'Ada <ada@bücher.example>'],
    ['ada@mail.xn--bcher-kva.example, bob@example.com', 'ada@mail.bücher.example, bob@example.com'],
    ['ada@xn--.example', 'ada@xn--.example'],
  ])('has domains as they are written (%s)', (text, shown) => {
    expect(readableDomains(text)).toBe(shown);
  });

  it.each([
    ['https://xn--bcher-kva.example/caf%C3%A9?q=%C3%BC#%E2%82%AC', 'https://bücher.example/café?q=ü#€'],
    ['https://example.com/a%2Fb%20c%3Fd%26', 'https://example.com/a%2Fb%20c%3Fd%26'],
    ['https://example.com/%E2%80%AEmoc', 'https://example.com/%E2%80%AEmoc'],
    ['https://example.com/%C3%28%FF', 'https://example.com/%C3%28%FF'],
    ['https://example.com/?u=xn--bcher-kva.example', 'https://example.com/?u=xn--bcher-kva.example'],
  ])('has targets of links as they are written, and never as something else (%s)', (url, shown) => {
    expect(readableUrl(url)).toBe(shown);
  });
});
