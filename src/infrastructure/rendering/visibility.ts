import type { ScannedAttribute, ScannedComment, ScannedHtml, ScannedTag } from './html-scan.ts';

/** Outlook on Windows reads conditional comments; everything else does not. */
export type Reader = 'outlook' | 'others';

/** A stretch of HTML in the order of the text; together they cover all of it. */
export interface Stretch {
  readonly begin: number;
  readonly end: number;
  /** Absent for text and for what no reader gets to see. */
  readonly tag: ScannedTag | undefined;
  readonly shown: boolean;
}

/** Elements whose content is not shown in a mail. */
const NEVER_SHOWN = new Set(
  'head title style script template noframes noembed iframe object audio video canvas datalist select textarea desc metadata defs'.split(
    ' ',
  ),
);
/** Elements that may stand in `<head>`; any other one ends it. */
const HEAD_CONTENT = new Set('title style script template base link meta noscript head'.split(' '));
const VOID = new Set('area base br col embed hr img input link meta source track wbr'.split(' '));
/** What an element that is still open closes when one of these begins. */
const CLOSES: readonly (readonly [begins: RegExp, closed: RegExp, within: RegExp])[] = [
  [
    /^(?:p|div|table|ul|ol|dl|h[1-6]|section|article|header|footer|hr|pre|form|blockquote|center)$/,
    /^p$/,
    /^(?:td|th|table|div|li)$/,
  ],
  [/^li$/, /^li$/, /^(?:ul|ol|table|td)$/],
  [/^(?:dd|dt)$/, /^(?:dd|dt)$/, /^(?:dl|table|td)$/],
  [/^(?:td|th)$/, /^(?:td|th)$/, /^(?:tr|table)$/],
  [/^tr$/, /^(?:tr|td|th)$/, /^(?:table|tbody|thead|tfoot)$/],
  [/^(?:tbody|thead|tfoot)$/, /^(?:tbody|thead|tfoot|tr|td|th)$/, /^table$/],
];
/** An end tag inside a cell ends nothing outside of it. */
const SCOPE = /^(?:table|td|th|caption|html|template)$/;

/** What a reader sees of HTML, as far as that can be told without drawing it: hidden elements, comments, Outlook's conditions. */
export function stretchesFor(reader: Reader, html: string, scan: ScannedHtml, hiding: HidingRules): readonly Stretch[] {
  const stretches: Stretch[] = [];
  const elements = new OpenElements(hiding);
  /** Conditions that are open, and whether this reader reads on inside. */
  const conditions: boolean[] = [];
  let at = 0;
  const shown = (): boolean => elements.shown && !elements.tiny && !elements.faint && conditions.every(Boolean);
  const upTo = (position: number, visible: boolean): void => {
    if (position > at) stretches.push({ begin: at, end: position, tag: undefined, shown: visible });
    at = Math.max(at, position);
  };
  for (const item of inOrder(scan)) {
    if (item.begin < at) continue;
    upTo(item.begin, shown());
    if (!('attributes' in item)) {
      if (item.revealedIf !== undefined) conditions.push(reader === 'others' || outlookReads(item.revealedIf));
      else if (item.endsCondition) conditions.pop();
      // What is inside is read tag by tag, up to the mark that ends it.
      const read = item.hiddenIf !== undefined && reader === 'outlook' && outlookReads(item.hiddenIf);
      upTo(read ? html.indexOf(']>', item.begin) + 2 : item.end, false);
      continue;
    }
    if (conditions.every(Boolean)) {
      const visible = item.closing ? elements.close(item) : elements.open(item);
      stretches.push({ begin: item.begin, end: item.end, tag: item, shown: visible });
    } else {
      stretches.push({ begin: item.begin, end: item.end, tag: undefined, shown: false });
    }
    at = item.end;
  }
  upTo(html.length, shown() && scan.unfinished === undefined);
  return stretches;
}

function inOrder(scan: ScannedHtml): (ScannedTag | ScannedComment)[] {
  return [...scan.tags, ...scan.comments].sort((one, other) => one.begin - other.begin);
}

/** `mso`, `mso | IE`, `gte mso 9`; not `!mso`, and nothing that holds for some versions only. */
const outlookReads = (condition: string): boolean =>
  condition === '' ||
  (/\bmso\b/i.test(condition) && !/!|\b(?:lt|lte)\b/i.test(condition) && !/(?<!gte? )mso\s+\d/i.test(condition));

class OpenElements {
  private readonly hiding: HidingRules;
  private readonly stack: { readonly name: string; readonly hides: boolean; readonly tiny: boolean; readonly paint: Paint }[] =
    [];
  private hidden = 0;

  constructor(hiding: HidingRules) {
    this.hiding = hiding;
  }

  get shown(): boolean {
    return this.hidden === 0;
  }

  /** Text is too small to be seen here. Pictures are not, and an element inside may have a size of its own, as MJML's have. */
  get tiny(): boolean {
    return this.stack.at(-1)?.tiny ?? false;
  }

  /** Text has the colour of what is behind it. */
  get faint(): boolean {
    const { colour, background } = this.paint;
    return this.hiding.everywhere && colour !== undefined && colour === background;
  }

  private get paint(): Paint {
    return this.stack.at(-1)?.paint ?? { colour: undefined, background: undefined };
  }

  /** True when the element itself is shown. */
  open(tag: ScannedTag): boolean {
    if (!HEAD_CONTENT.has(tag.name) && this.stack.some(({ name }) => name === 'head')) this.popTo('head');
    for (const [begins, closed, within] of CLOSES) if (begins.test(tag.name)) this.popImplied(closed, within);
    const hides = NEVER_SHOWN.has(tag.name) || this.hiding.hides(tag);
    if (!VOID.has(tag.name) && !(tag.selfClosing && tag.name.includes(':'))) {
      this.stack.push({ name: tag.name, hides, tiny: hasTinyText(tag) ?? this.tiny, paint: paintOf(tag, this.paint) });
      if (hides) this.hidden += 1;
      return this.shown;
    }
    return this.shown && !hides;
  }

  close(tag: ScannedTag): boolean {
    const before = this.shown;
    for (let index = this.stack.length - 1; index >= 0; index -= 1) {
      const { name } = this.stack[index]!;
      if (name === tag.name) {
        this.shortenTo(index);
        break;
      }
      // `</body>` and `</html>` end neither cells nor what is hidden around them.
      if (SCOPE.test(name) && !SCOPE.test(tag.name) && tag.name !== 'tr') break;
    }
    return before;
  }

  private popTo(name: string): void {
    const index = this.stack.findLastIndex((element) => element.name === name);
    if (index !== -1) this.shortenTo(index);
  }

  private popImplied(closed: RegExp, within: RegExp): void {
    let from = this.stack.length;
    for (let index = this.stack.length - 1; index >= 0 && this.stack.length - index < 20; index -= 1) {
      const { name } = this.stack[index]!;
      if (within.test(name)) break;
      if (closed.test(name)) from = index;
    }
    this.shortenTo(from);
  }

  private shortenTo(length: number): void {
    for (const { hides } of this.stack.splice(length)) if (hides) this.hidden -= 1;
  }
}

/** Style sheets and attributes that keep an element from being seen. White on white is told by `paintOf`. */
export class HidingRules {
  readonly everywhere: boolean;
  private readonly selectors: readonly Selector[];

  /**
   * @param html with its Liquid made harmless
   * @param everywhere false: what is hidden on certain screens or by its colour only counts as shown
   */
  constructor(html: string, scan: ScannedHtml, everywhere = true) {
    this.everywhere = everywhere;
    const sheets: string[] = [];
    let begin: number | undefined;
    for (const tag of scan.tags) {
      if (tag.name !== 'style') continue;
      if (tag.closing && begin !== undefined) sheets.push(html.slice(begin, tag.begin));
      begin = tag.closing ? undefined : tag.end;
    }
    this.selectors = sheets.flatMap((sheet) => hidingSelectors(everywhere ? sheet : withoutScreens(sheet))).slice(0, 1_000);
  }

  /** Not by a tiny font of its own style attribute, see `hasTinyText`. */
  hides(tag: ScannedTag): boolean {
    const value = (name: string): string | undefined => tag.attributes.find((attribute) => attribute.name === name)?.value;
    if (tag.attributes.some((attribute: ScannedAttribute) => attribute.name === 'hidden')) return true;
    if (hidesBy(declared(value('style') ?? ''))) return true;
    if (this.selectors.length === 0) return false;
    const marks = new Set([...(value('class') ?? '').split(/\s+/).map((name) => `.${name}`), `#${value('id') ?? ''}`]);
    return this.selectors.some(
      ({ name, parts, attributes }) =>
        (name === undefined || name === tag.name) &&
        parts.every((part) => marks.has(part)) &&
        attributes.every((attribute) => {
          const given = value(attribute.name);
          return given !== undefined && (attribute.value === undefined || matches(given, attribute.operator, attribute.value));
        }),
    );
  }
}

/** A sheet without its rules for certain screens. */
const withoutScreens = (sheet: string): string => sheet.replace(/@media\b[^{}]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}/gi, ' ');

const LONGEST_SELECTOR = 500;

interface Selector {
  readonly name: string | undefined;
  readonly parts: readonly string[];
  readonly attributes: readonly { readonly name: string; readonly operator: string; readonly value: string | undefined }[];
}

function matches(given: string, operator: string, value: string): boolean {
  if (operator === '*=') return given.includes(value);
  if (operator === '^=') return given.startsWith(value);
  if (operator === '$=') return given.endsWith(value);
  if (operator === '~=') return given.split(/\s+/).includes(value);
  return given === value || (operator === '|=' && given.startsWith(`${value}-`));
}

/** The elements that the rules of a sheet hide, by the last part of each selector; those on certain screens only as well. */
function hidingSelectors(sheet: string): Selector[] {
  const found: Selector[] = [];
  const plain = sheet.replace(/\/\*[\s\S]*?\*\//g, ' ').replace(/<!--|-->/g, ' ');
  for (const [, selectors = '', declarations = ''] of plain.matchAll(/([^{}]*)\{([^{}]*)\}/g)) {
    const style = declared(declarations);
    if (!hidesBy(style) && tinyBy(style) !== true) continue;
    for (const selector of selectors.split(',')) {
      if (selector.length > LONGEST_SELECTOR) continue;
      const last = /(?:[^\s>+~[\]]|\[[^\]]*\])*$/.exec(selector.trim())?.[0] ?? '';
      const [, name, marks = ''] = /^([a-z][a-z0-9:-]*|\*)?((?:[.#][\w-]+|\[[^\]]*\])*)$/i.exec(last) ?? [];
      const attributes = [...marks.matchAll(ATTRIBUTE)].map(([, attribute = '', operator = '=', value]) => ({
        name: attribute.toLowerCase(),
        operator,
        value: value?.replace(/^["']|["']$/g, ''),
      }));
      const parts = marks.replaceAll(ATTRIBUTE, '').match(/[.#][\w-]+/g) ?? [];
      // `a:hover` and `*` say nothing about a certain element.
      if (parts.length + attributes.length === 0 && (name === undefined || name === '*')) continue;
      found.push({ name: name === '*' ? undefined : name?.toLowerCase(), parts, attributes });
    }
  }
  return found;
}

const ATTRIBUTE = /\[\s*([\w-]+)\s*(?:([~|^$*]?=)\s*([^\]]*?)\s*)?\]/g;

type Style = ReadonlyMap<string, string>;

function declared(declarations: string): Style {
  const style = new Map<string, string>();
  for (const declaration of declarations.toLowerCase().split(';')) {
    const colon = declaration.indexOf(':');
    if (colon !== -1)
      style.set(
        declaration.slice(0, colon).trim(),
        declaration
          .slice(colon + 1)
          .replace('!important', '')
          .trim(),
      );
  }
  return style;
}

/** Whether text in an element is too small to be seen; undefined where that depends on what is around it. */
function hasTinyText(tag: ScannedTag): boolean | undefined {
  return tinyBy(declared(tag.attributes.find(({ name }) => name === 'style')?.value ?? ''));
}

function tinyBy(style: Style): boolean | undefined {
  const font = /(?:^|\s)([\d.]+(?:px|pt|em|rem|%)?)(?:\/|\s)/.exec(style.get('font') ?? '')?.[1];
  const size = style.get('font-size') ?? font;
  // A share of nothing is nothing.
  if (size === undefined || (/(?:\dem|%)$/.test(size) && Number.parseFloat(size) > 0)) return undefined;
  return /^x{5,}$/.test(size) || /^(?:0*(?:\.\d*)?|1(?:\.0*)?)(?:px|pt|em|rem|%)?$/.test(size);
}

interface Paint {
  readonly colour: string | undefined;
  readonly background: string | undefined;
}

/** The plain colours of text in an element and of what is behind it; undefined where only drawing tells. */
function paintOf(tag: ScannedTag, around: Paint): Paint {
  const value = (name: string): string | undefined => tag.attributes.find((attribute) => attribute.name === name)?.value;
  const style = declared(value('style') ?? '');
  const own = style.get('color') ?? value(tag.name === 'font' ? 'color' : 'text')?.toLowerCase();
  const behind = style.get('background-color') ?? style.get('background') ?? value('bgcolor')?.toLowerCase();
  // A class may paint anything, and so may a picture.
  const unknown = value('class') ?? value('id') ?? value('background') ?? style.get('background-image');
  return {
    colour: own !== undefined ? plainColour(own) : tag.name === 'a' || unknown !== undefined ? undefined : around.colour,
    background: behind !== undefined ? plainColour(behind) : unknown === undefined ? around.background : undefined,
  };
}

const NAMED: Readonly<Record<string, string>> = { white: '#ffffff', black: '#000000', transparent: '' };

function plainColour(value: string): string | undefined {
  const colour = NAMED[value] ?? value.replace(/^#([0-9a-f])([0-9a-f])([0-9a-f])$/, '#$1$1$2$2$3$3');
  const channels = /^rgb\(\s*(\d+)[,\s]+(\d+)[,\s]+(\d+)\s*\)$/.exec(colour)?.slice(1);
  if (channels !== undefined) return `#${channels.map((channel) => Number(channel).toString(16).padStart(2, '0')).join('')}`;
  return /^#[0-9a-f]{6}$/.test(colour) ? colour : undefined;
}

/** True for declarations that leave nothing to see; a value that only Liquid knows counts as hiding. */
function hidesBy(style: Style): boolean {
  const is = (name: string, pattern: RegExp): boolean => {
    const value = style.get(name);
    return value !== undefined && (pattern.test(value) || /^x{5,}$/.test(value));
  };
  const zero = /^(?:0+(?:\.0*)?|\.0+)[a-z%]*$/;
  const clipped = is('overflow', /hidden/) || is('overflow-y', /hidden/);
  return (
    is('display', /\bnone\b/) ||
    is('visibility', /hidden|collapse/) ||
    is('opacity', zero) ||
    is('mso-hide', /all/) ||
    is('color', /^transparent$|^(?:rgb|hsl)a?\([^)]*[,/]\s*0(?:\.0*)?%?\)$|^#(?:...0|.{6}00)$/) ||
    is('clip', /^rect\(\s*[01](?:px)?[\s,]/) ||
    is('clip-path', /^inset\(\s*(?:[5-9]\d|100)%/) ||
    is('filter', /opacity\(0(?:\.0*)?%?\)/) ||
    is('transform', /scale[xy]?\(0\)|translate[xy]?\([^)]*-\d{4,}px/) ||
    is('text-indent', /^-\d{3,}/) ||
    is('margin-left', /^-\d{4,}/) ||
    (is('position', /absolute|fixed/) && (is('left', /^-\d{3,}/) || is('top', /^-\d{3,}/))) ||
    (clipped && (is('max-height', zero) || is('height', zero) || is('max-width', zero) || is('width', zero)))
  );
}
