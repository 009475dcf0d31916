import { createHash } from 'node:crypto';
import type { MessageFile } from '../../domain/campaign/index.ts';
import type { MessageSink } from './message-sink.ts';

/** RFC 2045 section 6.8: 76 characters a line, which stand for 57 octets. */
const LINE = 76;

/** RFC 2231 section 3: a parameter that does not fit a line goes in numbered sections of this many characters. */
const SECTION = 60;

/** What stands around the body of a message with files (RFC 2046 section 5.1.3, RFC 2387). */
export class FileFrame {
  readonly #inline: readonly MessageFile[];
  readonly #attached: readonly MessageFile[];
  readonly #mixed: string;
  readonly #related: string;

  /** @param boundary of the body; ours differ from it in their third character */
  constructor(files: readonly MessageFile[], boundary: string) {
    this.#inline = files.filter((file) => file.contentId !== undefined);
    this.#attached = files.filter((file) => file.contentId === undefined);
    const own = createHash('sha256').update(boundary).digest('base64url').slice(0, 22);
    this.#mixed = `=_m_${own}`;
    this.#related = `=_r_${own}`;
  }

  /** Up to where the body's own Content-Type stands. @param bodyType of the part that shows the inline images */
  open(sink: MessageSink, bodyType: string): void {
    if (this.#attached.length > 0)
      sink.ascii(`Content-Type: multipart/mixed;\r\n boundary="${this.#mixed}"\r\n\r\n--${this.#mixed}\r\n`);
    if (this.#inline.length > 0)
      sink.ascii(
        `Content-Type: multipart/related; type="${bodyType}";\r\n boundary="${this.#related}"\r\n\r\n--${this.#related}\r\n`,
      );
  }

  close(sink: MessageSink): void {
    for (const file of this.#inline) writeFile(sink, file, this.#related);
    if (this.#inline.length > 0) sink.ascii(`\r\n--${this.#related}--\r\n`);
    for (const file of this.#attached) writeFile(sink, file, this.#mixed);
    if (this.#attached.length > 0) sink.ascii(`\r\n--${this.#mixed}--\r\n`);
  }
}

function writeFile(sink: MessageSink, file: MessageFile, boundary: string): void {
  const inline = file.contentId !== undefined;
  const fields = [
    `Content-Type: ${typed(file)}`,
    'Content-Transfer-Encoding: base64',
    ...(inline ? [`Content-ID: <${file.contentId}>`] : []),
    `Content-Disposition: ${inline ? 'inline' : 'attachment'}${parameter('filename', file.name)}`,
  ];
  sink.ascii(`\r\n--${boundary}\r\n${fields.join('\r\n')}\r\n\r\n`);
  sink.bytes(base64Lines(file.bytes));
}

/** Parameters of a type on lines of their own. Readers that know no RFC 2231 take a name in ASCII from here. */
function typed({ type, name }: MessageFile): string {
  const [essence = type, ...parameters] = type.split(/; ?/);
  const text = /^text\//i.test(essence) && !parameters.some((one) => /^charset=/i.test(one)) ? ['charset=utf-8'] : [];
  const plain = name
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[^\x20-\x7e]+/gu, '_')
    .replace(/["\\%]/g, '_');
  const short = plain.length <= SECTION ? plain : `${plain.slice(0, SECTION - 8)}${/\.[A-Za-z0-9]{1,7}$/.exec(plain)?.[0] ?? ''}`;
  return [essence, ...parameters, ...text, `name="${short}"`].join(';\r\n ');
}

/** `; filename="..."`, or the sections of RFC 2231 with its charset where a quoted string cannot hold it. */
function parameter(name: string, value: string): string {
  if (/^[\x20-\x7e]*$/.test(value) && value.length <= SECTION && !value.includes('=?'))
    return `;\r\n ${name}="${value.replace(/["\\]/g, '\\$&')}"`;
  const sections: string[] = [];
  let section = "utf-8''";
  for (const character of value) {
    const encoded = percentEncoded(character);
    if (section.length + encoded.length > SECTION) {
      sections.push(section);
      section = '';
    }
    section += encoded;
  }
  sections.push(section);
  if (sections.length === 1) return `;\r\n ${name}*=${section}`;
  return sections.map((part, index) => `;\r\n ${name}*${index}*=${part}`).join('');
}

/** RFC 2231 section 7 `attribute-char`. */
function percentEncoded(character: string): string {
  if (/^[A-Za-z0-9!#$&+.^_`{|}~-]$/.test(character)) return character;
  let out = '';
  for (const octet of Buffer.from(character)) out += `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  return out;
}

function base64Lines(bytes: Uint8Array): Buffer {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  const lines = Math.ceil(text.length / LINE);
  const target = Buffer.allocUnsafe(text.length + lines * 2);
  let position = 0;
  for (let from = 0; from < text.length; from += LINE) {
    position += target.write(text.slice(from, from + LINE), position, 'latin1');
    target[position] = 0x0d;
    target[position + 1] = 0x0a;
    position += 2;
  }
  return target;
}
