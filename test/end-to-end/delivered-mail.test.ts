import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { simpleParser } from 'mailparser';
import mjml2html from 'mjml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokens } from '../../src/infrastructure/container.ts';
import type { Inbox } from '../../src/infrastructure/inbox/inbox.ts';
import { publicPages } from '../../src/interfaces/web/public-pages.ts';
import { openTestInstance, type TestInstance } from '../support/instance.ts';
import { headerFields, ONCE } from '../support/mail-headers.ts';
import { eventually } from '../support/processes.ts';

const FIXTURES = join(import.meta.dirname, '../../../shared/fixtures/mjml');
const ADDRESS = 'Musterstraße 1, 12345 Berlin';

/** Where the anchors of an HTML source lead; style sheets and fonts are nobody's click. */
const targetsIn = (html: string): string[] =>
  [...html.matchAll(/<a\b[^>]*?\shref="(https?:\/\/[^"]+)"/g)].map((match) => (match[1] ?? '').replaceAll('&amp;', '&'));

describe('mail as it is delivered', () => {
  let instance: TestInstance;
  let inbox: Inbox;
  let projectId: string;
  let listId: string;

  beforeAll(async () => {
    instance = await openTestInstance({ works: true, destination: 'inbox' });
    inbox = instance.inbox as Inbox;
    const { application } = instance;
    projectId = (
      await application.projects.create({ name: 'Blatt & Söhne', senderDomain: 'news.example.com', postalAddress: ADDRESS })
    ).id;
    listId = (await application.lists.create(projectId, { name: 'Leser' })).id;
    for (const person of [
      { email: 'zoë@bücher.example', attributes: { first_name: 'Zoë <b>O’Brien</b>', FirstName: '李小龍' } },
      { email: 'plain@example.net' },
    ]) {
      const subscriber = await application.subscribers.upsert(projectId, person);
      await application.subscribers.subscribe(projectId, subscriber.id, listId);
    }
    await instance.get(tokens.workers).start(['bulk']);
  });

  afterAll(async () => {
    await instance.get(tokens.workers).stop();
    await instance.close();
  });

  async function deliver(content: {
    kind: 'mjml' | 'html' | 'text';
    source: string;
    defaults?: Record<string, unknown>;
    subject?: string;
  }) {
    inbox.clear();
    const { application } = instance;
    const campaign = await application.campaigns.create(projectId, {
      name: 'Delivered',
      audience: { include: [{ list: listId }] },
      content: {
        subject: 'Grüße, {{ first_name }} 😀',
        author: { name: 'Ünï, Çö', address: 'post@news.example.com' },
        ...content,
        defaults: { first_name: 'friend', ...content.defaults },
      },
    });
    const { problems } = await application.campaigns.check(projectId, campaign.id);
    expect(problems.filter((problem) => problem.severity === 'error')).toEqual([]);
    await application.campaigns.launch(projectId, campaign.id);
    await eventually('both messages', () => inbox.list({}).items.length === 2);
    const raws = inbox.list({}).items.map((item) => Buffer.from(inbox.raw(item.id) ?? []));
    return { campaign, raws };
  }

  it('carries every header that bulk mail must have, exactly once, and both parts', async () => {
    const { campaign, raws } = await deliver({
      kind: 'html',
      source: '<p>Hello {{ first_name }}, <a href="https://example.com/a?b=1&amp;c=ü">a</a></p>',
    });
    for (const raw of raws) {
      const fields = headerFields(raw.toString('latin1'));
      for (const name of ONCE) expect([name, fields.get(name)?.length]).toEqual([name, 1]);
      expect(fields.has('bcc')).toBe(false);
      expect(fields.get('list-unsubscribe')?.[0]).toMatch(/^<http:\/\/127\.0\.0\.1:8025\/u\/[A-Za-z0-9_-]+>$/);
      expect(fields.get('list-unsubscribe-post')).toEqual(['List-Unsubscribe=One-Click']);
      expect(fields.get('list-id')).toEqual([`<${listId}.news.example.com>`]);
      expect(fields.get('feedback-id')?.[0]?.split(':').slice(0, 3)).toEqual([campaign.id, listId, 'marketing']);
      expect(fields.get('feedback-id')?.[0]?.split(':')[3]).toMatch(/^[0-9a-f]{5,15}$/);
      expect(fields.get('precedence')).toEqual(['bulk']);
      expect(fields.get('message-id')?.[0]).toMatch(/^<[A-Za-z0-9_-]{22}@news\.example\.com>$/);
      const mail = await simpleParser(raw);
      expect(mail.from?.value[0]).toEqual({ name: 'Ünï, Çö', address: 'post@news.example.com' });
      expect(Math.abs((mail.date?.getTime() ?? 0) - Date.now())).toBeLessThan(300_000);
      const friend = mail.to && !Array.isArray(mail.to) && mail.to.value[0]?.address === 'plain@example.net';
      expect(mail.subject).toBe(friend ? 'Grüße, friend 😀' : 'Grüße, Zoë <b>O’Brien</b> 😀');
      expect(mail.html).toContain(friend ? 'Hello friend' : 'Hello Zoë &lt;b&gt;O’Brien&lt;/b&gt;');
      expect(mail.text).toContain(friend ? 'Hello friend' : 'Hello Zoë <b>O’Brien</b>');
      expect(mail.text).toContain(ADDRESS);
      expect(mail.html).toContain('Musterstra');
    }
  });

  it('leads every link, the pixel and the unsubscribe to where they belong', async () => {
    const { campaign, raws } = await deliver({
      kind: 'html',
      source: '<p><a href="https://example.com/a?b=1&amp;c=ü">a</a> <a href="https://example.com/b">b</a></p>',
    });
    const pages = publicPages(instance.application.recipients);
    for (const raw of raws) {
      const mail = await simpleParser(raw);
      const html = typeof mail.html === 'string' ? mail.html : '';
      const clicks = [...html.matchAll(/http:\/\/127\.0\.0\.1:8025(\/c\/[^"]+)"/g)].map((match) => match[1] ?? '');
      const targets = await Promise.all(clicks.map(async (path) => (await pages.request(path)).headers.get('location')));
      expect(targets).toEqual(['https://example.com/a?b=1&c=%C3%BC', 'https://example.com/b']);
      const pixel = /http:\/\/127\.0\.0\.1:8025(\/o\/[^"]+)"/.exec(html)?.[1] ?? '';
      expect((await pages.request(pixel)).headers.get('content-type')).toBe('image/gif');
      const unsubscribe =
        URL.parse(headerFields(raw.toString('latin1')).get('list-unsubscribe')?.[0]?.slice(1, -1) ?? '')?.pathname ?? '';
      expect((await pages.request(unsubscribe)).status).toBe(200);
    }
    const report = await instance.application.campaigns.report(projectId, campaign.id);
    expect(report).toMatchObject({ opened: { unique: 2, total: 2 }, clicked: { unique: 2, total: 4 }, unsubscribed: 0 });
    expect(report.links.map((link) => link.unique)).toEqual([2, 2]);
  });

  it.skipIf(!existsSync(FIXTURES))(
    'delivers the 15 real newsletters without one malformed message (needs shared fixtures)',
    async () => {
      const files = (await readdir(FIXTURES)).filter((file) => file.endsWith('.mjml'));
      expect(files.length).toBe(15);
      for (const file of files) {
        const source = await readFile(join(FIXTURES, file), 'utf8');
        const variables = [...source.matchAll(/{{\s*([A-Za-z_]\w*)/g)].map((match) => match[1] ?? '');
        const { raws } = await deliver({
          kind: 'mjml',
          source,
          defaults: Object.fromEntries(variables.map((name) => [name, `the ${name}`])),
        });
        for (const raw of raws) {
          const text = raw.toString('latin1');
          expect([file, Math.max(...text.split('\r\n').map((line) => line.length)) <= 998]).toEqual([file, true]);
          expect([file, /(^|[^\r])\n|\r(?!\n)/.test(text)]).toEqual([file, false]);
          const mail = await simpleParser(raw);
          const html = typeof mail.html === 'string' ? mail.html : '';
          expect([file, html.length > 1_000, (mail.text ?? '').length > 20, /{{|{%/.test(html)]).toEqual([
            file,
            true,
            true,
            false,
          ]);
          const pages = publicPages(instance.application.recipients);
          const clicks = [...html.matchAll(/http:\/\/127\.0\.0\.1:8025(\/c\/[^"]+)"/g)].map((match) => match[1] ?? '');
          const located = await Promise.all(clicks.map(async (path) => (await pages.request(path)).headers.get('location')));
          // What mjml itself makes of it: share buttons bring targets of their own.
          const written = new Set(targetsIn((await mjml2html(source, { validationLevel: 'soft' })).html));
          expect([file, new Set(located)]).toEqual([file, written]);
        }
      }
    },
  );
});
