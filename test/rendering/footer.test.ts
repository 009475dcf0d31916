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

describe('a way out and an address that not every reader sees', () => {
  const both = '<a href="{{ unsubscribe_url }}">Leave</a> {{ postal_address }}';
  const plain = '{{ unsubscribe_url }} {{ postal_address }}';
  const hidden: readonly string[] = [
    `<!-- ${both} -->`,
    `{% if false %}${both}{% endif %}`,
    `{% if vip %}${both}{% endif %}`,
    `{% if vip %}${both}{% else %}Hello{% endif %}`,
    `{% unless vip %}${both}{% endunless %}`,
    `{% case city %}{% when "a" %}${both}{% endcase %}`,
    `{% for i in items %}${both}{% endfor %}`,
    `{% capture c %}${both}{% endcapture %}`,
    `{% comment %}${both}{% endcomment %}`,
    `{% raw %}${both}{% endraw %}`,
    `<div style="display:none">${both}</div>`,
    `<div style="color:red; DISPLAY : None !important"><p>${both}</p></div>`,
    `<div hidden>${both}</div>`,
    `<div {% if vip %}hidden{% endif %}>${both}</div>`,
    `<div style="{% if vip %}display:none{% endif %}">${both}</div>`,
    `<p style="font-size:0">${both}</p>`,
    `<p style="font-size:1px">${both}</p>`,
    `<p style="max-height:0;overflow:hidden">${both}</p>`,
    `<p style="opacity:0.0">${both}</p>`,
    `<p style="visibility:hidden">${both}</p>`,
    `<p style="mso-hide:all">${both}</p>`,
    `<p style="position:absolute;left:-9999px">${both}</p>`,
    `<style>.gone, b { display:none }</style><div class="x gone">${both}</div>`,
    `<style>@media (max-width: 480px) { td.desktop { display: none } }</style><table><tr><td class="desktop">${both}</td></tr></table>`,
    `<style>div[data-h], p[class*="pre"] { display:none }</style><div data-h="1">${both}</div>`,
    `<div style="background:#FFFFFF"><p style="color:white">${plain}</p></div>`,
    `<table bgcolor="#fff"><tr><td><font color="#ffffff">${plain}</font></td></tr></table>`,
    `<p style="clip:rect(1px,1px,1px,1px)">${both}</p>`,
    `<p style="color:rgb(0 0 0 / 0)">${plain}</p>`,
    `<svg><desc>${plain}</desc></svg>`,
    '<a href="https://a.example/?to={{ unsubscribe_url }}">x</a><b hidden>{{ postal_address }}</b>',
    '<a href="{{ unsubscribe_url }}"><img src="s.gif" width="1" height="1"></a><b hidden>{{ postal_address }}</b>',
    `<!--[if mso]>${both}<![endif]-->`,
    `<!--[if !mso]><!-->${both}<!--<![endif]-->`,
    `<![if !mso]>${both}<![endif]>`,
    `<!--[if lt mso 12]>${both}<![endif]--><!--[if !mso]><!-->${both}<!--<![endif]-->`,
    `<template>${both}</template>`,
    `<title>${plain}</title>`,
    `<html><head>${both}</head></html>`.replace(both, `<meta name="x" content="${plain}"><style>${plain}</style>`),
    `<textarea>${plain}</textarea>`,
    `<noframes>${plain}</noframes>`,
    `<p title="${plain}" data-x="${plain}">x</p>`,
    `<img alt="${plain}" src="x">`,
    `<p>x</p ${plain}>`,
    '<a href="{{ unsubscribe_url }}"></a><b hidden>{{ postal_address }}</b>',
    '<a href="{{ unsubscribe_url }}">&nbsp;&zwnj;</a><!--{{ postal_address }}-->',
    '<a href="{{ unsubscribe_url }}" style="display:none">Leave</a>',
    '<link href="{{ unsubscribe_url }}"><img src="{{ unsubscribe_url }}"><form action="{{ unsubscribe_url }}"></form>',
    '{{ unsubscribe_url | slice: 0, 0 }}{{ postal_address | remove: "1 Main Street" | truncate: 1 }}{{ unsubscribe_url | size }}',
  ];

  it.each(hidden)('are added in the HTML: %s', async (source) => {
    const defaults = { vip: true, city: 'a', items: [] };
    const added = await read({ source: `<p>x</p>${source}`, defaults });
    // The footer is the last thing in the part.
    expect(part(added, 'text/html')).toMatch(
      new RegExp(`<a href="${unsubscribeUrl}"[^>]*>Unsubscribe</a></p></td></tr></table>\\s*<img [^>]*>(?:</html>)?$`),
    );
    expect(part(added, 'text/plain')).toMatch(new RegExp(`\nUnsubscribe: ${unsubscribeUrl}\n$`));
    const refused = await renderer.check(content({ source: `<p>x</p>\n${source}`, footer: 'none', defaults }), marketing());
    expect(refused).toContainEqual(expect.objectContaining({ severity: 'error', code: 'footer.missing', part: 'source' }));
    if (!/raw|comment|<p>x<\/p </.test(source))
      expect(refused.find((problem) => problem.code === 'footer.missing')?.line).toBe(2);
  });

  const shown: readonly string[] = [
    both,
    `{% if vip %}${both}{% else %}<p>${both}</p>{% endif %}`,
    `{% case city %}{% when "a" %}${both}{% when "b" %}${both}{% else %}${both}{% endcase %}`,
    `{% if unsubscribe_url %}${both}{% endif %}`,
    `{% if unsubscribe_url != blank %}${both}{% endif %}`,
    `{% assign out = unsubscribe_url %}<a href="{{ out }}">Leave</a> {{ postal_address | escape | newline_to_br }}`,
    `<!--[if mso]>${both}<![endif]--><!--[if !mso]><!-->${both}<!--<![endif]-->`,
    `<div style="display:none">preheader</div><div style="display:block;font-size:11px">${both}</div>`,
    `<html><head><style>.gone { display:none } a:hover { visibility:hidden }</style></head><body><table><tr><td>${both}</td></tr></table></body></html>`,
    `<div hidden>x</div><p hidden>x<p>${both}`,
    `<div style="overflow:hidden;height:auto;max-height:none;opacity:inherit">${both}</div>`,
    `<body bgcolor="#ffffff"><table class="dark"><tr><td style="color:#fff">${both}</td></tr></table></body>`,
    `<div style="background:#fff"><div style="background:#000;color:#fff">${both}</div></div>`,
    `<style>a[x-apple-data-detectors] { opacity: 0 } div[style*="margin: 16px"] { display: none }</style>${both}`,
    '<a href={{ unsubscribe_url }}><img src="x.png" alt="Leave"></a>{{ postal_address }}',
    '<p>{{ unsubscribe_url }}<br>1 Main Street,<br>12345&nbsp;<b>TOWN</b></p>',
  ];

  it.each(shown)('are left alone where everyone sees them: %s', async (source) => {
    const defaults = { vip: true, city: 'a' };
    expect(part(await read({ source, defaults }), 'text/html')).not.toContain('Unsubscribe</a>');
    expect(await renderer.check(content({ source, footer: 'none', defaults }), marketing())).toEqual([]);
  });

  it('are added to a text, given or alone, that shows them to some only', async () => {
    for (const text of [
      `{% if vip %}${plain}{% endif %}`,
      `{% comment %}${plain}{% endcomment %}`,
      '{{ unsubscribe_url | size }}',
    ]) {
      const added = [
        await read({ kind: 'text', source: text, defaults: { vip: true } }),
        await read({ text, defaults: { vip: true } }),
      ];
      for (const given of added) expect(part(given, 'text/plain')).toMatch(new RegExp(`\nUnsubscribe: ${unsubscribeUrl}\n$`));
    }
  });

  it('make the content refused, with the line, where an added footer would not be seen either', async () => {
    for (const [source, line] of [
      ['<p>x</p>\n<!-- never closed', 2],
      ['<p>x</p>\n\n<div style="display:none">never closed', 3],
      ['<p>x</p>\n<style>never closed', 2],
      ['<p>x</p>\n<textarea>', 2],
      ['<p>x</p>\n{% if vip %}{% break %}{% endif %}', 2],
      ['<p>x</p>\n{% continue %}', 2],
    ] as const) {
      expect(await renderer.check(content({ source, defaults: { vip: true } }), marketing()), source).toContainEqual(
        expect.objectContaining({ severity: 'error', code: 'footer.hidden', line }),
      );
    }
    const text = await renderer.check(content({ kind: 'text', source: 'x\n{% break %}' }), marketing());
    expect(text).toMatchObject([{ severity: 'error', code: 'footer.hidden', line: 2 }]);
  });

  it('find the place for a footer where </body> stands in something hidden or in a comment', async () => {
    for (const source of [
      '<html><body><p>x</p>{% if vip %}</body>{% endif %}</html>',
      '<html><body><p>x</p><!-- </body> --></html>',
      '<html><body><p>x</p></body><!--[if mso]></body><![endif]--></html>',
      '<html><body><p>x</p><div style="display:none"></body></div></html>',
    ]) {
      const added = part(await read({ source, defaults: { vip: false } }), 'text/html');
      expect(added, source).toContain('>Unsubscribe</a>');
    }
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

  it('holds what is hidden on certain screens only, and what is cut off at an edge', async () => {
    const source =
      '<style>@media (max-width:600px) { .x { color:red } .wide { display:none } } .off { display:none }</style>' +
      '<p class="wide">Wide</p><p class="off">Off</p><p style="overflow:hidden;height:auto">Cut</p>';
    const { parts } = await read({ source }, transactional());
    expect(parts[0]?.body).toBe('Wide\n\nCut');
  });
});
