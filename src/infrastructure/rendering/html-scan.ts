/** One attribute of a tag; positions are those of the value without its quotes, in the scanned text. */
export interface ScannedAttribute {
  readonly name: string;
  /** From the first letter of the name to behind the closing quote. */
  readonly begin: number;
  readonly end: number;
  readonly valueBegin: number;
  readonly valueEnd: number;
  readonly quoted: boolean;
}

export interface ScannedTag {
  /** Lower case. */
  readonly name: string;
  readonly closing: boolean;
  readonly selfClosing: boolean;
  readonly begin: number;
  /** Behind the `>`. */
  readonly end: number;
  readonly attributes: readonly ScannedAttribute[];
}

const NAME = /[a-z][\w:.-]*/iy;
const ATTRIBUTE = /([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>=`]+)))?/g;

/**
 * Finds the tags of HTML or MJML in one pass, forgivingly: what is no tag is skipped. Comments are skipped, except Outlook's
 * conditional ones (`<!--[if mso]>`), whose content is read; so is nothing inside `<style>` and `<script>`.
 * @param masked the text with its Liquid made harmless, see `mask`
 */
export function* scanTags(masked: string): Generator<ScannedTag> {
  // Remembered so that a text with a thousand unclosed quotes is not searched to its end a thousand times.
  const missing = new Set<string>();
  const find = (what: string, from: number): number => {
    if (missing.has(what)) return -1;
    const at = masked.indexOf(what, from);
    if (at === -1) missing.add(what);
    return at;
  };
  for (let at = masked.indexOf('<'); at !== -1; at = masked.indexOf('<', at)) {
    if (masked.startsWith('<!--', at)) {
      const close = find('-->', at + 4);
      if (masked.startsWith('[if', at + 4) || close === -1) at += 4;
      else at = close + 3;
      continue;
    }
    const closing = masked[at + 1] === '/';
    NAME.lastIndex = closing ? at + 2 : at + 1;
    const name = NAME.exec(masked)?.[0]?.toLowerCase();
    if (name === undefined) {
      at += 1;
      continue;
    }
    const end = tagEnd(masked, at + 1, find);
    if (end === -1) {
      at += 1;
      continue;
    }
    const inner = at + (closing ? 2 : 1) + name.length;
    yield {
      name,
      closing,
      selfClosing: masked[end - 2] === '/',
      begin: at,
      end,
      attributes: attributesOf(masked, inner, end - 1),
    };
    at = end;
    if (!closing && (name === 'style' || name === 'script')) {
      const close = masked.indexOf(`</${name}`, end);
      at = close === -1 ? masked.length : close;
    }
  }
}

/** Behind the `>` that ends a tag, quotes respected; -1 when there is none or another tag begins before it. */
function tagEnd(masked: string, from: number, find: (what: string, from: number) => number): number {
  let at = from;
  while (at < masked.length) {
    const character = masked[at];
    if (character === '>') return at + 1;
    if (character === '<') return -1;
    if ((character === '"' || character === "'") && masked[at - 1] !== undefined && /[=\s]/.test(masked[at - 1]!)) {
      const close = find(character, at + 1);
      if (close === -1) return -1;
      at = close;
    }
    at += 1;
  }
  return -1;
}

function attributesOf(masked: string, from: number, to: number): ScannedAttribute[] {
  const attributes: ScannedAttribute[] = [];
  for (const match of masked.slice(from, to).matchAll(ATTRIBUTE)) {
    const value = match[2] ?? match[3] ?? match[4];
    const quoted = match[4] === undefined;
    const begin = from + match.index;
    const end = begin + match[0].length;
    const valueEnd = value === undefined ? end : quoted ? end - 1 : end;
    attributes.push({
      name: match[1]!.toLowerCase(),
      begin,
      end,
      valueBegin: valueEnd - (value?.length ?? 0),
      valueEnd,
      quoted,
    });
  }
  return attributes;
}
