import { describe, expect, it } from 'vitest';
import { type Content, RenderFailed } from '../../src/domain/campaign/index.ts';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';
import { composed, content, linkToken, marketing, part, recipient, transactional } from './support.ts';

const renderer = createRenderer();
const { clickToken, openToken } = recipient();
const tracked = (index: number, target: string): string => `https://t.example.com/c/${clickToken}/${linkToken(index, target)}`;

describe('a link', () => {
  it('is replaced once per target, in both parts, entities decoded', async () => {
    const source =
      '<a href="https://example.com/a?b=1&amp;c=2">One</a> <a href=https://example.com/z>Two</a> <area href=\'https://example.com/z\'>';
    const plan = await renderer.compile(content({ source }), marketing());
    const read = composed(plan, recipient());
    expect(plan.links).toEqual([
      { index: 0, target: 'https://example.com/a?b=1&c=2' },
      { index: 1, target: 'https://example.com/z' },
    ]);
    const html = part(read, 'text/html');
    expect(html).toContain(`<a href="${tracked(0, 'https://example.com/a?b=1&c=2')}">One</a>`);
    expect(html).toContain(
      `<a href="${tracked(1, 'https://example.com/z')}">Two</a> <area href="${tracked(1, 'https://example.com/z')}">`,
    );
    expect(part(read, 'text/plain')).toContain(
      `One [${tracked(0, 'https://example.com/a?b=1&c=2')}] Two [${tracked(1, 'https://example.com/z')}]`,
    );
  });

  it("in Outlook's conditional comments is replaced too; style sheets, comments and scripts of data are not", async () => {
    const source =
      '<link href="https://fonts.example.com/a.css"><!-- <a href="https://example.com/no">x</a> -->' +
      '<!--[if mso]><v:roundrect href="https://example.com/button"></v:roundrect><![endif]-->';
    const plan = await renderer.compile(content({ source }), marketing());
    expect(plan.links.map((link) => link.target)).toEqual(['https://example.com/button']);
  });

  it('stays as written for mail, telephone, anchors, unsubscribe and where it is opted out', async () => {
    const source = [
      '<a href="mailto:a@example.com">m</a>',
      '<a href="tel:+43123">t</a>',
      '<a href="#top">h</a>',
      '<a href="{{ unsubscribe_url }}">u</a>',
      '<a data-pennypost-track="off" href="https://example.com/plain?a=1&amp;b=2">p</a>',
    ].join('');
    const plan = await renderer.compile(content({ source }), marketing());
    expect(plan.links).toEqual([]);
    const html = part(composed(plan, recipient()), 'text/html');
    expect(html).toContain('href="mailto:a@example.com"');
    expect(html).toContain('href="#top"');
    expect(html).toContain(`href="${recipient().unsubscribeUrl}"`);
    expect(html).toContain('href="https://example.com/plain?a=1&amp;b=2"');
    expect(part(composed(plan, recipient()), 'text/plain')).toContain('p [https://example.com/plain?a=1&b=2]');
  });

  it('with merge values is made per message, in loops and after assign as well', async () => {
    const source =
      '{% assign base = "https://shop.example" %}<a href="{{ base }}/{{ city | url_encode }}">1</a>' +
      '{% for item in items %}<a href="{{ item.url }}">{{ item.name }}</a>{% endfor %}' +
      '<a href="https://example.com/?q={{ city | url_encode }}&amp;r=1">2</a><a href="{% if vip %}https://vip.example/{% else %}https://all.example/{% endif %}">3</a>';
    const plan = await renderer.compile(content({ source, defaults: { city: 'Rome', items: [], vip: false } }), marketing());
    const variables = { city: 'São Paulo', items: [{ url: 'https://shop.example/7', name: 'Seven' }], vip: true };
    const html = part(composed(plan, recipient({ variables })), 'text/html');
    expect(html).toContain(tracked(0, 'https://shop.example/S%C3%A3o+Paulo'));
    expect(html).toContain(`${tracked(1, 'https://shop.example/7')}">Seven`);
    expect(html).toContain(tracked(2, 'https://example.com/?q=S%C3%A3o+Paulo&r=1'));
    expect(html).toContain(tracked(3, 'https://vip.example/'));
    const again = part(composed(plan, recipient()), 'text/html');
    expect(again).toContain(tracked(2, 'https://example.com/?q=Rome&r=1'));
    expect(again).toContain(tracked(3, 'https://all.example/'));
  });

  it('is read as browsers read it: unquoted, in one or other case, with references, in what only some see', async () => {
    const source =
      '<A HREF=https://a.example/3?x=1&y=2>1</A><a\nhref = \'https://a.example/&quot;"\'>2</a><a href="https://a.example/caf&eacute;?a=1&percnt;20">3</a>' +
      '<a href=https://a.example/4/>4</a><!--[if !mso]><!--><a href="https://a.example/5">5</a><!--<![endif]--><![if !mso]><a href="https://a.example/6">6</a><![endif]>' +
      '<!--><a href="https://a.example/7">7</a><!-- <a href="https://no.example">no</a> --!><a title=">" href="https://a.example/8" href="https://no.example">8</a>' +
      '<a href="https://a.example/?a=1&copy=2&amp;b">9</a><a href=" https://a.example/\n10 ">10</a>';
    const plan = await renderer.compile(content({ source }), marketing());
    const targets = ['3?x=1&y=2', '""', 'café?a=1%20', '4/', '5', '6', '7', '8', '?a=1&copy=2&b', '\n10'];
    expect(plan.links.map((link) => link.target)).toEqual(targets.map((target) => `https://a.example/${target}`));
    const html = part(composed(plan, recipient()), 'text/html');
    expect(html).toContain(`<A HREF="${tracked(0, 'https://a.example/3?x=1&y=2')}">1</A>`);
    expect(html).toContain(tracked(1, 'https://a.example/%22%22'));
    expect(html).toContain(tracked(2, 'https://a.example/caf%C3%A9?a=1%20'));
    expect(html).toContain(tracked(9, 'https://a.example/10'));
    expect(html).toContain('<!-- <a href="https://no.example">no</a> --!>');
  });

  it('in either branch of a condition is replaced, wherever the condition stands', async () => {
    const source =
      '<a {% if vip %}href="https://vip.example"{% else %}href="https://all.example"{% endif %} class=x>1</a>' +
      '<a href="https://a.example/{% if vip %}vip{% else %}all{% endif %}?b=1&amp;c">2</a>';
    const plan = await renderer.compile(content({ source, defaults: { vip: false } }), marketing());
    for (const [vip, first, second] of [
      [true, tracked(0, 'https://vip.example'), tracked(2, 'https://a.example/vip?b=1&c')],
      [false, tracked(1, 'https://all.example'), tracked(2, 'https://a.example/all?b=1&c')],
    ] as const) {
      const html = part(composed(plan, recipient({ variables: { vip } })), 'text/html');
      expect(html).toContain(`<a href="${first}" class=x>1</a><a href="${second}">2</a>`);
    }
  });

  it('leads to the address as it was written where that is valid', async () => {
    for (const target of ['https://example.com', "https://example.com/it's", 'HTTP://Example.com:80/a/../b?q=%zz|{x}#y']) {
      const plan = await renderer.compile(content({ source: `<a href="${target}">x</a>` }), marketing());
      expect(part(composed(plan, recipient()), 'text/html')).toContain(tracked(0, target));
      const dynamic = await renderer.compile(
        content({ source: '<a href="{{ url }}">x</a>', defaults: { url: target } }),
        marketing(),
      );
      expect(part(composed(dynamic, recipient()), 'text/html')).toContain(tracked(0, target));
    }
  });

  it('that a value turns into something else fails this message, tracked or not', async () => {
    for (const context of [marketing(), transactional()]) {
      const plan = await renderer.compile(
        content({ source: '<a href="{{ url }}">x</a>', defaults: { url: 'https://example.com/' } }),
        context,
      );
      for (const url of [
        'javascript:alert(1)',
        'JaVaScRiPt:x',
        'data:text/html,x',
        '//evil.example',
        'https:\\\\evil',
        'https://bank.example@evil.example/',
        'ftp://x.example',
        'x',
      ]) {
        expect(() => plan.compose(recipient({ variables: { url } })), url).toThrow(RenderFailed);
        expect(() => plan.render(recipient({ variables: { url } })), url).toThrow(RenderFailed);
      }
      expect(part(composed(plan, recipient({ variables: { url: 'mailto:a@example.com' } })), 'text/html')).toContain(
        'href="mailto:a@example.com"',
      );
    }
  });

  it('is normalised before it is signed', async () => {
    const plan = await renderer.compile(
      content({ source: '<a href="{{ url }}">x</a>', defaults: { url: 'https://example.com/' } }),
      marketing(),
    );
    const html = part(composed(plan, recipient({ variables: { url: 'http://bücher.example/a b\r\nLocation: x' } })), 'text/html');
    expect(html).toContain(tracked(0, 'http://xn--bcher-kva.example/a%20bLocation:%20x'));
  });

  it('in a given text part is found bare, without the full stop behind it', async () => {
    const text = 'See https://example.com/a. Or (https://example.com/b_(c)), or <https://example.com/{{ city }}>!';
    const plan = await renderer.compile(content({ text, defaults: { city: 'x' } }), marketing());
    expect(plan.links.map((link) => link.target)).toEqual([
      'https://example.com/a',
      'https://example.com/b_(c)',
      'https://example.com/{{ city }}',
    ]);
    const read = part(composed(plan, recipient()), 'text/plain');
    expect(read).toContain(
      `See ${tracked(0, 'https://example.com/a')}. Or (${tracked(1, 'https://example.com/b_(c)')}), or <${tracked(2, 'https://example.com/x')}>!`,
    );
  });

  it('stays as written where clicks are not tracked; the pixel goes its own way', async () => {
    const tracking = { baseUrl: 'https://t.example.com', linkToken, openPixel: true, clicks: false };
    const plan = await renderer.compile(
      content({ source: '<a href="https://example.com/a?b&amp;c">x</a>' }),
      marketing({ tracking }),
    );
    const html = part(composed(plan, recipient()), 'text/html');
    expect(html).toContain('href="https://example.com/a?b&amp;c"');
    expect(html).toContain(`src="https://t.example.com/o/${openToken}"`);
  });

  it('inside {% raw %} and captured text is tracked, in a Liquid comment it is nothing', async () => {
    const source =
      '{% raw %}<a href="https://example.com/{{x}}">r</a>{% endraw %}{% capture c %}<a href="https://example.com/c">c</a>{% endcapture %}{{ c | raw }}' +
      '{% comment %}<a href="https://example.com/gone">g</a>{% endcomment %}';
    const plan = await renderer.compile(content({ source }), marketing());
    expect(plan.links.map((link) => link.target)).toEqual(['https://example.com/{{x}}', 'https://example.com/c']);
    expect(part(composed(plan, recipient()), 'text/html')).toContain(tracked(1, 'https://example.com/c'));
  });

  it('of a component is opted out by an attribute that MJML does not know', async () => {
    const source =
      '<mjml><mj-body><mj-section><mj-column><mj-button data-pennypost-track="off" href="https://example.com/off">x</mj-button>' +
      '<mj-button href="https://example.com/on">y</mj-button></mj-column></mj-section></mj-body></mjml>';
    const plan = await renderer.compile(content({ kind: 'mjml', source }), marketing());
    expect(plan.links.map((link) => link.target)).toEqual(['https://example.com/on']);
  });
});

/** Targets by their place in the text part, everything else as it stands. */
async function textOf(overrides: Partial<Content>): Promise<string> {
  const plan = await renderer.compile(content(overrides), transactional({ tracking: marketing().tracking }));
  return part(composed(plan, recipient()), 'text/plain').replace(
    /https:\/\/t\.example\.com\/c\/\w+\/L\d+\.([\w-]+)/g,
    (_, target: string) => `<${Buffer.from(target, 'base64url').toString()}>`,
  );
}

describe('a bare URL in a text', () => {
  it.each([
    ['„https://example.com/angebot“', '„<https://example.com/angebot>“'],
    ['«https://example.com»', '«<https://example.com>»'],
    ['“https://example.com/a”, ‘https://example.com/b’', '“<https://example.com/a>”, ‘<https://example.com/b>’'],
    ['»https://example.com« ›https://example.com‹', '»<https://example.com>« ›<https://example.com>‹'],
    ['「https://example.com/」。『https://example.com』', '「<https://example.com/>」。『<https://example.com>』'],
    ['（https://example.com/a）、https://example.com/b！', '（<https://example.com/a>）、<https://example.com/b>！'],
    ['"https://example.com/a" \'https://example.com/b\'', '"<https://example.com/a>" \'<https://example.com/b>\''],
    ['https://example.com/a… https://example.com/b...', '<https://example.com/a>… <https://example.com/b>...'],
    ['https://example.com’s https://example.com—new', '<https://example.com>’s <https://example.com>—new'],
    ['https://example.comを見て https://例え.jp/パス', '<https://example.com>を見て <https://xn--r8jz45g.jp/%E3%83%91%E3%82%B9>'],
    ['(https://example.com/a_(b)) [https://example.com/c]', '(<https://example.com/a_(b)>) [<https://example.com/c>]'],
    ['[text](https://example.com/a) [https://example.com/b](x)', '[text](<https://example.com/a>) [<https://example.com/b>](x)'],
    ['[url]https://example.com/a[/url]', '[url]<https://example.com/a>[/url]'],
    [
      '**https://example.com/a** *https://example.com/b* ~~https://example.com/c~~',
      '**<https://example.com/a>** *<https://example.com/b>* ~~<https://example.com/c>~~',
    ],
    ['_see https://example.com/a_ https://example.com/ann_', '_see <https://example.com/a> _ <https://example.com/ann> _'],
    ['https://example.com/ann_ https://example.com/b·', '<https://example.com/ann_> <https://example.com/b>·'],
    ['|https://example.com/a|https://example.com/b|', '|<https://example.com/a>|<https://example.com/b>|'],
    ['https://a.example,https://b.example;https://c.example', '<https://a.example>,<https://b.example>;<https://c.example>'],
    ['https://example.com/?a[]=1&b[c]=2|3', '<https://example.com/?a[]=1&b[c]=2|3>'],
    ['https://web.archive.org/web/1/https://example.com/', '<https://web.archive.org/web/1/https://example.com/>'],
    ['<https://example.com/a>. `https://example.com/b`', '<<https://example.com/a>>. `<https://example.com/b>`'],
    ['https://example.com/a\u200bx https://example.com\u00a0y', '<https://example.com/a>\u200bx <https://example.com>\u00a0y'],
    [
      'https://user:pw@example.com/ https://example.com:99999/ https://',
      'https://user:pw@example.com/ https://example.com:99999/ https://',
    ],
    ['{% if a %}https://example.com/a{% endif %}.', '<https://example.com/a>.'],
    ['{% if a %}https://example.com/a{% else %}https://example.com/b{% endif %}', '<https://example.com/a>'],
    ['https://example.com/{% if a %}b{% else %}c{% endif %}/d', '<https://example.com/b/d>'],
    // Half of an address must not be replaced.
    ['{% if a %}https://example.com/a{% else %}https://example.com/b{% endif %}?c=1', 'https://example.com/a?c=1'],
    ['{% if a %}{% if a %}https://example.com/a{% endif %}{% endif %}/b', 'https://example.com/a/b'],
  ])('%s', async (source, read) => {
    expect((await textOf({ kind: 'text', source, defaults: { a: true } })).trim()).toBe(read);
  });

  it.each([
    ['„https://example.com/angebot“ «https://example.com»', '„<https://example.com/angebot>“ «<https://example.com>»'],
    [
      'https://example.com/a… https://example.com/ann_ www.example.com/b”',
      '<https://example.com/a>… <https://example.com/ann_> www.example.com/b [<http://www.example.com/b>]”',
    ],
    [
      '{% if true %}https://example.com/a{% endif %} https://example.com/{% if true %}b{% endif %}/c',
      '<https://example.com/a> https://example.com/b/c',
    ],
  ])('ends in Markdown as in plain text: %s', async (source, expected) => {
    expect(await textOf({ kind: 'markdown', source })).toBe(expected);
  });

  it('stays whole, however long it is: tracked up to 4,000 octets, as it is beyond', async () => {
    const [long, longest] = [`https://example.com/${'a'.repeat(3_500)}`, `https://example.com/${'b'.repeat(4_500)}`];
    expect(await textOf({ kind: 'text', source: `1 ${long} 2 ${longest} 3` })).toBe(`1 <${long}> 2 ${longest} 3\n`);
    const html = `<a href="${long}">1</a> <a href="${longest}">2</a> <a href="{{ url }}">3</a>`;
    expect(await textOf({ source: html, defaults: { url: `${longest}c` } })).toBe(`1 [<${long}>] 2 [${longest}] 3 [${longest}c]`);
  });
});

describe('the text part made from HTML', () => {
  it('separates cells and rows, and every link stands alone', async () => {
    const source =
      '<table><tr><td>Shampoo</td><td>2</td><td>$10.00</td></tr><tr><th>Soap</th><td>1</td><td>$5.00</td></tr></table>' +
      '<table><tr><td><a href="https://a.example/Jg"><img src="1"></a></td><td><a href="http://b.example/"><img src="2"></a></td></tr></table>' +
      '<a href="https://c.example"><img src="3"></a><a href="https://d.example"><img alt="D"></a>after <area href="https://e.example" alt="E">';
    expect(await textOf({ source })).toBe(
      'Shampoo  2  $10.00\nSoap  1  $5.00\n\n[<https://a.example/Jg>]  [<http://b.example/>]\n\n' +
        '[<https://c.example>] D [<https://d.example>] after E [<https://e.example>]',
    );
  });

  it('has a line for what stands on one in HTML: blocks of every name, and what a style makes a block', async () => {
    const source =
      '<center>Head</center>in<dl><dt>Term</dt><dd>Meaning</dd></dl><figure><img alt="Cat"><figcaption>A cat</figcaption></figure>' +
      '<span style="color:red; DISPLAY: block">One</span><a style="display:block" href="https://a.example">Two</a>Three';
    expect(await textOf({ source })).toBe('Head\nin\nTerm\nMeaning\nCat\nA cat\nOne\nTwo [<https://a.example>]\nThree');
  });

  it('leaves out the links of what is left out', async () => {
    const source =
      '<!--[if mso]><v:rect href="https://a.example"><center>Buy</center></v:rect><![endif]--><p style="display:none"><a href="https://b.example">Hidden</a></p>' +
      '<!--[if !mso]><!--><a href="https://a.example">Buy</a><!--<![endif]-->';
    expect(await textOf({ source })).toBe('Buy [<https://a.example>]');
  });

  it('has what MJML puts into sections, whose own letters have no size', async () => {
    const source =
      '<mjml><mj-body><mj-section><mj-column><mj-text>Hello, <a href="https://a.example">look</a>.</mj-text></mj-column></mj-section></mj-body></mjml>';
    expect(await textOf({ kind: 'mjml', source })).toBe('Hello, look [<https://a.example>].');
  });

  it('keeps the Liquid of a table where it belongs', async () => {
    const source =
      '<table>{% for i in items %}<tr><td>{{ i.n }}</td>{% if i.u %}<td><a href="{{ i.u }}">go</a></td>{% endif %}</tr>{% endfor %}</table>';
    const items = [{ n: 'A', u: 'https://a.example' }, { n: 'B' }];
    expect((await textOf({ source, defaults: { items } })).replace(/\n+/g, '\n').trim()).toBe('A  go [<https://a.example>]\nB');
  });

  it('shows a mail address or number once, and says where other links lead', async () => {
    const source =
      '<a href="mailto:a@b.example">a@b.example</a>, <a href="MAILTO:A@b.example?subject=Hi">a@b.example</a>, <a href="tel:+43%20123">+43 123</a>, ' +
      '<a href="mailto:a@b.example">Write</a>, <a href="webcal://c.example/x.ics">Calendar</a>, <a href="#top">Top</a>';
    expect(await textOf({ source })).toBe(
      'a@b.example, a@b.example, +43 123, Write [a@b.example], Calendar [webcal://c.example/x.ics], Top',
    );
  });

  it('has the same link targets as the HTML, whatever surrounds them', async () => {
    const source =
      '<!--[if !mso]><!--><a href="https://a.example">a</a><!--<![endif]--><!--><a href=https://b.example/?x=1&y=2>b</a><!-- -->' +
      '<svg><style><a xlink:href="#"></style></svg><p title="<a href=\'https://no.example\'>">https://bare.example</p>' +
      '<a href="https://c.example/"><b>https://c.example/</b></a><textarea><a href="https://no.example">x</a></textarea>';
    const plan = await renderer.compile(content({ source }), marketing());
    const targets = ['https://a.example', 'https://b.example/?x=1&y=2', 'https://c.example/'];
    expect(plan.links.map((link) => link.target)).toEqual(targets);
    const text = await textOf({ source });
    expect([...text.matchAll(/<(.*?)>/g)].map((match) => match[1])).toEqual(targets);
    expect(text).toContain('https://bare.example');
  });
});

describe('a link to an app', () => {
  it.each([
    'webcal://a.example/x.ics',
    'whatsapp://send?text=Hi',
    'skype:echo123?call',
    'geo:48.2,16.4',
    'facetime:a@b.example',
    'sms:+43?body=x',
    'tg://resolve?domain=x',
    'fb://page/1',
  ])('%s is sent as written, without a warning', async (target) => {
    const source = `<p>x</p>\n<a href="${target}">x</a>`;
    expect(await renderer.check(content({ source }), transactional())).toEqual([]);
    const plan = await renderer.compile(content({ source }), marketing());
    expect(plan.links).toEqual([]);
    expect(part(composed(plan, recipient()), 'text/html')).toContain(`href="${target}"`);
  });

  it('of an unknown scheme is sent as written too, with a warning that names the line', async () => {
    const source = '<p>x</p>\n<a href="myshop://cart/7">x</a>';
    expect(await renderer.check(content({ source }), transactional())).toMatchObject([
      { severity: 'warning', code: 'link.unknown_scheme', line: 2, message: expect.stringContaining('myshop:') },
    ]);
    const plan = await renderer.compile(content({ source }), marketing());
    expect(part(composed(plan, recipient()), 'text/html')).toContain('href="myshop://cart/7"');
  });
});

describe('the opt-out attribute', () => {
  it('is not delivered, on whatever element it stands', async () => {
    const source =
      '<table data-pennypost-track="off"><tr><td><a data-pennypost-track=off href="https://a.example">a</a> <a class="x" data-pennypost-track="yes" href="https://b.example">b</a>' +
      '<a href="mailto:a@b.example" DATA-PENNYPOST-TRACK>c</a></td></tr></table>';
    const plan = await renderer.compile(content({ source }), marketing());
    const html = part(composed(plan, recipient()), 'text/html');
    expect(html).not.toMatch(/data-pennypost/i);
    expect(html).toContain('<a href="https://a.example">a</a> <a class="x" href="https://t.example.com/c/');
    expect(html).toContain('<a href="mailto:a@b.example">c</a>');
  });
});

describe('the open pixel', () => {
  it('stands before </body>, once, and only where it is wanted', async () => {
    const source = '<html><body><p>x</p></body></html>';
    const html = part(composed(await renderer.compile(content({ source }), marketing()), recipient()), 'text/html');
    expect(html.split('/o/').length).toBe(2);
    expect(html).toMatch(/\/o\/Op+" width="1" height="1"[^>]*\/><\/body><\/html>$/);
    expect(part(composed(await renderer.compile(content({ source }), transactional()), recipient()), 'text/html')).toBe(source);
  });
});
