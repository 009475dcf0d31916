import type { Liquid } from 'liquidjs';
import type { LinkSlot } from './links.ts';
import { findRegions, protect } from './liquid-regions.ts';

/**
 * The plain-text part as a template, made once from the HTML template: Liquid stays in it and every link tag stands in square
 * brackets behind its text. Nothing is wrapped or put in capitals: a value may be of any length and language.
 */
export async function textFromHtml(engine: Liquid, html: string, slots: readonly LinkSlot[]): Promise<string> {
  const found = findRegions(engine, html);
  const liquid = protect(html, found);
  const { convert } = await import('html-to-text');
  const plain = convert(liquid.text, {
    wordwrap: false,
    formatters: {
      alternative: (element, _walk, builder) => builder.addInline(String(element.attribs?.alt ?? '')),
    },
    selectors: [
      ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
      { selector: 'img', format: 'alternative' },
      { selector: 'head', format: 'skip' },
      // Preheaders and the like.
      { selector: '[style*="display:none"i]', format: 'skip' },
      { selector: '[style*="display: none"i]', format: 'skip' },
    ],
  });
  const tidy = plain
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    // A tag alone on its line would leave an empty line behind.
    .replace(new RegExp(`^(?:${liquid.stem}\\d+z)+\\n+`, 'gm'), (line) => {
      const words = [...line.matchAll(/(\d+)z/g)];
      return words.every((word) => found.regions[Number(word[1])]?.kind === 'tag') ? line.trimEnd() : line;
    })
    .replace(/\n{3,}/g, '\n\n')
    .trim();
  return collapseRepeated(liquid.restore(tidy), slots);
}

/** `https://example.com [link]` with that very target: the link alone says it. */
function collapseRepeated(text: string, slots: readonly LinkSlot[]): string {
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
