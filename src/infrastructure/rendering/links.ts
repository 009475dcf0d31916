import type { Liquid } from 'liquidjs';
import type { PlanLink } from '../../domain/campaign/index.ts';
import { scanTags } from './html-scan.ts';
import { findRegions, type LiquidRegions, lineIndex, mask } from './liquid-regions.ts';

/** Elements whose `href` a person can click: links, image maps, Outlook's drawn buttons. Never `<link>` or `<base>`. */
const CLICKABLE = /^(?:a|area|v:[a-z]+)$/;
const OPT_OUT = 'data-pennypost-track';

/** A place in a template where a link target stands; the tag `{% pennypost_link n %}` points at it by position in a list. */
export interface LinkSlot {
  /** As it stood in the template: entities and quotes kept. */
  readonly written: string;
  /** Entities decoded; may hold Liquid. */
  readonly target: string;
  readonly dynamic: boolean;
  /** Position in the plan's list of links; absent for a link that is not tracked. */
  readonly index: number | undefined;
}

/** Collects links over both parts of a message; the same target is the same link. */
export class LinkBook {
  readonly slots: LinkSlot[] = [];
  private readonly targets = new Map<string, number>();

  get links(): readonly PlanLink[] {
    return [...this.targets].map(([target, index]) => ({ index, target }));
  }

  /** Notes one place and returns the tag that stands for it. */
  place(written: string, target: string, dynamic: boolean, tracked: boolean): string {
    let index: number | undefined;
    if (tracked) {
      index = this.targets.get(target) ?? this.targets.size;
      this.targets.set(target, index);
    }
    this.slots.push({ written, target, dynamic, index });
    return `{% pennypost_link ${this.slots.length - 1} %}`;
  }
}

/** A link that must not be sent, or that will not work. */
export interface LinkFault {
  readonly position: number;
  readonly kind: 'unsafe' | 'relative';
  readonly target: string;
}

const LIQUID = /\{\{|\{%/;
const UNSUBSCRIBE = /^\{\{-?\s*unsubscribe_url\b/;
/** A scheme with what browsers ignore inside it: blanks and control characters. */
const SCHEME = /^[\s\p{Cc}]*([a-z][a-z0-9+.\-\s\p{Cc}]*):/iu;
const HARMLESS = new Set(['http', 'https', 'mailto', 'tel', 'sms', 'cid']);

/** Replaces the targets of clickable elements by link tags. Left alone: `mailto:`, `tel:`, `#`, `{{ unsubscribe_url }}`. */
export function placeHtmlLinks(engine: Liquid, html: string, book: LinkBook): string {
  const found = findRegions(engine, html);
  let out = '';
  let from = 0;
  for (const tag of scanTags(mask(html, found))) {
    if (tag.closing || !CLICKABLE.test(tag.name)) continue;
    const href = tag.attributes.find((attribute) => attribute.name === 'href');
    if (href === undefined || href.valueBegin === href.valueEnd) continue;
    const written = html.slice(href.valueBegin, href.valueEnd);
    const raw = found.raw.some((range) => href.begin >= range.begin && href.end <= range.end);
    const dynamic = !raw && LIQUID.test(written);
    const target = decodeEntities(engine, written, dynamic).trim();
    if (UNSUBSCRIBE.test(target) || !(dynamic ? canBeWeb(target) && parses(engine, written) : /^https?:\/\//i.test(target)))
      continue;
    const optOut = tag.attributes.find((attribute) => attribute.name === OPT_OUT);
    const tracked = optOut === undefined || html.slice(optOut.valueBegin, optOut.valueEnd).toLowerCase() !== 'off';
    const slot = book.place(written, target, dynamic, tracked);
    out += `${html.slice(from, href.begin)}href="${raw ? `{% endraw %}${slot}{% raw %}` : slot}"`;
    from = href.end;
  }
  return out + html.slice(from);
}

/** Replaces bare URLs in a plain text by link tags; a value inside a URL makes it dynamic, a tag ends it. */
export function placeTextLinks(engine: Liquid, text: string, book: LinkBook): string {
  const found = findRegions(engine, text);
  let out = '';
  let from = 0;
  for (const match of mask(text, found).matchAll(/https?:\/\/[^\s<>"`{}|\\^[\]]{1,2000}/gi)) {
    const length = trimUrl(match[0]).length;
    const written = text.slice(match.index, match.index + length);
    const raw = found.raw.some((range) => match.index >= range.begin && match.index + length <= range.end);
    const dynamic = !raw && LIQUID.test(written);
    if (!dynamic && !isWeb(written)) continue;
    const slot = book.place(written, written, dynamic, true);
    out += text.slice(from, match.index) + (raw ? `{% endraw %}${slot}{% raw %}` : slot);
    from = match.index + length;
  }
  return out + text.slice(from);
}

/** A full stop behind a URL is not part of it, nor is a bracket that was opened before it. */
function trimUrl(url: string): string {
  let unopened = 0;
  for (const character of url) unopened += character === ')' ? 1 : character === '(' ? -1 : 0;
  let end = url.length;
  for (; end > 0; end -= 1) {
    const last = url[end - 1]!;
    if (last === ')' && unopened > 0) unopened -= 1;
    else if (!".,;:!?'*_".includes(last)) break;
  }
  return url.slice(0, end);
}

/** Targets in HTML or MJML as a person wrote it that must not go out, with their positions. */
export function* findLinkFaults(engine: Liquid, source: string): Generator<LinkFault & { readonly line: number }> {
  const found: LiquidRegions = findRegions(engine, source);
  const lineOf = lineIndex(source);
  for (const tag of scanTags(mask(source, found))) {
    if (tag.closing || tag.name === 'link' || tag.name === 'base') continue;
    for (const attribute of tag.attributes) {
      if (attribute.name !== 'href' && attribute.name !== 'action' && attribute.name !== 'xlink:href') continue;
      const target = decodeEntities(engine, source.slice(attribute.valueBegin, attribute.valueEnd), true).trim();
      const kind = faultOf(target);
      if (kind !== undefined) yield { kind, target, position: attribute.begin, line: lineOf(attribute.begin) };
    }
  }
}

function faultOf(target: string): LinkFault['kind'] | undefined {
  const scheme = SCHEME.exec(target)?.[1]
    ?.replace(/[\s\p{Cc}]/gu, '')
    .toLowerCase();
  if (scheme !== undefined) return HARMLESS.has(scheme) ? undefined : 'unsafe';
  return target === '' || target.startsWith('#') || LIQUID.test(target.slice(0, 2)) ? undefined : 'relative';
}

/** An author's own link may be anything that a browser takes. */
const isWeb = (target: string): boolean => /^https?:\/\//i.test(target) && URL.canParse(target);

/** False for a target that is certainly something else than the web, whatever its values become. */
function canBeWeb(target: string): boolean {
  return LIQUID.test(target.slice(0, 2)) || /^https?:/i.test(target);
}

function parses(engine: Liquid, template: string): boolean {
  try {
    engine.parse(template);
    return true;
  } catch {
    return false;
  }
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };

/** Decodes what can stand in a URL attribute; Liquid inside is kept as it is when `liquid` is set. */
function decodeEntities(engine: Liquid, written: string, liquid: boolean): string {
  const decode = (text: string): string =>
    text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos|nbsp));/gi, (match, decimal, hexadecimal, name) => {
      if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? match;
      const point = decimal === undefined ? Number.parseInt(hexadecimal, 16) : Number(decimal);
      return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : match;
    });
  if (!liquid || !LIQUID.test(written)) return decode(written);
  let regions: LiquidRegions['regions'];
  try {
    regions = findRegions(engine, written).regions;
  } catch {
    return decode(written);
  }
  let out = '';
  let from = 0;
  for (const region of regions) {
    out += decode(written.slice(from, region.begin)) + written.slice(region.begin, region.end);
    from = region.end;
  }
  return out + decode(written.slice(from));
}

const PLAIN_URL = /^https?:\/\/[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?(?:[/?#][A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]*)?$/;

/**
 * The target that values made of a dynamic link, safe to redirect to, or undefined. http and https only; blanks, international
 * names and the like are normalised as a browser would; user names in it (`https://bank.example@evil.example`) are refused.
 */
export function webTarget(target: string): string | undefined {
  const trimmed = target.trim();
  if (PLAIN_URL.test(trimmed)) return trimmed;
  if (!/^https?:\/\//i.test(trimmed)) return undefined;
  const url = URL.parse(trimmed);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.username !== '' || url.password !== '')
    return undefined;
  return url.href;
}

/** An author's own static target as a redirect can carry it: as written where it is plain, else normalised. */
export const authoredTarget = (target: string): string => (PLAIN_URL.test(target) ? target : (URL.parse(target)?.href ?? target));
