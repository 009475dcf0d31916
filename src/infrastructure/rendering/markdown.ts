import type { Liquid } from 'liquidjs';
import type { MarkedExtension, Tokens } from 'marked';
import { leadingUrl } from './bare-urls.ts';
import { findRegions, protect } from './liquid-regions.ts';

/**
 * Markdown as GitHub reads it (tables, bare links) to HTML, Liquid kept: it travels as words. A Liquid tag that is alone on its
 * line belongs to no paragraph. Around list items or table rows it comes to stand between those, so that a loop repeats them.
 * @returns undefined when it is nested too deeply to be read
 */
export async function markdownToHtml(engine: Liquid, source: string): Promise<string | undefined> {
  const found = findRegions(engine, source);
  const liquid = protect(source, found);
  const { stem } = liquid;
  const names = found.regions.map(({ kind, begin, end }) =>
    kind === 'tag' ? (/^\{%-?\s*([\w#]+)/.exec(source.slice(begin, end))?.[1] ?? '') : undefined,
  );
  const { Marked } = await import('marked');
  const isTag = (index: number): boolean => names[index] !== undefined;
  const marked = new Marked({ gfm: true, async: false }, bareLinks(stem, isTag));
  const html = attempt(() => String(marked.parse(placeTags(liquid.text.split('\n'), stem, names))));
  if (html === undefined) return undefined;
  const words = (mark: string): string => `(?:${stem}${mark}\\d+z)+`;
  const plain = (marked: string): string => marked.replaceAll(new RegExp(`${stem}[ab](\\d+z)`, 'g'), `${stem}$1`);
  const placed = html
    .replaceAll(new RegExp(`<!--\\s*(${words('')})\\s*-->\\n?`, 'g'), '$1')
    .replaceAll(
      new RegExp(`<li>(\\s*<p>)?\\s*(${words('b')})`, 'g'),
      (_, inner: string | undefined, tags: string) => `${plain(tags)}<li>${inner ?? ''}`,
    )
    .replaceAll(
      new RegExp(`\\s*(${words('a')})((?:</p>\\s*)?</li>)`, 'g'),
      (_, tags: string, end: string) => `${end}${plain(tags)}`,
    )
    .replaceAll(
      new RegExp(`<tr>\\s*(<td[^>]*>)\\s*(${words('b')})\\s*`, 'g'),
      (_, cell: string, tags: string) => `${plain(tags)}<tr>\n${cell}`,
    )
    .replaceAll(new RegExp(`\\s*(${words('a')})(</td>\\s*</tr>)`, 'g'), (_, tags: string, end: string) => `${end}${plain(tags)}`)
    .replaceAll('<table>\n', '<table class="rows">\n');
  return liquid.restore(plain(placed));
}

/** Bare links end where they end in plain text, and every target stays as it is written. */
function bareLinks(stem: string, isTag: (index: number) => boolean): MarkedExtension {
  const words = new RegExp(`${stem}(\\d+)z`, 'g');
  /** Without the Liquid tags behind it; undefined where it goes on behind one. */
  const withoutTags = (url: string): string | undefined => {
    const first = [...url.matchAll(words)].find((match) => isTag(Number(match[1])));
    if (first === undefined) return url;
    const rest = url.slice(first.index).replace(words, (word, index: string) => (isTag(Number(index)) ? '' : word));
    return rest === '' ? url.slice(0, first.index) : undefined;
  };
  return {
    tokenizer: {
      url(source): Tokens.Link | undefined | false {
        const scheme = /^www\./i.test(source) ? 'http://' : '';
        if (!/^https?:\/\//i.test(scheme + source)) return false;
        const href = withoutTags(leadingUrl(scheme + source) ?? '');
        if (href === undefined || href.length <= 'https://'.length) return undefined;
        const raw = href.slice(scheme.length);
        return { type: 'link', raw, href, text: raw, autolink: true, tokens: [{ type: 'text', raw, text: raw }] };
      },
    },
    renderer: {
      link({ href, title, text, tokens, autolink }) {
        const shown = autolink === true ? escaped(text) : this.parser.parseInline(tokens);
        return `<a href="${escaped(href)}"${title ? ` title="${escaped(title)}"` : ''}>${shown}</a>`;
      },
    },
  };
}

const escaped = (text: string): string =>
  text
    .replace(/&(?!#?\w+;)/g, '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    // marked reads by recursion.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

const ITEM = /^(\s*(?:[-*+]|\d{1,9}[.)])\s+)(.*)$/;
const ROW = /^(\s*\|)(.*)$/;
const FENCE = /^\s*(?:```|~~~)/;

type Place = 'block' | 'item' | 'row';

/** Lines in which every tag that is alone on its line was given its place. */
function placeTags(lines: string[], stem: string, names: readonly (string | undefined)[]): string {
  const alone = new RegExp(`^\\s*(?:${stem}\\d+z\\s*)+$`);
  const indexes = (line: string): number[] =>
    [...line.matchAll(new RegExp(`${stem}(\\d+)z`, 'g'))].map((match) => Number(match[1]));
  let fenced = false;
  const tagLines = new Map<number, number[]>();
  lines.forEach((line, position) => {
    if (FENCE.test(line)) fenced = !fenced;
    const tags = fenced || !alone.test(line) ? [] : indexes(line);
    if (tags.length > 0 && tags.every((index) => names[index] !== undefined)) tagLines.set(position, tags);
  });
  const places = placesOf(lines, tagLines, names);
  const open: string[] = [];
  const placed: string[] = [];
  lines.forEach((line, position) => {
    const tags = tagLines.get(position);
    const place = places.get(position) ?? 'block';
    if (tags === undefined) {
      placed.push(open.length === 0 ? line : line.replace(ITEM.test(line) ? ITEM : ROW, `$1${open.splice(0).join('')}$2`));
    } else if (place === 'block') {
      placed.push(`<!--${tags.map((index) => `${stem}${index}z`).join('')}-->`, '');
    } else if (/^end/.test(names[tags[0] ?? 0] ?? '')) {
      const mark = `${stem}a${tags[0]}z`;
      const last = placed.findLastIndex((one) => one.trim() !== '');
      placed[last] = (placed[last] ?? '').replace(place === 'row' ? /\s*\|?\s*$/ : /$/, place === 'row' ? ` ${mark} |` : mark);
    } else {
      open.push(`${stem}b${tags[0]}z`);
    }
  });
  return placed.join('\n');
}

/** `item` or `row` for the tags of a block that holds nothing else than list items or table rows. */
function placesOf(
  lines: readonly string[],
  tagLines: ReadonlyMap<number, readonly number[]>,
  names: readonly (string | undefined)[],
) {
  const places = new Map<number, Place>();
  const open: number[][] = [];
  for (const [position, tags] of tagLines) {
    const name = tags.length === 1 ? (names[tags[0] ?? 0] ?? '') : '';
    if (/^(?:if|unless|case|for)$/.test(name)) open.push([position]);
    else if (/^(?:else|elsif|when)$/.test(name)) open.at(-1)?.push(position);
    else if (/^end(?:if|unless|case|for)$/.test(name)) {
      const block = [...(open.pop() ?? []), position];
      const body = lines
        .slice((block[0] ?? position) + 1, position)
        .filter((_, index) => !tagLines.has((block[0] ?? position) + 1 + index));
      const place = placeOf(body);
      // An empty branch has no item to stand before.
      const empty = block.some(
        (one, index) =>
          index > 0 && !lines.slice((block[index - 1] ?? 0) + 1, one).some((line) => ITEM.test(line) || ROW.test(line)),
      );
      for (const one of block) places.set(one, empty ? 'block' : place);
    }
  }
  return places;
}

function placeOf(body: readonly string[]): Place {
  if (body.length === 0) return 'block';
  if (body.every((line) => ROW.test(line)) && !body.some((line) => /^\s*\|[\s|:-]+$/.test(line))) return 'row';
  return ITEM.test(body[0] ?? '') && body.every((line) => ITEM.test(line) || /^\s+\S/.test(line)) ? 'item' : 'block';
}
