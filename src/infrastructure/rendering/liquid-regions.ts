import { type Liquid, Tokenizer, TypeGuards } from 'liquidjs';

/** A stretch of Liquid in a source: `{{ }}`, `{% %}`, or a whole `{% comment %}`. */
export interface LiquidRegion {
  readonly begin: number;
  readonly end: number;
  readonly kind: 'output' | 'tag';
}

export interface LiquidRegions {
  readonly regions: readonly LiquidRegion[];
  /** Inside `{% raw %}`, where `{{` is nothing but two braces. */
  readonly raw: readonly { readonly begin: number; readonly end: number }[];
}

/** Finds the Liquid in a text exactly as liquidjs would. @throws TokenizationError */
export function findRegions(engine: Liquid, source: string): LiquidRegions {
  const regions: LiquidRegion[] = [];
  const raw: { begin: number; end: number }[] = [];
  let comment: number | undefined;
  let rawBegin: number | undefined;
  for (const token of new Tokenizer(source).readTopLevelTokens(engine.options)) {
    if (TypeGuards.isTagToken(token)) {
      if (token.name === 'comment' && comment === undefined) {
        comment = token.begin;
        continue;
      }
      if (comment !== undefined) {
        if (token.name === 'endcomment') {
          regions.push({ begin: comment, end: token.end, kind: 'tag' });
          comment = undefined;
        }
        continue;
      }
      if (token.name === 'raw') rawBegin = token.end;
      if (token.name === 'endraw' && rawBegin !== undefined) {
        raw.push({ begin: rawBegin, end: token.begin });
        rawBegin = undefined;
      }
      regions.push({ begin: token.begin, end: token.end, kind: 'tag' });
    } else if (comment === undefined && TypeGuards.isOutputToken(token)) {
      regions.push({ begin: token.begin, end: token.end, kind: 'output' });
    }
  }
  return { regions, raw };
}

/** The tags that lie in a range of the text or touch it. */
export function tagsIn(found: LiquidRegions, begin: number, end: number): readonly LiquidRegion[] {
  const { regions } = found;
  let low = 0;
  let high = regions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (regions[middle]!.end < begin) low = middle + 1;
    else high = middle;
  }
  const tags: LiquidRegion[] = [];
  for (let index = low; index < regions.length && regions[index]!.begin <= end; index += 1)
    if (regions[index]!.kind === 'tag') tags.push(regions[index]!);
  return tags;
}

/**
 * The same text, as long, with its Liquid made harmless for a scanner of HTML or URLs: outputs become letters, so that a
 * value may stand inside a word; tags become blanks, so that `<a {% if x %}href="...">` still has its attribute.
 * @param tag what tags become instead
 */
export function mask(source: string, found: LiquidRegions, tag = ' '): string {
  let masked = '';
  let from = 0;
  for (const region of found.regions) {
    masked += source.slice(from, region.begin) + (region.kind === 'output' ? 'x' : tag).repeat(region.end - region.begin);
    from = region.end;
  }
  return masked + source.slice(from);
}

/** A text whose Liquid was replaced by words that MJML and html-to-text leave alone. */
export interface ProtectedText {
  readonly text: string;
  /** What every word begins with; a number and `z` follow. */
  readonly stem: string;
  word(index: number): string;
  /** Puts the Liquid back into whatever became of the text. */
  restore(text: string): string;
  /** The line in the source that a line of `text` comes from. */
  sourceLine(line: number): number;
}

export function protect(source: string, found: LiquidRegions): ProtectedText {
  let stem = 'zqliquid';
  while (source.includes(stem)) stem += 'q';
  const word = (index: number): string => `${stem}${index}z`;
  let text = '';
  let from = 0;
  const multiline: { readonly line: number; readonly removed: number }[] = [];
  found.regions.forEach((region, index) => {
    text += source.slice(from, region.begin) + word(index);
    from = region.end;
    const removed = lineAt(source.slice(region.begin, region.end), Number.POSITIVE_INFINITY) - 1;
    if (removed > 0) multiline.push({ line: lineAt(text, text.length), removed });
  });
  text += source.slice(from);
  const pattern = new RegExp(`${stem}(\\d+)z`, 'g');
  const original = (match: string, index: string): string => {
    const region = found.regions[Number(index)];
    return region === undefined ? match : source.slice(region.begin, region.end);
  };
  return {
    text,
    stem,
    word,
    restore: (changed) => changed.replace(pattern, original),
    sourceLine: (line) => multiline.reduce((sum, region) => (region.line < line ? sum + region.removed : sum), line),
  };
}

/** 1-based line of a position. */
function lineAt(source: string, position: number): number {
  let line = 1;
  for (let at = source.indexOf('\n'); at !== -1 && at < position; at = source.indexOf('\n', at + 1)) line += 1;
  return line;
}

/** `lineAt` for many positions of one text. */
export function lineIndex(source: string): (position: number) => number {
  const ends: number[] = [];
  for (let at = source.indexOf('\n'); at !== -1; at = source.indexOf('\n', at + 1)) ends.push(at);
  return (position) => {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle]! < position) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
}
