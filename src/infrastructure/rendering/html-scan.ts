import { foreignContent, html as names, type Token, type TokenHandler, Tokenizer, TokenizerMode } from 'parse5';

/** One attribute of a tag; positions are in the scanned text. */
export interface ScannedAttribute {
  /** Lower case. */
  readonly name: string;
  /** From the first letter of the name to behind the closing quote. */
  readonly begin: number;
  readonly end: number;
  /** Of the value without its quotes. */
  readonly valueBegin: number;
  readonly valueEnd: number;
  readonly quoted: boolean;
  /** With its character references decoded. */
  readonly value: string;
}

export interface ScannedTag {
  /** Lower case. */
  readonly name: string;
  readonly closing: boolean;
  readonly selfClosing: boolean;
  readonly begin: number;
  /** Behind the `>`. */
  readonly end: number;
  /** Of a name that is given twice only the first, as in browsers. */
  readonly attributes: readonly ScannedAttribute[];
  /** What stands in `<!--[if ...]>`, for a tag inside such a comment: only Outlook reads it. */
  readonly condition: string | undefined;
}

export interface ScannedComment {
  readonly begin: number;
  readonly end: number;
  /** `mso | IE` of `<!--[if mso | IE]> ... <![endif]-->`: only Outlook reads what is inside. */
  readonly hiddenIf: string | undefined;
  /** `!mso` of `<!--[if !mso]><!-->` and `<![if !mso]>`: everything but Outlook ignores it and shows what follows. */
  readonly revealedIf: string | undefined;
  /** `<!--<![endif]-->` and `<![endif]>`. */
  readonly endsCondition: boolean;
}

export interface ScannedHtml {
  /** In the order of the text, those inside Outlook's conditional comments included. */
  readonly tags: readonly ScannedTag[];
  readonly comments: readonly ScannedComment[];
  /** Where a tag or comment begins that never ends, so that no reader sees what follows. */
  readonly unfinished: number | undefined;
}

/**
 * Reads HTML or MJML as browsers do (tokenization of the HTML standard, by parse5), in one pass and without a tree: in a
 * template with Liquid the tree is not known yet.
 * @param masked the text with its Liquid made harmless, see `mask`
 */
export function scanHtml(masked: string): ScannedHtml {
  return new Scan(masked, 0, undefined).read();
}

export const scanTags = (masked: string): readonly ScannedTag[] => scanHtml(masked).tags;

/** Decodes the character references in the value of an attribute as it stands in the source. */
export function decodeValue(written: string): string {
  if (!written.includes('&')) return written;
  return scanTags(`<a a="${written.replaceAll('"', '&quot;')}">`)[0]?.attributes[0]?.value ?? written;
}

/** Elements whose content is text (13.2.6.4 of the standard); `noscript` is an element where scripts do not run. */
const TEXT_STATES: Readonly<Record<string, Tokenizer['state']>> = {
  title: TokenizerMode.RCDATA,
  textarea: TokenizerMode.RCDATA,
  style: TokenizerMode.RAWTEXT,
  xmp: TokenizerMode.RAWTEXT,
  iframe: TokenizerMode.RAWTEXT,
  noembed: TokenizerMode.RAWTEXT,
  noframes: TokenizerMode.RAWTEXT,
  script: TokenizerMode.SCRIPT_DATA,
  plaintext: TokenizerMode.PLAINTEXT,
};

const HIDDEN = /^\[if\b([^\]]*)\]>(?!(?:<!(?:--)?)?$)/i;
const REVEALED = /^\[if\b([^\]]*)\](?:>(?:<!(?:--)?)?)?$/i;
const ENDS = /^\s*(?:<!)?\[endif\]/i;

const ignore = (): void => undefined;

class Scan implements TokenHandler {
  readonly onDoctype = ignore;
  readonly onCharacter = ignore;
  readonly onNullCharacter = ignore;
  readonly onWhitespaceCharacter = ignore;
  readonly onEof = ignore;
  private readonly text: string;
  private readonly offset: number;
  private readonly condition: string | undefined;
  private readonly tokenizer: Tokenizer;
  private readonly tags: ScannedTag[] = [];
  private readonly comments: ScannedComment[] = [];
  private readonly foreign: ForeignElements;
  private unfinished = false;
  private seen = 0;

  constructor(text: string, offset: number, condition: string | undefined) {
    this.text = text;
    this.offset = offset;
    this.condition = condition;
    this.tokenizer = new Tokenizer({ sourceCodeLocationInfo: true }, this);
    this.foreign = new ForeignElements(this.tokenizer);
  }

  read(): ScannedHtml {
    this.tokenizer.write(this.text, true);
    const rest = this.text.indexOf('<', this.seen);
    return { tags: this.tags, comments: this.comments, unfinished: this.unfinished && rest !== -1 ? rest : undefined };
  }

  onParseError(error: { readonly code: string }): void {
    if (error.code === 'eof-in-tag' || error.code === 'eof-in-comment') this.unfinished = true;
  }

  onStartTag(token: Token.TagToken): void {
    this.add(token, false);
    if (this.foreign.open(token)) return;
    const state = Object.hasOwn(TEXT_STATES, token.tagName) ? TEXT_STATES[token.tagName] : undefined;
    if (state !== undefined) this.tokenizer.state = state;
  }

  onEndTag(token: Token.TagToken): void {
    this.add(token, true);
    this.foreign.close(token);
  }

  onComment(token: Token.CommentToken): void {
    const { location, data } = token;
    if (location === null) return;
    const begin = location.startOffset;
    const written = this.text.startsWith('<!--', begin);
    // Comments do not nest: what looks like one inside is text.
    const hidden = written && this.condition === undefined ? HIDDEN.exec(data) : null;
    this.comments.push({
      begin: this.offset + begin,
      end: this.offset + location.endOffset,
      hiddenIf: hidden?.[1]?.trim(),
      revealedIf: REVEALED.exec(data)?.[1]?.trim(),
      endsCondition: ENDS.test(data),
    });
    // An unfinished comment begins where `seen` ends; a finished one may hold a `<` of its own.
    if (!(location.endOffset >= this.text.length && this.unfinished)) this.seen = location.endOffset;
    if (hidden === null) return;
    const inner = begin + '<!--'.length + hidden[0].length;
    const content = this.text.slice(inner, begin + '<!--'.length + data.length);
    this.tags.push(...new Scan(content, this.offset + inner, hidden[1]?.trim() ?? '').read().tags);
  }

  private add(token: Token.TagToken, closing: boolean): void {
    const { location } = token;
    if (location === null) return;
    this.seen = location.endOffset;
    this.tags.push({
      name: token.tagName,
      closing,
      selfClosing: token.selfClosing,
      begin: this.offset + location.startOffset,
      end: this.offset + location.endOffset,
      attributes: closing ? [] : token.attrs.flatMap((attribute) => this.attribute(attribute, location.attrs?.[attribute.name])),
      condition: this.condition,
    });
  }

  private attribute(attribute: Token.Attribute, location: Token.Location | undefined): ScannedAttribute[] {
    if (location === undefined) return [];
    const { name, value } = attribute;
    const [begin, end] = [this.offset + location.startOffset, this.offset + location.endOffset];
    // A name may begin with `=`, so what separates it from the value is looked for behind it.
    const [equals] =
      /^[\t\n\f\r ]*=[\t\n\f\r ]*/.exec(this.text.slice(location.startOffset + name.length, location.endOffset)) ?? [];
    if (equals === undefined) return [{ name, begin, end, valueBegin: end, valueEnd: end, quoted: false, value }];
    const from = begin + name.length + equals.length;
    const quoted = from < end && /["']/.test(this.text[from - this.offset] ?? '');
    return [{ name, begin, end, valueBegin: quoted ? from + 1 : from, valueEnd: quoted ? end - 1 : end, quoted, value }];
  }
}

const { NS, getTagID } = names;

/** The open elements from the outermost `<svg>` or `<math>` on, where `<style>` is no style sheet and CDATA is text. */
class ForeignElements {
  private readonly tokenizer: Tokenizer;
  private readonly stack: { readonly name: string; readonly namespace: names.NS; readonly integration: boolean }[] = [];
  /** How often a name is open, so that an end tag without its start tag costs nothing. */
  private readonly counts = new Map<string, number>();

  constructor(tokenizer: Tokenizer) {
    this.tokenizer = tokenizer;
  }

  /** True when the tag opens a foreign element. */
  open(token: Token.TagToken): boolean {
    if (this.tokenizer.inForeignNode && foreignContent.causesExit(token)) this.leave();
    const inside = this.tokenizer.inForeignNode ? this.stack.at(-1)?.namespace : undefined;
    const namespace = inside ?? (token.tagName === 'svg' ? NS.SVG : token.tagName === 'math' ? NS.MATHML : NS.HTML);
    if (namespace === NS.HTML && this.stack.length === 0) return false;
    const html = namespace === NS.HTML;
    if (html ? VOID.has(token.tagName) : token.selfClosing) return !html;
    // The tokenizer writes names in lower case, the table of names does not.
    const id = getTagID(token.tagName === 'foreignobject' ? 'foreignObject' : token.tagName);
    this.push(token.tagName, namespace, html || foreignContent.isIntegrationPoint(id, namespace, token.attrs));
    return !html;
  }

  close(token: Token.TagToken): void {
    if (this.stack.length === 0) return;
    if (this.tokenizer.inForeignNode && (token.tagName === 'p' || token.tagName === 'br')) this.leave();
    if ((this.counts.get(token.tagName) ?? 0) === 0) return;
    while (this.pop() !== token.tagName);
    this.update();
  }

  private leave(): void {
    while (this.stack.length > 0 && this.stack.at(-1)?.integration === false) this.pop();
    this.update();
  }

  private push(name: string, namespace: names.NS, integration: boolean): void {
    this.stack.push({ name, namespace, integration });
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    this.update();
  }

  private pop(): string | undefined {
    const name = this.stack.pop()?.name;
    if (name !== undefined) this.counts.set(name, (this.counts.get(name) ?? 1) - 1);
    return name;
  }

  private update(): void {
    this.tokenizer.inForeignNode = this.stack.at(-1)?.integration === false;
  }
}

const VOID = new Set('area base br col embed hr img input link meta source track wbr'.split(' '));
