import type { Liquid } from 'liquidjs';
import type { PlacedLink, PlanLink } from '../../domain/campaign/index.ts';
import { LONGEST_TRACKED_TARGET } from '../../domain/tracking/index.ts';
import { bareUrls } from './bare-urls.ts';
import { decodeValue, type ScannedAttribute, type ScannedTag, scanTags } from './html-scan.ts';
import { canBeWeb, runsScript, type TargetFault, targetFault, webTarget } from './link-target.ts';
import { findRegions, type LiquidRegions, lineIndex, mask, tagsIn } from './liquid-regions.ts';

/** Elements whose `href` a reader can click: links, image maps, Outlook's drawn buttons. Never `<link>` or `<base>`. */
const CLICKABLE = /^(?:a|area|v:[a-z]+)$/;
const OPT_OUT = 'data-pennypost-track';

/** Collects links over both parts of a message; the same target is the same link. */
export class LinkBook {
  readonly slots: PlacedLink[] = [];
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

/** A fault of a link, with its place in the source. */
export interface LinkFault extends Omit<TargetFault, 'code'> {
  readonly code: TargetFault['code'] | 'link.unquoted_liquid';
  readonly line: number;
}

const LIQUID = /\{\{|\{%/;
const UNSUBSCRIBE = /^\{\{-?\s*unsubscribe_url\b/;

/**
 * Replaces the targets of clickable elements by link tags and removes the opt-out attribute. Left alone: `mailto:`, `tel:` and
 * other apps, `#`, `{{ unsubscribe_url }}`.
 */
export function placeHtmlLinks(engine: Liquid, html: string, book: LinkBook): string {
  const found = findRegions(engine, html);
  const masked = mask(html, found);
  let out = '';
  let from = 0;
  const replace = (begin: number, end: number, text: string): void => {
    out += html.slice(from, begin) + text;
    from = end;
  };
  for (const tag of scanTags(masked)) {
    if (tag.closing) continue;
    const attributes = allAttributes(masked, tag, found);
    const optOut = attributes.find((attribute) => attribute.name === OPT_OUT);
    const tracked = optOut === undefined || !/^(?:off|false|no|0)$/i.test(optOut.value.trim());
    for (const attribute of attributes) {
      if (attribute.name === OPT_OUT) {
        // A name that begins with `=` would become the value of what stands before.
        if (/^\s*=/.test(html.slice(attribute.end, attribute.end + 100))) continue;
        // Also the blank before it, unless what follows would become part of an unquoted value.
        const spare = /\s/.test(html[attribute.begin - 1] ?? '') && /[\s>]/.test(html[attribute.end] ?? '');
        replace(spare && attribute.begin > from ? attribute.begin - 1 : attribute.begin, attribute.end, '');
      } else if (attribute.name === 'href' && CLICKABLE.test(tag.name)) {
        const raw = found.raw.some((range) => attribute.begin >= range.begin && attribute.end <= range.end);
        const slot = placeTarget(engine, html, attribute, { raw, tracked, book });
        if (slot === undefined) continue;
        const quote = attribute.quoted ? 1 : 0;
        replace(attribute.valueBegin - quote, attribute.valueEnd + quote, `"${raw ? `{% endraw %}${slot}{% raw %}` : slot}"`);
      }
    }
  }
  return out + html.slice(from);
}

function placeTarget(
  engine: Liquid,
  html: string,
  attribute: ScannedAttribute,
  { raw, tracked, book }: { readonly raw: boolean; readonly tracked: boolean; readonly book: LinkBook },
): string | undefined {
  const written = html.slice(attribute.valueBegin, attribute.valueEnd);
  const dynamic = !raw && LIQUID.test(written);
  const target = (dynamic ? decodeAround(engine, written) : decodeValue(written)).trim();
  if (UNSUBSCRIBE.test(target)) return undefined;
  if (dynamic) return canBeWeb(target) && parses(engine, target) ? book.place(written, target, true, tracked) : undefined;
  const location = webTarget(target);
  return location === undefined ? undefined : book.place(written, target, false, tracked && isTrackable(location));
}

const isTrackable = (location: string): boolean => location.length <= LONGEST_TRACKED_TARGET;

/**
 * The attributes of a tag. A name that is given twice counts once for browsers; where Liquid stands in the tag, each of
 * the two may be the one that is sent.
 */
function allAttributes(masked: string, tag: ScannedTag, found: LiquidRegions): readonly ScannedAttribute[] {
  if (!tagsIn(found, tag.begin, tag.end).some((liquid) => liquid.begin > tag.begin && liquid.end < tag.end))
    return tag.attributes;
  const all = [...tag.attributes];
  let text = masked.slice(tag.begin, tag.end);
  for (let latest = tag.attributes; latest.length > 0; ) {
    for (const { begin, end } of latest) {
      const [first, last] = [begin - tag.begin, end - tag.begin];
      text = text.slice(0, first) + ' '.repeat(last - first) + text.slice(last);
    }
    latest = scanTags(text)[0]?.attributes.map((attribute) => moved(attribute, tag.begin)) ?? [];
    all.push(...latest);
  }
  return all.sort((one, other) => one.begin - other.begin);
}

const moved = (attribute: ScannedAttribute, by: number): ScannedAttribute => ({
  ...attribute,
  begin: attribute.begin + by,
  end: attribute.end + by,
  valueBegin: attribute.valueBegin + by,
  valueEnd: attribute.valueEnd + by,
});

/** Replaces bare URLs in a plain text by link tags. */
export function placeTextLinks(engine: Liquid, text: string, book: LinkBook): string {
  const found = findRegions(engine, text);
  let out = '';
  let from = 0;
  for (const { begin, end } of bareUrls(text, found)) {
    const written = text.slice(begin, end);
    const raw = found.raw.some((range) => begin >= range.begin && end <= range.end);
    const dynamic = !raw && LIQUID.test(written);
    if (dynamic ? !parses(engine, written) : webTarget(written) === undefined) continue;
    const tracked = dynamic || isTrackable(webTarget(written) ?? written);
    const slot = book.place(written, written, dynamic, tracked);
    // An underline behind a token would be read as its last letter.
    const apart = text[end] === '_' ? ' ' : '';
    out += text.slice(from, begin) + (raw ? `{% endraw %}${slot}{% raw %}` : slot) + apart;
    from = end;
  }
  return out + text.slice(from);
}

/** Attributes that a click or a submission leads to. */
const TARGETS = new Set(['href', 'xlink:href', 'action', 'formaction']);
const SOURCES = new Set(['src', 'srcset', 'background', 'poster', 'data', 'content', 'value']);

/** Faults of the targets in HTML or MJML, with their lines. */
export function* findLinkFaults(engine: Liquid, source: string): Generator<LinkFault> {
  const found = findRegions(engine, source);
  const masked = mask(source, found);
  const lineOf = lineIndex(source);
  /** What MJML puts before the targets of a navigation bar. */
  let baseUrl = '';
  for (const tag of scanTags(masked)) {
    if (tag.name === 'mj-navbar') {
      const base = tag.attributes.find((attribute) => attribute.name === 'base-url');
      baseUrl = base === undefined || tag.selfClosing ? '' : decodeAround(engine, source.slice(base.valueBegin, base.valueEnd));
    }
    if (tag.closing) continue;
    for (const attribute of allAttributes(masked, tag, found)) {
      const line = lineOf(attribute.begin);
      const written = source.slice(attribute.valueBegin, attribute.valueEnd);
      if (SOURCES.has(attribute.name)) {
        const target = decodeAround(engine, written).replace(/^.*?\burl\s*=\s*['"]?/is, '');
        if (runsScript(target)) yield { ...unsafeSource(target), line };
        continue;
      }
      if (!TARGETS.has(attribute.name)) continue;
      if (!attribute.quoted && touchesTag(attribute, found)) {
        const message = `The value of ${attribute.name} holds Liquid tags and no quotation marks. Put it in quotation marks.`;
        yield { severity: 'error', code: 'link.unquoted_liquid', message, line };
      }
      const base = tag.name === 'mj-navbar-link' ? baseUrl : '';
      const fault = targetFault(base + decodeAround(engine, written));
      // What `<link>` and `<base>` name is not for readers to follow.
      if (fault === undefined || ((tag.name === 'link' || tag.name === 'base') && fault.code !== 'link.unsafe')) continue;
      yield { ...fault, line };
    }
  }
}

function unsafeSource(target: string): Omit<LinkFault, 'line'> {
  const message = `An attribute runs a script: "${target.trim().slice(0, 80)}". Remove it.`;
  return { severity: 'error', code: 'link.unsafe', message };
}

/** True when a Liquid tag stands right before or behind the value, so that it is part of it. */
const touchesTag = (attribute: ScannedAttribute, found: LiquidRegions): boolean =>
  tagsIn(found, attribute.begin, attribute.valueEnd).some(
    ({ begin, end }) => begin === attribute.valueEnd || (end > attribute.begin && end <= attribute.valueBegin),
  );

function parses(engine: Liquid, template: string): boolean {
  try {
    engine.parse(template);
    return true;
  } catch {
    return false;
  }
}

/** Decodes the character references of an attribute's value around its Liquid, which stays as it is. */
function decodeAround(engine: Liquid, written: string): string {
  if (!LIQUID.test(written)) return decodeValue(written);
  let regions: LiquidRegions['regions'];
  try {
    regions = findRegions(engine, written).regions;
  } catch {
    return decodeValue(written);
  }
  // A character for private use stands for each stretch of Liquid.
  const free = ['\ue000', '\uf8ff', '\u{f0000}'].find((candidate) => !written.includes(candidate)) ?? '\u{10fffd}';
  let text = '';
  let from = 0;
  for (const region of regions) {
    text += written.slice(from, region.begin) + free;
    from = region.end;
  }
  let index = 0;
  const restored = (): string => {
    const region = regions[index];
    index += 1;
    return region === undefined ? '' : written.slice(region.begin, region.end);
  };
  return decodeValue(text + written.slice(from)).replaceAll(free, restored);
}
