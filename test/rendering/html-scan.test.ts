import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { type DefaultTreeAdapterTypes, parse } from 'parse5';
import { chromium } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { scanHtml } from '../../src/infrastructure/rendering/html-scan.ts';
import { LinkBook, placeHtmlLinks } from '../../src/infrastructure/rendering/links.ts';
import { createEngine } from '../../src/infrastructure/rendering/liquid.ts';

const engine = createEngine('text');
const CHROMIUM = '/usr/bin/chromium';

/** Element names, attributes and texts of a document, in order. */
type Reading = (string | readonly [name: string, value: string])[];

/** What a browser makes of HTML; comments that only Outlook reads are left out, since links in them are replaced too. */
function treeOf(html: string): Reading {
  const reading: Reading = [];
  const visit = (node: DefaultTreeAdapterTypes.Node): void => {
    if ('tagName' in node) {
      reading.push(`<${node.tagName}`);
      for (const { name, prefix, value } of node.attrs)
        if (name !== 'data-pennypost-track') reading.push([prefix ? `${prefix}:${name}` : name, value]);
    }
    if (node.nodeName === '#text' && 'value' in node) reading.push(node.value);
    if (node.nodeName === '#comment' && 'data' in node && !/^\[if\b/i.test(node.data)) reading.push(`<!--${node.data}`);
    if ('childNodes' in node) for (const child of node.childNodes) visit(child);
    if (node.nodeName === 'template' && 'content' in node) visit(node.content);
    if ('tagName' in node) reading.push('>');
  };
  // Mail programs run no scripts.
  visit(parse(html, { scriptingEnabled: false }));
  return reading;
}

const url = fc.constantFrom(
  'https://a.example/3?x=1&y=2',
  'https://a.example/?a=1&amp;b=2',
  'https://a.example/caf&eacute;?a=1&percnt;20',
  'https://a.example/?a=1&copy=2&copy;&notit;&#x26;&#38b&ampc&lt',
  ' https://a.example/\n\tb ',
  'HTTPS://A.example',
  'https://a.example/=a=b',
  "https://a.example/it's",
  'https://a.example/a`b',
  'mailto:a@b.example?subject=1&amp;2',
  '#top',
  '/relative?a=b',
  'java&#115;cript:x',
  '',
);
const quoted = fc.tuple(url, fc.constantFrom('"', "'", '')).map(([value, mark]) => {
  if (mark === '') return value.replace(/[\s'"`]/g, '') || 'x';
  return `${mark}${value.replaceAll(mark, '&#39;')}${mark}`;
});
const attribute = fc
  .tuple(
    fc.constantFrom('href', 'HREF', 'Href', 'title', 'class', 'data-pennypost-track', 'xlink:href', '=href', 'a"b', 'alt<'),
    fc.constantFrom('=', ' = ', '\n=\t', '= '),
    fc.oneof(quoted, fc.constantFrom('""', "''", '">"', "'<a href=x>'", 'a/b', 'off')),
  )
  .map(([name, equals, value]) => `${name}${equals}${value}`);
const attributes = fc.array(
  fc.oneof({ weight: 5, arbitrary: attribute }, fc.constantFrom('disabled', '/', '"', "'", '=', 'href')),
  {
    maxLength: 4,
  },
);
const tag = fc
  .tuple(
    fc.constantFrom('a', 'A', 'area', 'p', 'td', 'b', 'div', 'v:roundrect', 'img', 'link', 'table', 'tr', 'svg', 'math'),
    attributes,
    fc.constantFrom('', ' ', '/', ' /', '\n'),
  )
  .map(([name, all, end]) => `<${[name, ...all].join(' ')}${end}>`);
const piece = fc.oneof(
  { weight: 6, arbitrary: tag },
  fc.constantFrom('</a>', '</A >', '</p>', '</div>', '</td>', '</svg>', '</math>', '</table>', '</', '<', '<!', '<?php x?>'),
  fc.constantFrom('text', ' ', '&amp;', '&copy', '<3', 'a < b', '\n', '"', '>'),
  fc.constantFrom('<!-->', '<!--->', '<!-- a --!>', '<!-- <a href=https://no.example> -->', '<!---->', '<!--a--', '--!>', '-->'),
  fc.constantFrom('<!--[if !mso]><!-->', '<!--<![endif]-->', '<![if !mso]>', '<![endif]>', '<!--[if mso]>', '<![endif]-->'),
  fc.constantFrom(
    '<style>',
    '</style>',
    '<textarea>',
    '</textarea>',
    '<title>',
    '</title>',
    '<script>',
    '</script>',
    '<xmp>',
    '</xmp>',
  ),
  fc.constantFrom('<![CDATA[ <a href="https://c.example"> ]]>', '<noscript>', '</noscript>', '<template>', '</template>'),
);
const documents = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(''));

/** The HTML with every link tag replaced by an address that tells which link it was. */
function rewritten(html: string): { readonly html: string; readonly targets: readonly string[] } {
  const book = new LinkBook();
  const placed = placeHtmlLinks(engine, html, book);
  return {
    html: placed.replace(/\{% pennypost_link (\d+) %\}/g, 'https://t.example/$1'),
    targets: book.slots.map((slot) => slot.target),
  };
}

/** The original reading with every target that was replaced read as its link. */
function expected(original: Reading, changed: Reading, targets: readonly string[]): Reading {
  return original.map((item, index) => {
    const other = changed[index];
    if (typeof item === 'string' || typeof other === 'string' || item[0] !== 'href') return item;
    const link = /^https:\/\/t\.example\/(\d+)$/.exec(other?.[1] ?? '')?.[1];
    return link !== undefined && targets[Number(link)] === item[1].trim() ? ['href', other?.[1] ?? ''] : item;
  });
}

describe('HTML with its links replaced', () => {
  it('is read by browsers as the same document, but for the targets', () => {
    fc.assert(
      fc.property(documents, (html) => {
        const changed = rewritten(html);
        const [before, after] = [treeOf(html), treeOf(changed.html)];
        expect(after).toEqual(expected(before, after, changed.targets));
      }),
      { numRuns: 400 },
    );
  });

  it('has every web address of a clickable element replaced', () => {
    const wanted = (reading: Reading): string[] => {
      let name = '';
      return reading.flatMap((item) => {
        if (typeof item === 'string') {
          if (item.startsWith('<')) name = item.slice(1);
          return [];
        }
        return item[0] === 'href' && /^(?:a|area|v:.*)$/.test(name) && /^\s*https:\/\/a\.example/i.test(item[1]) ? [item[1]] : [];
      });
    };
    fc.assert(
      fc.property(documents, (html) => {
        expect(wanted(treeOf(rewritten(html).html))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('keeps its Liquid byte for byte, wherever that stands', () => {
    const liquid = fc.constantFrom(
      '{{ a }}',
      '{{- "x>y" | append: \'"\' -}}',
      '{% if a == "<b>" %}',
      '{% else %}',
      '{% endif %}',
      '{% comment %}<a href="https://no.example">{% endcomment %}',
      '{% raw %}{{ x }}<a href=https://raw.example>{% endraw %}',
      '{% assign q = "\'" %}',
    );
    const mixed = fc.array(fc.oneof(piece, liquid, fc.constantFrom('<a ', 'href="', "href='", 'href=', '">', "'>", ' >')), {
      maxLength: 14,
    });
    const tagsOf = (text: string): string[] =>
      (text.match(/\{%(?:(?!pennypost).)*?%\}|\{\{.*?\}\}/gs) ?? []).filter((found) => !/^\{% (?:end)?raw %\}$/.test(found));
    fc.assert(
      fc.property(mixed, (pieces) => {
        const html = pieces.join('');
        const book = new LinkBook();
        const placed = placeHtmlLinks(engine, html, book);
        const restored = placed.replace(
          /\{% pennypost_link (\d+) %\}/g,
          (_, index: string) => book.slots[Number(index)]?.written ?? '',
        );
        if (!html.includes('data-pennypost-track')) expect(tagsOf(restored)).toEqual(tagsOf(html));
      }),
      { numRuns: 300 },
    );
  });

  it.skipIf(!existsSync(CHROMIUM))(`is the same document in Chromium (skipped where there is no ${CHROMIUM})`, async () => {
    const samples = fc.sample(documents, 200).map((html) => ({ html, ...{ changed: rewritten(html) } }));
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    try {
      const page = await browser.newPage();
      const readings = await page.evaluate(
        (documents: readonly string[]) => {
          // Runs in the browser, where the types of Node do not reach.
          type Node = { nodeType: number; data: string; localName: string; childNodes: Iterable<Node>; content?: Node } & {
            attributes: Iterable<{ name: string; value: string }>;
          };
          const { DOMParser } = globalThis as unknown as {
            DOMParser: new () => { parseFromString(html: string, type: string): Node };
          };
          return documents.map((html) => {
            const reading: (string | [string, string])[] = [];
            const visit = (node: Node): void => {
              if (node.nodeType === 1) {
                reading.push(`<${node.localName}`);
                for (const { name, value } of node.attributes) if (name !== 'data-pennypost-track') reading.push([name, value]);
              }
              if (node.nodeType === 3) reading.push(node.data);
              for (const child of node.childNodes) visit(child);
              if (node.content !== undefined) visit(node.content);
            };
            visit(new DOMParser().parseFromString(html, 'text/html'));
            return reading;
          });
        },
        samples.flatMap(({ html, changed }) => [html, changed.html]),
      );
      samples.forEach(({ html, changed }, index) => {
        const [before, after] = [readings[index * 2] ?? [], readings[index * 2 + 1] ?? []];
        expect(after, html).toEqual(expected(before, after, changed.targets));
      });
    } finally {
      await browser.close();
    }
  });
});

describe('a scan', () => {
  it('takes time in proportion to its text', () => {
    for (const part of ['<', '<a ', '<!--', "<a b='", '<svg>', '</g>', '<svg><g>', '<!--[if mso]>', '<a href=', '&', '<p>']) {
      expect(scanHtml(part.repeat(20_000)).tags.length).toBeGreaterThanOrEqual(0);
    }
  });
});
