import { describe, expect, it } from 'vitest';
import { type Content, type ContentProblem, RenderFailed } from '../../src/domain/campaign/index.ts';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';
import { content, marketing, recipient, transactional } from './support.ts';

const renderer = createRenderer();

async function problems(overrides: Partial<Content>): Promise<readonly ContentProblem[]> {
  return renderer.check(content(overrides), transactional());
}

const mjml = (body: string): string => `<mjml>\n<mj-body>\n${body}\n</mj-body>\n</mjml>`;

describe('markup', () => {
  it('with a link that runs something is an error with its line, in MJML and HTML', async () => {
    for (const target of [
      'javascript:alert(1)',
      ' JaVaScript:x',
      'java&#115;cript:x',
      'data:text/html,x',
      'vbscript:x',
      'file:///etc/passwd',
    ]) {
      expect(await problems({ source: `<p>\n<a href="${target}">x</a></p>` }), target).toMatchObject([
        { severity: 'error', code: 'link.unsafe', line: 2 },
      ]);
      const source = mjml(`<mj-section><mj-column>\n<mj-button href="${target}">x</mj-button></mj-column></mj-section>`);
      expect(await problems({ kind: 'mjml', source }), target).toMatchObject([{ code: 'link.unsafe', line: 4 }]);
    }
  });

  it('with a script in any disguise is an error with its line', async () => {
    for (const markup of [
      '<a href="java\tscript:x">x</a>',
      '<a href="java&NewLine;script&colon;x">x</a>',
      '<a href=" \u0001JAVASCRIPT:x">x</a>',
      '<a href=javascript:x>x</a>',
      "<a href='&#x6A;avascript&#58;x'>x</a>",
      '<a href="javascript:{{ message_id }}">x</a>',
      '<a {% if message_id %}href="https://a.example"{% else %}href="javascript:x"{% endif %}>x</a>',
      '<!--[if !mso]><!--><a href="javascript:x">x</a><!--<![endif]-->',
      '<!--[if mso]><a href="javascript:x">x</a><![endif]-->',
      '<![if !mso]><a href="vbscript:x">x</a><![endif]>',
      '<!--><a href="javascript:x">x</a><!-- -->',
      '<area href="data:text/html,x">',
      '<form action="javascript:x"></form>',
      '<button formaction="javascript:x">x</button>',
      '<svg><a xlink:href="javascript:x">x</a></svg>',
      '<img src="javascript:x">',
      '<body background="vbscript:x">',
      '<meta http-equiv="refresh" content="0; url=javascript:x">',
      '<link href="javascript:x">',
    ]) {
      expect(await problems({ source: `<p>\n${markup}</p>` }), markup).toContainEqual(
        expect.objectContaining({ severity: 'error', code: 'link.unsafe', line: 2 }),
      );
    }
    for (const markup of [
      '<!--[if !mso]><!--><script>x</script><!--<![endif]-->',
      '<!--><iframe></iframe><!-- -->',
      '<svg><script>x</script></svg>',
    ])
      expect(await problems({ source: `<p>\n${markup}</p>` }), markup).toMatchObject([{ code: 'html.unsafe', line: 2 }]);
    const hidden = '<a href="java{{ message_id | slice: 0, 0 }}script:alert(1)">x</a>';
    const plan = await renderer.compile(content({ source: hidden }), transactional());
    expect(() => plan.compose(recipient())).toThrow(RenderFailed);
    const attributes =
      '<mj-html-attributes><mj-selector path="a"><mj-html-attribute name="href">javascript:x</mj-html-attribute></mj-selector></mj-html-attributes>';
    const source = mjml(
      '<mj-section><mj-column><mj-text><a class="a" href="https://a.example">x</a></mj-text></mj-column></mj-section>',
    );
    expect(
      await problems({ kind: 'mjml', source: source.replace('<mj-body>', `<mj-head>${attributes}</mj-head><mj-body>`) }),
    ).toMatchObject([{ code: 'link.unsafe' }]);
  });

  it('with an address that cannot be sent is an error with its line, before anything is tracked', async () => {
    for (const target of [
      'https://bank.example@evil.example/',
      'https://user:{{ message_id }}@example.com/',
      'https://exa mple.com/',
      'https://example.com:99999/',
      'https://example.com:80x/{{ message_id }}',
      'https://%zz/',
      'https:///x',
      'https:/example.com',
      'https://example.com\\x',
      'https://a..b\u3000/',
      'https://[::1/',
    ]) {
      const found = [{ severity: 'error', code: 'link.invalid', line: 2 }];
      expect(await problems({ source: `<p>\n<a href="${target}">x</a></p>` }), target).toMatchObject(found);
      expect(await renderer.check(content({ source: `<p>\n<a href="${target}">x</a></p>` }), marketing())).toMatchObject(found);
    }
    for (const target of [
      'http://example.com/',
      'https://bücher.example/straße',
      'https://example.com/a b',
      'https://example.com/%zz',
      'https://{{ message_id }}:80/x',
      'https://{{ message_id }}.example.com',
      '{% if message_id %}https://a.example{% endif %}',
      '#top',
      '{{ unsubscribe_url }}',
    ]) {
      const found = await problems({ source: `<a href="${target}">x</a>` });
      // A trial knows no values, and says so.
      expect(
        found.filter((problem) => problem.code !== 'template.trial_failed'),
        target,
      ).toEqual([]);
    }
  });

  it('with an address that leads nowhere in a mail gets a warning', async () => {
    const source =
      '<a href="">1</a>\n<a href="//example.com/x">2</a>\n<a href="www.example.com">3</a>\n<a href="/a/{{ message_id }}">4</a><a href=x{% if message_id %}y{% endif %}>5</a>';
    expect(await problems({ source })).toMatchObject([
      { severity: 'warning', code: 'link.empty', line: 1 },
      { severity: 'warning', code: 'link.relative', line: 2, message: expect.stringContaining('https:') },
      { severity: 'warning', code: 'link.relative', line: 3 },
      { severity: 'warning', code: 'link.relative', line: 4 },
      { severity: 'error', code: 'link.unquoted_liquid', line: 4 },
      { severity: 'warning', code: 'link.relative', line: 4 },
    ]);
  });

  it('with relative links in a navigation bar that has a base is fine', async () => {
    const bar = (base: string, href: string): string =>
      mjml(
        `<mj-section><mj-column><mj-navbar${base}><mj-navbar-link href="${href}">x</mj-navbar-link></mj-navbar></mj-column></mj-section>`,
      );
    expect(await problems({ kind: 'mjml', source: bar(' base-url="https://a.example"', '/x') })).toEqual([]);
    expect(await problems({ kind: 'mjml', source: bar('', '/x') })).toMatchObject([{ code: 'link.relative', line: 3 }]);
    expect(await problems({ kind: 'mjml', source: bar(' base-url="java"', 'script:x') })).toMatchObject([
      { code: 'link.unsafe', line: 3 },
    ]);
  });

  it('that never ends gets a warning with its line', async () => {
    expect(await problems({ source: '<p>x</p>\n<!-- x' })).toMatchObject([{ code: 'html.unfinished', line: 2 }]);
    expect(await problems({ source: '<p>x</p>\n<p title="x>y</p>' })).toMatchObject([{ code: 'html.unfinished', line: 2 }]);
  });

  it('with scripts or frames is an error, with JSON-LD it is not', async () => {
    expect(await problems({ source: '<p>\n<script>x</script></p>' })).toMatchObject([
      { severity: 'error', code: 'html.unsafe', line: 2 },
    ]);
    expect(await problems({ source: '<iframe src="https://example.com"></iframe>' })).toMatchObject([{ code: 'html.unsafe' }]);
    expect(await problems({ source: '<script type="application/ld+json">{}</script>' })).toEqual([]);
  });

  it('with a relative link, a form, a raw value or more than 102 kB gets a warning', async () => {
    const source = `<a href="/shop">x</a><form action="https://example.com"></form>{{ a | raw }}${'x'.repeat(105_000)}`;
    expect((await problems({ source, defaults: { a: '' } })).map((problem) => [problem.severity, problem.code])).toEqual([
      ['warning', 'template.raw_output'],
      ['warning', 'link.relative'],
      ['warning', 'html.form'],
      ['warning', 'html.clipped'],
    ]);
  });
});
