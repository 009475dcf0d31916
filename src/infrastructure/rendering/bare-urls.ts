import { type LiquidRegion, type LiquidRegions, mask } from './liquid-regions.ts';

export interface BareUrl {
  readonly begin: number;
  readonly end: number;
}

/**
 * What ends a URL wherever it stands: blanks, controls and invisible characters, quotation marks and brackets of all scripts,
 * punctuation and dashes outside ASCII. The two middle dots stand inside names in Japanese and Catalan paths.
 */
const ENDS = /[\s"<>`{}\p{C}\p{Z}\p{Pi}\p{Pf}]|(?![!-~])[\p{Ps}\p{Pe}\p{Pd}]|(?![!-~\u00b7\u30fb])\p{Po}/u;
/** Longer ones are left alone, whole. */
const LONGEST = 8_000;
/** In ASCII only these can stand in a host with its port. */
const NO_HOST = /[^A-Za-z0-9.:%@_[\]\u0080-\u{10ffff}-]/u;
/** Punctuation and markup behind a URL are not part of it. */
const TRAILING = /[.,;:!?'*~|\\\u00b7\u30fb]+$/;
/** `_see https://a.example_` is markup, the last letter of `https://a.example/ann_` is not. */
const OPENED = /(?:^|[\s"'(*>[~])_/;
/** `https://a.example,https://b.example` are two. */
const NEXT_URL = /[,;'|*]+(?=https?:\/\/)/iy;
const BEFORE_NEXT = /[,;'|*]/;

/**
 * The http and https URLs in a text. A value inside a URL is part of it; so is a whole `{% if %}...{% endif %}`. Any other tag
 * ends it, and where the URL would go on behind the tag, it is left out: half of it must not be replaced.
 */
export function* bareUrls(text: string, found: LiquidRegions): Generator<BareUrl> {
  const masked = mask(text, found, 'x');
  const tags = found.regions.flatMap((region) => (region.kind === 'tag' ? [{ ...region, name: nameOf(text, region) }] : []));
  const start = /https?:\/\//gi;
  let nextTag = 0;
  for (let match = start.exec(masked); match !== null; match = start.exec(masked)) {
    const begin = match.index;
    const whole = urlEnd(masked, begin, start.lastIndex);
    while (nextTag < tags.length && tags[nextTag]!.end <= begin) nextTag += 1;
    const cut = firstOpenTag(tags, nextTag, whole);
    const end = cut === undefined ? whole : trimmed(masked, begin, tags[cut]!.begin);
    start.lastIndex = Math.max(end, start.lastIndex);
    if (whole - begin > LONGEST || (cut !== undefined && goesOn(text, tags, cut))) continue;
    if (end > begin + match[0].length) yield { begin, end };
  }
}

/** The URL that a text without Liquid begins with. */
export function leadingUrl(text: string): string | undefined {
  const scheme = /^https?:\/\//i.exec(text)?.[0];
  if (scheme === undefined) return undefined;
  const end = urlEnd(text, 0, scheme.length);
  return end > scheme.length ? text.slice(0, end) : undefined;
}

function urlEnd(masked: string, begin: number, from: number): number {
  let end = from;
  let inHost = true;
  const open: string[] = [];
  while (end < masked.length) {
    const character = String.fromCodePoint(masked.codePointAt(end)!);
    // Most are letters and digits of a path.
    if (!inHost && /[\w/%.=&-]/.test(character)) {
      end += 1;
      continue;
    }
    if (ENDS.test(character)) break;
    if (BEFORE_NEXT.test(character) && !BEFORE_NEXT.test(masked[end - 1] ?? '')) {
      NEXT_URL.lastIndex = end;
      if (NEXT_URL.test(masked)) break;
    }
    if (inHost && /[/?#\\]/.test(character)) inHost = false;
    // `example.comを見て`: no top-level domain begins in ASCII and goes on in another script.
    if (inHost && (NO_HOST.test(character) || (character === '[' && end > from))) break;
    if (inHost && character > '~' && /\.[A-Za-z0-9-]*[A-Za-z]$/.test(masked.slice(Math.max(from, end - 64), end))) break;
    if (character === '(') open.push(')');
    if (character === '[') {
      // `[/url]` ends what `[url]` began.
      if (masked[end + 1] === '/') break;
      open.push(']');
    }
    if ((character === ')' || character === ']') && open.pop() !== character) break;
    end += character.length;
  }
  return trimmed(masked, begin, end);
}

/** Without the punctuation behind it, and without a bracket that is not closed. */
function trimmed(masked: string, begin: number, end: number): number {
  let url = masked.slice(begin, end);
  const opened = url.includes('_') && OPENED.test(/[^\n]*$/.exec(masked.slice(Math.max(0, begin - 100), begin))?.[0] ?? '');
  for (let before = ''; before !== url; ) {
    before = url;
    url = url.replace(TRAILING, '').replace(/[([]+$/, '');
    if (opened) url = url.replace(/_+$/, '');
  }
  return begin + url.length;
}

interface Tag extends LiquidRegion {
  readonly name: string;
}

/** The first tag before `end`, counted from `from`, that is not part of a complete block. */
function firstOpenTag(tags: readonly Tag[], from: number, end: number): number | undefined {
  const open: number[] = [];
  for (let index = from; index < tags.length && tags[index]!.begin < end; index += 1) {
    const { name } = tags[index]!;
    if (BLOCKS.has(name)) open.push(index);
    else if (name.startsWith('end') || DIVIDERS.has(name)) {
      if (open.length === 0) return index;
      if (!DIVIDERS.has(name)) open.pop();
    }
  }
  return open[0];
}

/** True when the text goes on like a URL behind the tag, or behind the end of the block that the tag divides. */
function goesOn(text: string, tags: readonly Tag[], cut: number): boolean {
  let depth = BLOCKS.has(tags[cut]!.name) || tags[cut]!.name.startsWith('end') ? 0 : 1;
  let index = cut;
  for (; index < tags.length; index += 1) {
    const { name, end } = tags[index]!;
    // Far more than a block around a URL has.
    if (index - cut > 200) return true;
    if (BLOCKS.has(name)) depth += 1;
    else if (name.startsWith('end')) depth -= 1;
    // One end may follow another.
    if (depth <= 0 && tags[index + 1]?.begin !== end) break;
  }
  const at = tags[index]?.end ?? text.length;
  return /^[.,;:!?'*_)~-]*(?:[\p{L}\p{N}/&=#%+]|\{\{)/u.test(text.slice(at, at + 100));
}

const BLOCKS = new Set(['if', 'unless', 'case', 'for', 'tablerow', 'capture', 'raw']);
const DIVIDERS = new Set(['else', 'elsif', 'when']);

const nameOf = (text: string, tag: LiquidRegion): string => /^\{%-?\s*(\w+)/.exec(text.slice(tag.begin, tag.end))?.[1] ?? '';
