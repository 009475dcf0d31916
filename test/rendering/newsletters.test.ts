import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { simpleParser } from 'mailparser';
import { describe, expect, it } from 'vitest';
import type { FinalContent } from '../../src/domain/campaign/index.ts';
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
    const frozen = await renderer.freeze(written, marketing());
    expect(frozen.content.kind).toBe('html');
    const one = await renderer.compile(written, marketing());
    for (const other of [
      await renderer.compile(frozen.content, marketing()),
      renderer.compileFrozen(stored(frozen), marketing()),
    ]) {
      expect(composed(other, recipient()).parts).toEqual(composed(one, recipient()).parts);
      expect(other.links).toEqual(one.links);
    }
  });
});

describe('a letter in Markdown', () => {
  const source = `# News

Dear {{ first_name }}, **long evenings**, *tea* and [books]({{ shop }}?a=1&b={{ subscriber.id }}).

{% for book in books %}
- **{{ book.title }}**
{% endfor %}

{% if vip %}
## For you alone

> Code \`{{ code }}\`
{% else %}
Join us.
{% endif %}

| Book | Price |
|---|---:|
{% for book in books %}
| {{ book.title }} | {{ book.price }} |
{% endfor %}

\`\`\`
{% if vip %}
*raw*
{% endif %}
\`\`\`

See https://example.com/new.
`;
  const letter = content({
    kind: 'markdown',
    layout: 'default',
    source,
    defaults: { first_name: 'reader', shop: 'https://shop.example/', books: [], vip: false, code: '' },
  });
  const books = [
    { title: 'Sea & *Me*', price: '$10' },
    { title: 'Salt', price: '$5' },
  ];
  const to = recipient({ variables: { books, vip: true, code: 'QUAY', subscriber: { id: '7' } } });
  const plain = marketing({ tracking: undefined });

  it('is shown as HTML in the layout, each Liquid tag where it belongs, and values stay text', async () => {
    expect(await renderer.check(letter, plain)).toEqual([]);
    const { html = '' } = await renderer.preview(letter, plain, to);
    expect(html).toMatch(/^<!doctype html>[\s\S]*<meta name="viewport"[\s\S]*prefers-color-scheme: dark/);
    expect(html).toContain(
      '<p>Dear reader, <strong>long evenings</strong>, <em>tea</em> and <a href="https://shop.example/?a=1&amp;b=7">books</a>.</p>',
    );
    expect(html.replaceAll(/\s*\n\s*/g, '')).toContain(
      '<ul><li><strong>Sea &amp; *Me*</strong></li><li><strong>Salt</strong></li></ul><h2>For you alone</h2><blockquote><p>Code <code>QUAY</code></p></blockquote>',
    );
    expect(html.replaceAll(/\s*\n\s*/g, '')).toContain(
      '<tbody><tr><td>Sea &amp; *Me*</td><td align="right">$10</td></tr><tr><td>Salt</td><td align="right">$5</td></tr></tbody>',
    );
    expect(html).toContain('<a href="https://example.com/new">https://example.com/new</a>.');
    expect(html).not.toMatch(/Join us|\{%|\{\{|<p>\s*<\/p>/);
  });

  it('has a text part that reads like a letter', async () => {
    const { text } = await renderer.preview(letter, plain, to);
    expect(text).toContain(
      [
        'News',
        '',
        'Dear reader, long evenings, tea and books [https://shop.example/?a=1&b=7].',
        '',
        ' * Sea & *Me*',
        ' * Salt',
        '',
        'For you alone',
        '',
        '> Code QUAY',
        '',
      ].join('\n'),
    );
    expect(text).toContain('Sea & *Me*  $10\nSalt  $5');
    expect(text).toContain('See https://example.com/new.\n');
  });

  it('is composed from its frozen HTML as from itself', async () => {
    const frozen = await renderer.freeze(letter, marketing());
    expect(frozen.content).toMatchObject({ kind: 'html', layout: 'none' });
    const one = await renderer.compile(letter, marketing());
    for (const other of [
      await renderer.compile(frozen.content, marketing()),
      renderer.compileFrozen(stored(frozen), marketing()),
    ]) {
      expect(composed(other, to).parts).toEqual(composed(one, to).parts);
      expect(other.links).toEqual(one.links);
    }
    expect(one.links.map(({ target }) => target)).toEqual(['{{ shop }}?a=1&b={{ subscriber.id }}', 'https://example.com/new']);
  });

  it('has its faults named by the line of the Markdown, and nesting without end is refused', async () => {
    const unsafe = await renderer.check({ ...letter, source: 'Hi\n\n[x](javascript:alert(1))' }, plain);
    expect(unsafe).toMatchObject([{ severity: 'error', code: 'link.unsafe', line: 3 }]);
    expect(await renderer.check({ ...letter, source: 'Hi\n\n<script>x</script>' }, plain)).toMatchObject([
      { severity: 'error', code: 'html.unsafe', line: 3 },
    ]);
    const deep = await renderer.check({ ...letter, source: `${'> '.repeat(20_000)}x` }, plain);
    expect(deep).toMatchObject([{ severity: 'error', part: 'source' }]);
  });
});

describe('the default layout', () => {
  const transactionalPlan = marketing({ stream: 'transactional', tracking: undefined });
  const shown = async (source: string, layout: 'default' | 'none') =>
    (await renderer.preview(content({ source, layout }), transactionalPlan, recipient())).html ?? '';

  it('is put around HTML that is no whole document, unless it is switched off', async () => {
    expect(await shown('<p>Hello</p>', 'default')).toMatch(/^<!doctype html>[\s\S]*<p>Hello<\/p>[\s\S]*<\/html>\s*$/);
    expect(await shown('<p>Hello</p>', 'none')).toBe('<p>Hello</p>');
  });

  it.each([
    '<!doctype html><p>Hello</p>',
    '<html><p>Hello</p></html>',
    '<BODY class="x"><p>Hello</p></BODY>',
    '<head></head><p>x</p>',
  ])('leaves a document alone: %s', async (source) => {
    expect(await shown(source, 'default')).toBe(source);
  });
});

/** As the database gives it back. */
const stored = (frozen: FinalContent): FinalContent => JSON.parse(JSON.stringify(frozen));

describe.skipIf(newsletters.length === 0)(
  'newsletters by other people (skipped where the fixtures are not beside the checkout)',
  () => {
    it.each(newsletters)('%s is composed without a malformed line and read back', async (name) => {
      const source = readFileSync(`${OTHERS}/mjml/${name}`, 'utf8');
      const defaults = { FirstName: 'Ann', ReferalCode: 'R1', CompanyName: 'Acme', Company: 'Acme' };
      const written = content({ kind: 'mjml', source, defaults });
      expect((await renderer.check(written, marketing())).filter((problem) => problem.severity === 'error')).toEqual([]);
      const plan = renderer.compileFrozen(stored(await renderer.freeze(written, marketing())), marketing());
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

describe('text in a font of no size', () => {
  const textOf = async (source: string, kind: 'html' | 'mjml' = 'html') =>
    (await renderer.preview(content({ kind, source }), marketing({ stream: 'transactional', tracking: undefined }), recipient()))
      .text;

  it('is not in the text part, and text inside it that has a size of its own is, as in every MJML', async () => {
    const mjml = '<mj-section><mj-column><mj-text>Hello <a href="https://a.example/">look</a></mj-text></mj-column></mj-section>';
    expect(await textOf(`<mjml><mj-body>${mjml}</mj-body></mjml>`, 'mjml')).toBe('Hello look [https://a.example/]');
    expect(await textOf('<p>a</p><div style="font-size:0px">b<b style="font-size:50%">c</b></div>')).toBe('a');
    expect(await textOf('<p>a</p><div style="font-size:0px">b<p style="font:14px/20px Arial">c</p></div>')).toBe('a\n\nc');
  });
});
