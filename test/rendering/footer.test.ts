import { describe, expect, it } from 'vitest';
import type { Content, PlanContext } from '../../src/domain/campaign/index.ts';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';
import { composed, content, marketing, part, type Read, recipient, transactional } from './support.ts';

const renderer = createRenderer();
const { unsubscribeUrl } = recipient();

async function read(overrides: Partial<Content>, context: PlanContext = marketing(), locale?: string): Promise<Read> {
  const plan = await renderer.compile(content(overrides), context);
  return composed(plan, recipient({ variables: { subscriber: { id: 's', email: 'a@example.org', locale, attributes: {} } } }));
}

describe('marketing content', () => {
  it("without a way out and an address gets the project's footer in both parts", async () => {
    const { parts } = await read({ source: '<html><body><p>Hi</p></body></html>' });
    const [text, html] = parts.map((candidate) => candidate.body);
    expect(text).toBe(`Hi\n\n----------\nAcme & Söhne\n1 Main Street\n12345 Town\nUnsubscribe: ${unsubscribeUrl}\n`);
    expect(html).toContain(`<a href="${unsubscribeUrl}"`);
    expect(html).toContain('Acme &amp; Söhne</strong>\n1 Main Street\n12345 Town');
    expect(html?.indexOf('Unsubscribe')).toBeLessThan(html?.indexOf('</body>') ?? 0);
  });

  it('gets only what it lacks', async () => {
    const html = part(await read({ source: '<p><a href="{{ unsubscribe_url }}">Leave</a></p>' }), 'text/html');
    expect(html).toContain('1 Main Street');
    expect(html.split(unsubscribeUrl).length).toBe(2);
    const other = part(await read({ source: '<p>Acme, 1 Main Street, <b>12345 Town</b></p>' }), 'text/html');
    expect(other.split('1 Main Street').length).toBe(2);
    expect(other).toContain(unsubscribeUrl);
  });

  it('is left alone when it brings both', async () => {
    const source = '<p><a href="{{ unsubscribe_url }}">Leave</a> {{ postal_address }}</p>';
    expect(part(await read({ source, footer: 'none' }), 'text/html')).not.toContain('<table');
    expect(part(await read({ source }), 'text/plain')).toBe(`Leave [${unsubscribeUrl}] 1 Main Street\n12345 Town`);
  });

  it('is judged part by part when the text part is given', async () => {
    const source = '<p><a href="{{ unsubscribe_url }}">Leave</a> {{ postal_address }}</p>';
    const given = await read({ source, text: 'Hello' });
    expect(part(given, 'text/plain')).toContain(`Unsubscribe: ${unsubscribeUrl}`);
    expect(part(given, 'text/html')).not.toContain('<table');
  });

  it('as plain text gets a plain footer', async () => {
    expect(part(await read({ kind: 'text', source: 'Hello' }), 'text/plain')).toContain(
      `12345 Town\nUnsubscribe: ${unsubscribeUrl}\n`,
    );
  });

  it("speaks of the way out in the subscriber's language", async () => {
    expect(part(await read({}, marketing(), 'de-AT'), 'text/html')).toContain('>Abmelden</a>');
    expect(part(await read({}, marketing(), 'den'), 'text/html')).toContain('>Unsubscribe</a>');
  });

  it('without either and with the footer forbidden is an error for each', async () => {
    const found = await renderer.check(content({ footer: 'none', text: 'Hi {{ unsubscribe_url }}' }), marketing());
    expect(found).toMatchObject([
      { severity: 'error', code: 'footer.missing', part: 'source' },
      { severity: 'error', code: 'footer.missing', part: 'source' },
      { severity: 'error', code: 'footer.missing', part: 'text' },
    ]);
  });
});

describe('transactional content', () => {
  it('gets no footer', async () => {
    expect((await read({ source: '<p>Hi</p>' }, transactional())).parts.map((found) => found.body)).toEqual(['Hi', '<p>Hi</p>']);
  });
});

describe('the preheader', () => {
  it('stands hidden at the start of the body, escaped, and not in the text part', async () => {
    const { parts } = await read(
      {
        source: '<html><body class="x"><p>Hi</p></body></html>',
        preheader: 'Fish & <chips> {{ name }}',
        defaults: { name: 'A & B' },
      },
      transactional(),
    );
    expect(parts[1]?.body).toMatch(
      /^<html><body class="x"><div style="display:none;[^"]*">Fish &amp; &lt;chips&gt; A &amp; B<\/div><p>Hi/,
    );
    expect(parts[0]?.body).toBe('Hi');
  });

  it('is shown by the preview as a person would read it', async () => {
    const plan = await renderer.compile(
      content({ preheader: 'Hi {{ name }}', defaults: { name: 'A & B' }, subject: 'S {{ name }}' }),
      transactional(),
    );
    expect(plan.render(recipient())).toEqual({
      subject: 'S A & B',
      preheader: 'Hi A & B',
      html: expect.stringContaining('Hi A &amp; B</div>'),
      text: 'Hello',
    });
  });
});

describe('the text part made from HTML', () => {
  it('keeps Liquid, shows alternatives of images, leaves out what is hidden, and is not wrapped', async () => {
    const source =
      '<html><head><title>T</title><style>p{}</style></head><body><div style="display:none">pre</div><h1>Big {{ name }}</h1>' +
      `<table><tr><td>{% if vip %}<p>VIP</p>{% endif %}<p>${'long '.repeat(40)}</p></td></tr></table><img src="https://example.com/x.png" alt="A cat"></body></html>`;
    const { parts } = await read({ source, defaults: { name: 'Ann', vip: false } }, transactional());
    expect(parts[0]?.body).toBe(`Big Ann\n\n${'long '.repeat(40).trim()}\n\nA cat`);
  });
});
