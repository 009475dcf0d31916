import type { FormatCallback } from 'html-to-text';
import type { Liquid } from 'liquidjs';
import type { PlacedLink } from '../../domain/campaign/index.ts';
import { type ScannedAttribute, type ScannedTag, scanHtml } from './html-scan.ts';
import { findRegions, type LiquidRegions, mask, protect, tagsIn } from './liquid-regions.ts';
import { HidingRules, stretchesFor } from './visibility.ts';

/**
 * The plain-text part as a template, made once from the HTML template: Liquid stays in it and every link tag stands in square
 * brackets behind its text. Nothing is wrapped or put in capitals: a value may be of any length and language.
 */
export async function textFromHtml(engine: Liquid, html: string, slots: readonly PlacedLink[]): Promise<string> {
  const shown = shownOnly(html, findRegions(engine, html));
  const found = findRegions(engine, shown);
  const liquid = protect(shown, found);
  const cell = `${liquid.stem}cell`;
  const { convert } = await import('html-to-text');
  const plain = convert(liquid.text, {
    wordwrap: false,
    formatters: {
      alternative: (element, _walk, builder) => {
        const alternative = String(element.attribs?.alt ?? '').trim();
        if (alternative !== '') builder.addInline(` ${alternative} `);
      },
      link: formatLink,
      linkRow: (element, walk, builder, options) => {
        builder.openBlock({ leadingLineBreaks: 1 });
        formatLink(element, walk, builder, options);
        builder.closeBlock({ trailingLineBreaks: 1 });
      },
      row: (element, walk, builder) => {
        builder.openBlock({ leadingLineBreaks: 1 });
        walk(element.children, builder);
        builder.closeBlock({ trailingLineBreaks: 1 });
      },
      cell: (element, walk, builder) => {
        builder.addInline(` ${cell} `);
        walk(element.children, builder);
        builder.addInline(` ${cell} `);
      },
    },
    selectors: [
      ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
      { selector: 'img', format: 'alternative' },
      ...BLOCKS.map((selector) => ({ selector, format: 'block', options: { leadingLineBreaks: 1, trailingLineBreaks: 1 } })),
      // Whatever it is otherwise, a style draws it as a block.
      { selector: `[${BLOCK}]`, format: 'row' },
      { selector: `a[${BLOCK}]`, format: 'linkRow' },
      { selector: 'a', format: 'link' },
      { selector: 'area', format: 'link' },
      { selector: 'tr', format: 'row' },
      { selector: 'caption', format: 'row' },
      { selector: 'td', format: 'cell' },
      { selector: 'th', format: 'cell' },
    ],
  });
  const isTag = (word: string): boolean =>
    [...word.matchAll(/(\d+)z/g)].every((match) => found.regions[Number(match[1])]?.kind === 'tag');
  const onlyWords = new RegExp(`^(?:\\s*${liquid.stem}\\d+z)+$`);
  const tidy = plain
    .split('\n')
    .map((line) => (line.includes(cell) ? joinCells(line.split(cell), (part) => onlyWords.test(part) && isTag(part)) : line))
    .map((line) => line.trimEnd())
    .join('\n')
    // A tag alone on its line would leave an empty line behind.
    .replace(
      new RegExp(`^[ \\t]*((?:${liquid.stem}\\d+z)+)(\\n+)`, 'gm'),
      (line, words: string, ends: string, at: number, all: string) => {
        if (!isTag(words)) return line;
        // One of the empty lines around it stays.
        return words + (at === 0 || all.slice(0, at).endsWith('\n\n') ? '' : ends.slice(1));
      },
    )
    .replace(/\n{3,}/g, '\n\n')
    .trim();
  return linksApart(collapseRepeated(liquid.restore(tidy), slots));
}

/** Elements on lines of their own that html-to-text takes for part of a line. */
const BLOCKS = 'center address dl dt dd figure figcaption fieldset legend details summary menu dir'.split(' ');
const BLOCK = 'data-pennypost-block';

/** Text behind its link in brackets; a mail address or number that is its own text stands once. */
const formatLink: FormatCallback = (element, walk, builder) => {
  const href = String(element.attribs?.href ?? '').trim();
  const shown = href.replace(/^(?:mailto|tel|sms):/i, '').replace(/^([^?]*@[^?]*)\?.*$/, '$1');
  let text = '';
  builder.pushWordTransform((word) => {
    text += word;
    return word;
  });
  if (element.name === 'area') builder.addInline(` ${String(element.attribs?.alt ?? '')} `);
  else walk(element.children, builder);
  builder.popWordTransform();
  const plain = (value: string): string => value.replace(/[\s()/-]+/g, '').toLowerCase();
  const same = shown !== href && plain(text) === plain(safelyDecoded(shown));
  if (shown === '' || href.startsWith('#') || same) return;
  builder.addInline(` [${shown}]`, { noWordTransform: true });
};

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Cells of one line side by side; a Liquid tag between them is no cell. */
function joinCells(parts: readonly string[], isTag: (part: string) => boolean): string {
  let line = '';
  let apart = false;
  for (const part of parts.map((text) => text.trim())) {
    if (part === '') continue;
    if (isTag(part)) {
      line += part;
      continue;
    }
    line += `${apart ? '  ' : ''}${part}`;
    apart = true;
  }
  return line;
}

/** What a reader sees, with tags that every reader of HTML takes alike; Liquid tags of the rest are kept, so that blocks stay whole. */
function shownOnly(html: string, found: LiquidRegions): string {
  const masked = mask(html, found);
  const scan = scanHtml(masked);
  let out = '';
  for (const { begin, end, tag, shown } of stretchesFor('others', html, scan, new HidingRules(masked, scan, false))) {
    const liquid = (): string => liquidIn(found, html, [], begin, end);
    // html-to-text would leave out what stands outside of <body>.
    if (!shown || (tag !== undefined && OUTER.has(tag.name))) out += liquid();
    else if (tag === undefined) out += html.slice(begin, end);
    else if (tag.closing) out += `</${tag.name}>${liquid()}`;
    else {
      const kept = tag.attributes.filter(({ name }) => KEPT.has(name)).map((attribute) => ` ${written(html, attribute)}`);
      const inside = liquidIn(
        found,
        html,
        tag.attributes.filter(({ name }) => KEPT.has(name)),
        begin,
        end,
      );
      const block = INLINE.has(tag.name) && isBlock(tag) ? ` ${BLOCK}` : '';
      out += `<${tag.name}${kept.join('')}${block}>${inside}`;
    }
  }
  return out;
}

/** The Liquid tags in a stretch that are not part of an attribute that is kept; the links of what is left out are left out. */
function liquidIn(found: LiquidRegions, html: string, kept: readonly ScannedAttribute[], begin: number, end: number): string {
  return tagsIn(found, begin, end)
    .filter((region) => region.begin >= begin && region.end <= end)
    .filter((region) => !kept.some((attribute) => region.begin >= attribute.valueBegin && region.end <= attribute.valueEnd))
    .map((region) => html.slice(region.begin, region.end))
    .filter((tag) => !LINK_TAG.test(tag))
    .join('');
}

const LINK_TAG = /^\{% pennypost_link \d+ %\}$/;
const INLINE = new Set('a abbr b big button cite code em font i ins label mark s small span strong sub sup u'.split(' '));
const isBlock = (tag: ScannedTag): boolean =>
  tag.attributes.some(
    ({ name, value }) => name === 'style' && /\bdisplay\s*:\s*(?:block|table|flex|grid|list-item)\b/i.test(value),
  );
const OUTER = new Set(['html', 'head', 'body']);
/** What the text part is made of. */
const KEPT = new Set(['href', 'alt', 'start', 'type']);

function written(html: string, attribute: ScannedAttribute): string {
  const { name, valueBegin, valueEnd, quoted } = attribute;
  return `${name}=${quoted ? html.slice(valueBegin - 1, valueEnd + 1) : `"${html.slice(valueBegin, valueEnd)}"`}`;
}

/** `https://example.com [link]` with that very target: the link alone says it. */
function collapseRepeated(text: string, slots: readonly PlacedLink[]): string {
  let out = '';
  let from = 0;
  for (const match of text.matchAll(/ \[(\{% pennypost_link (\d+) %\})\]/g)) {
    const target = slots[Number(match[2])]?.target;
    const before = text.slice(from, match.index);
    if (target === undefined || !before.endsWith(target)) continue;
    out += before.slice(0, before.length - target.length) + match[1]!;
    from = match.index + match[0].length;
  }
  return out + text.slice(from);
}

const LINK = '\\{% pennypost_link \\d+ %\\}';

/** A link is followed by a blank, the end of its bracket or of a line, or punctuation, and begins behind one of these. */
function linksApart(text: string): string {
  return text
    .replace(new RegExp(`(\\[${LINK}\\])(?=[\\p{L}\\p{N}[]|\\{\\{)`, 'gu'), '$1 ')
    .replace(new RegExp(`([^\\s[<%}\\p{Ps}\\p{Pi}\\p{Pf}"'])(${LINK})`, 'gu'), '$1 $2')
    .replace(new RegExp(`(${LINK})(?=[\\p{L}\\p{N}[/?&=#%_]|\\{\\{|${LINK})`, 'gu'), '$1 ');
}
