import { describe, expect, it } from 'vitest';
import { RenderFailed } from '../../src/domain/campaign/index.ts';
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

describe('the open pixel', () => {
  it('stands before </body>, once, and only where it is wanted', async () => {
    const source = '<html><body><p>x</p></body></html>';
    const html = part(composed(await renderer.compile(content({ source }), marketing()), recipient()), 'text/html');
    expect(html.split('/o/').length).toBe(2);
    expect(html).toMatch(/\/o\/Op+" width="1" height="1"[^>]*\/><\/body><\/html>$/);
    expect(part(composed(await renderer.compile(content({ source }), transactional()), recipient()), 'text/html')).toBe(source);
  });
});
