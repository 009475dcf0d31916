import {
  AssignTag,
  BreakTag,
  CaseTag,
  ContinueTag,
  ForTag,
  IfTag,
  type Liquid,
  Output,
  type Template,
  TypeGuards,
  UnlessTag,
  type Value,
} from 'liquidjs';
import { decodeValue, type ScannedAttribute, type ScannedTag, scanHtml } from './html-scan.ts';
import { findRegions, mask } from './liquid-regions.ts';
import { childrenOf } from './variables.ts';
import { HidingRules, type Reader, type Stretch, stretchesFor } from './visibility.ts';

/** What every reader of a part sees, for any recipient and any data. */
export interface Shown {
  readonly unsubscribe: boolean;
  readonly postalAddress: boolean;
}

/** @param source parsed without error before */
export function shownToAll(engine: Liquid, source: string, html: boolean, postalAddress: string): Shown {
  const templates = engine.parse(source);
  const readings = html ? htmlReadings(engine, source) : [PLAIN];
  const address = flat(postalAddress);
  return {
    unsubscribe: readings.every((reading) => new Walk(reading, source, 'unsubscribe_url', undefined).shows(templates)),
    postalAddress: readings.every((reading) =>
      new Walk(reading, source, 'postal_address', address || undefined).shows(templates),
    ),
  };
}

/** What one reader sees of a text, by position. */
interface Reading {
  /** A value printed here is read as text. */
  text(position: number): boolean;
  /** A value printed here is where a link leads that has something to click on. */
  link(position: number): boolean;
  /** What is read of a stretch of the source. */
  words(begin: number, end: number, source: string): string;
}

const PLAIN: Reading = { text: () => true, link: () => false, words: (begin, end, source) => source.slice(begin, end) };

function htmlReadings(engine: Liquid, source: string): readonly Reading[] {
  const masked = mask(source, findRegions(engine, source));
  const scan = scanHtml(masked);
  const hiding = new HidingRules(masked, scan);
  const readers: readonly Reader[] = scan.comments.some(({ hiddenIf, revealedIf }) => hiddenIf ?? revealedIf)
    ? ['others', 'outlook']
    : ['others'];
  return readers.map((reader) => new HtmlReading(stretchesFor(reader, source, scan, hiding), masked, source));
}

/** Where that begins which keeps the end of the HTML from being seen. */
export function hiddenFrom(engine: Liquid, html: string): number | undefined {
  const masked = mask(html, findRegions(engine, html));
  const scan = scanHtml(masked);
  if (scan.unfinished !== undefined) return scan.unfinished;
  const stretches = stretchesFor('others', html, scan, new HidingRules(masked, scan));
  if (stretches.at(-1)?.shown !== false) return undefined;
  return stretches[stretches.findLastIndex(({ shown }) => shown) + 1]?.begin;
}

class HtmlReading implements Reading {
  private readonly stretches: readonly Stretch[];
  private readonly source: string;
  /** Targets of links with something to click on. */
  private readonly links: readonly ScannedAttribute[];

  constructor(stretches: readonly Stretch[], masked: string, source: string) {
    this.stretches = stretches;
    this.source = source;
    this.links = linksWithContent(stretches, masked);
  }

  text(position: number): boolean {
    const stretch = this.stretches[this.indexAt(position)];
    return stretch?.shown === true && stretch.tag === undefined;
  }

  link(position: number): boolean {
    return this.links.some(({ valueBegin, valueEnd }) => {
      if (position < valueBegin || position >= valueEnd) return false;
      // `https://a.example/?to={{ unsubscribe_url }}` leads elsewhere.
      return (
        this.source
          .slice(valueBegin, position)
          .replace(/\{%.*?%\}/gs, '')
          .trim() === ''
      );
    });
  }

  words(begin: number, end: number, source: string): string {
    let words = '';
    for (let index = this.indexAt(begin); index < this.stretches.length; index += 1) {
      const stretch = this.stretches[index]!;
      if (stretch.begin >= end) break;
      if (stretch.tag !== undefined) words += ' ';
      else if (stretch.shown) words += source.slice(Math.max(begin, stretch.begin), Math.min(end, stretch.end));
    }
    return decodeValue(words);
  }

  private indexAt(position: number): number {
    let low = 0;
    let high = this.stretches.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.stretches[middle]!.end <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const CLICKABLE = /^(?:a|area|v:[a-z]+)$/;
/** What stands on a page without being seen. */
const BLANK = /(?:[\s\p{Cc}\p{Cf}\u2800\u3164]|\u034f)+/gu;

/** A picture of one pixel. */
const isSpacer = (tag: ScannedTag): boolean =>
  tag.attributes.some(
    ({ name, value }) =>
      (/^(?:width|height)$/.test(name) && /^\s*0*[01](?:px)?\s*$/.test(value)) ||
      (name === 'style' && /(?:^|[;\s])(?:width|height)\s*:\s*0*[01](?:px)?\s*(?:!|;|$)/i.test(value)),
  );

function linksWithContent(stretches: readonly Stretch[], masked: string): ScannedAttribute[] {
  const links: ScannedAttribute[] = [];
  let open: ScannedAttribute | undefined;
  const seen = (): void => {
    if (open !== undefined) links.push(open);
    open = undefined;
  };
  for (const { begin, end, tag, shown } of stretches) {
    if (tag === undefined) {
      if (shown && open !== undefined && decodeValue(masked.slice(begin, end)).replace(BLANK, '') !== '') seen();
    } else if (tag.closing) {
      if (CLICKABLE.test(tag.name)) open = undefined;
    } else if (CLICKABLE.test(tag.name)) {
      open = shown ? tag.attributes.find(({ name }) => name === 'href') : undefined;
      if (tag.name === 'area') seen();
    } else if (tag.name === 'img' && shown && !isSpacer(tag)) {
      seen();
    }
  }
  return links;
}

/** Filters that keep what they are given. */
const KEEPING = new Set(
  'escape escape_once newline_to_br strip lstrip rstrip default raw upcase downcase append prepend'.split(' '),
);
/** Conditions that hold for every recipient of marketing mail. */
const ALWAYS =
  /^\s*(?:true|(?:unsubscribe_url|postal_address|project\.name|message_id|campaign\.id)(?:\s*!=\s*(?:blank|empty|nil|null|""|''))?)\s*$/;

/** Asks a template whether every way through it shows one thing. */
class Walk {
  private readonly reading: Reading;
  private readonly source: string;
  /** The variable, and what was assigned from it. */
  private readonly names: Set<string>;
  /** The same thing written out by hand. */
  private readonly written: string | undefined;

  constructor(reading: Reading, source: string, name: string, written: string | undefined) {
    this.reading = reading;
    this.source = source;
    this.names = new Set([name]);
    this.written = written;
  }

  shows(templates: readonly Template[]): boolean {
    let words = '';
    for (const template of templates) {
      const { token } = template;
      if (TypeGuards.isHTMLToken(token)) words += this.reading.words(token.begin, token.end, this.source);
      else if (template instanceof Output) {
        if (this.isPrinted(template)) return true;
        words += ' ';
      } else if (template instanceof AssignTag) {
        this.assign(template);
      } else if (this.branchesShow(template)) {
        return true;
      }
      // A jump outside of a loop ends the part.
      if (jumps(template)) break;
    }
    return this.written !== undefined && flat(words).includes(this.written);
  }

  private isPrinted({ value, token }: Output): boolean {
    return (
      this.isName(value) && (this.reading.text(token.begin) || (this.written === undefined && this.reading.link(token.begin)))
    );
  }

  private isName(value: Value): boolean {
    const [first, ...others] = value.initial.postfix;
    return (
      others.length === 0 &&
      TypeGuards.isPropertyAccessToken(first) &&
      this.names.has(first.getText()) &&
      // The engine adds its own way of printing, as `[object Function]`.
      value.filters.every((filter) => filter.name.startsWith('[') || KEEPING.has(filter.name))
    );
  }

  private assign(template: AssignTag): void {
    const [, name = '', from = ''] = /^\s*([\w-]+)\s*=\s*([\w.]+)\s*$/.exec(template.token.args) ?? [];
    if (this.names.has(from)) this.names.add(name);
    else for (const identifier of template.localScope()) this.names.delete(identifier.content);
  }

  private branchesShow(template: Template): boolean {
    if (!(template instanceof IfTag || template instanceof UnlessTag || template instanceof CaseTag)) return false;
    const branches: readonly { readonly templates: readonly Template[] }[] = template.branches;
    if (template instanceof IfTag && ALWAYS.test(template.token.args)) return this.shows(branches[0]?.templates ?? []);
    const otherwise = template.elseTemplates ?? [];
    return (
      otherwise.length > 0 && [...branches.map((branch) => branch.templates), otherwise].every((branch) => this.shows(branch))
    );
  }
}

function jumps(template: Template): boolean {
  if (template instanceof BreakTag || template instanceof ContinueTag) return true;
  return !(template instanceof ForTag) && childrenOf(template).some(jumps);
}

/** For comparing an address with what stands in a part: case, commas, blanks and line breaks make no difference. */
const flat = (text: string): string =>
  text
    .normalize('NFC')
    .replace(/[\s,\p{Cf}]+/gu, ' ')
    .trim()
    .toLowerCase();
