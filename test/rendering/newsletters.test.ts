import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { simpleParser } from 'mailparser';
import { describe, expect, it } from 'vitest';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';
import { composed, content, marketing, part, recipient } from './support.ts';

const renderer = createRenderer();
const SPRING = readFileSync(new URL('../fixtures/mjml/spring.mjml', import.meta.url), 'utf8');

/** Newsletters by other people, kept beside the checkout; elsewhere they can be named by PENNYPOST_FIXTURES. */
const OTHERS = process.env.PENNYPOST_FIXTURES ?? fileURLToPath(new URL('../../../shared/fixtures', import.meta.url));
const newsletters = existsSync(`${OTHERS}/mjml`) ? readdirSync(`${OTHERS}/mjml`).filter((name) => name.endsWith('.mjml')) : [];

const defaults = { brand_color: '#222222', vip: false, orders: 0, items: [] };

describe('a newsletter with Liquid in attributes, links and between sections', () => {
  it('is composed for each recipient as liquidjs would render it', async () => {
    const plan = await renderer.compile(
      content({ kind: 'mjml', source: SPRING, subject: 'Spring, {{ first_name | default: "friend" }}', defaults }),
      marketing(),
    );
    const items = [
      { name: 'Hat <x>', image: 'hat.png', url: 'https://shop.example/hat', price: 10 },
      { name: 'Shoe', image: 'shoe.png', url: 'https://shop.example/shoe?a=1&b=2', price: 20.5 },
    ];
    for (const variables of [
      {},
      { first_name: 'Zoë', vip: true, orders: 5, items, brand_color: '#ff0000', subscriber: { id: 's1', locale: 'de' } },
    ]) {
      const to = recipient({ variables });
      const read = composed(plan, to);
      const plain = plan.render(to);
      expect(part(read, 'text/html')).toBe(plain.html);
      expect(part(read, 'text/plain')).toBe(plain.text);
    }
    const html =
      plan.render(recipient({ variables: { first_name: 'Zoë', vip: true, orders: 5, items, brand_color: '#ff0000' } })).html ??
      '';
    expect(html).toContain('Hello Zoë,');
    expect(html).toContain('You are one of our <b>best</b>.');
    expect(html).toContain('color:#ff0000');
    expect(html).toContain('alt="Hat &lt;x&gt;"');
    expect(html).toContain('2. Shoe — 24.6 €');
    expect(plan.links.map((link) => link.target)).toEqual([
      'https://shop.example/spring?from={{ subscriber.id }}&c={{ campaign.id }}',
      'https://shop.example/vip',
      '{{ item.url }}',
    ]);
  });

  it('is the same when it was frozen as HTML before', async () => {
    const written = content({ kind: 'mjml', source: SPRING, defaults });
    const { content: frozen, links } = await renderer.freeze(written, marketing());
    expect(frozen.kind).toBe('html');
    const [one, other] = [await renderer.compile(written, marketing()), await renderer.compile(frozen, marketing())];
    expect(composed(other, recipient()).parts).toEqual(composed(one, recipient()).parts);
    expect(other.links).toEqual(one.links);
    expect(links).toEqual(one.links);
  });
});

describe.skipIf(newsletters.length === 0)(
  'newsletters by other people (skipped where the fixtures are not beside the checkout)',
  () => {
    it.each(newsletters)('%s is composed without a malformed line and read back', async (name) => {
      const source = readFileSync(`${OTHERS}/mjml/${name}`, 'utf8');
      const defaults = { FirstName: 'Ann', ReferalCode: 'R1', CompanyName: 'Acme', Company: 'Acme' };
      const written = content({ kind: 'mjml', source, defaults });
      expect((await renderer.check(written, marketing())).filter((problem) => problem.severity === 'error')).toEqual([]);
      const { content: frozen } = await renderer.freeze(written, marketing());
      const plan = await renderer.compile(frozen, marketing());
      const to = recipient({ variables: { FirstName: 'Zoë 😀' } });
      const read = composed(plan, to);
      const plain = plan.render(to);
      expect(part(read, 'text/html')).toBe(plain.html);
      expect(part(read, 'text/plain')).toBe(plain.text);
      const message = plan.compose(to);
      const mail = await simpleParser(Buffer.from(message.bytes), { skipHtmlToText: true });
      message.release();
      expect(String(mail.html).trim()).toBe(plain.html?.trim());
      const hrefs = [...(plain.html ?? '').matchAll(/<(?:a|v:\w+)\b[^>]*href="(https?:[^"]*)"/g)].map((match) => match[1] ?? '');
      expect(hrefs.length).toBeGreaterThan(0);
      expect(hrefs.filter((href) => !href.startsWith('https://t.example.com/'))).toEqual([]);
    });
  },
);
