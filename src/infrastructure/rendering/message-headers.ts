import { createHash } from 'node:crypto';
import {
  type Content,
  type Mailbox,
  type MessageFile,
  type OwnFields,
  type PlanContext,
  type PlanRecipient,
  RenderFailed,
} from '../../domain/campaign/index.ts';
import { FileFrame } from './files.ts';
import { collapse, dateTime, mailbox, mailboxes, structured, unstructured } from './headers.ts';
import type { MessageSink } from './message-sink.ts';

/** A rendered subject may not be longer; Postfix cuts headers at 102,400 octets. */
const SUBJECT_LIMIT = 16_384;
/** Encoding one takes 1.5 us. */
const SUBJECT_CACHE = 1_000;

/** Longest List-Unsubscribe address: it cannot be folded, and 998 octets are the limit of a line. */
const URL_LIMIT = 900;

const utf8 = (text: string): Uint8Array => Buffer.from(text, 'utf8');

/** Writes the header of every message of a plan: what never changes as bytes made once, the rest per message. */
export class HeaderWriter {
  private readonly first: Uint8Array;
  private readonly last: Uint8Array;
  /** The two halves of `last`: what does not vary, and the Content-Type of the body. */
  private readonly fixed: Uint8Array;
  private readonly entity: Uint8Array;
  private readonly content: Content;
  private readonly context: PlanContext;
  private readonly boundary: string;
  private readonly bodyType: string;
  private readonly betweenParts: Uint8Array;
  private readonly closing: Uint8Array;
  private second = -1;
  private dateText = '';
  /** Fields by subject: most campaigns have few, since most subjects hold a first name at most. */
  private readonly subjects = new Map<string, string>();

  constructor(content: Content, context: PlanContext, multipart: boolean) {
    this.content = content;
    this.context = context;
    this.first = utf8(fromLines(content.author, content.replyTo));
    // RFC 2046 5.1.1: `=_` occurs in no quoted-printable text, so this line cannot occur in a part.
    const boundary = `=_${createHash('sha256').update(`${content.subject}\n${content.source}`).digest('base64url').slice(0, 24)}`;
    const plain = 'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n';
    const html = 'Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n';
    const fixed = fixedLines(context, content.headers);
    const type = `Content-Type: multipart/alternative;\r\n boundary="${boundary}"\r\n\r\n--${boundary}\r\n`;
    this.last = utf8(fixed + (multipart ? type : '') + plain);
    this.fixed = this.last.subarray(0, Buffer.byteLength(fixed));
    this.entity = this.last.subarray(this.fixed.length);
    this.boundary = boundary;
    this.bodyType = multipart ? 'multipart/alternative' : 'text/plain';
    this.betweenParts = utf8(`\r\n--${boundary}\r\n${html}`);
    this.closing = utf8(`\r\n--${boundary}--\r\n`);
  }

  /** Header and everything up to the text of the first part. */
  open(sink: MessageSink, recipient: PlanRecipient, subject: string): void {
    const begin = sink.position;
    const { own } = recipient;
    if (own === undefined) {
      sink.bytes(this.first);
      sink.ascii('To: <');
      if (recipient.smtputf8) sink.utf8(safeAddress(recipient.address, true));
      else sink.ascii(safeAddress(recipient.address, false));
      sink.ascii('>\r\n');
    } else {
      this.ownFields(sink, recipient, own);
    }
    sink.ascii(this.subjectField(subject));
    sink.ascii('\r\nDate: ');
    sink.ascii(this.date(recipient.date));
    sink.ascii('\r\nMessage-ID: <');
    sink.ascii(visible(recipient.messageId, 'Message-ID', 900));
    if (recipient.unsubscribeUrl !== '') {
      sink.ascii('>\r\nList-Unsubscribe: <');
      sink.ascii(visible(recipient.unsubscribeUrl, 'unsubscribe address', URL_LIMIT));
      sink.ascii('>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n');
    } else {
      sink.ascii('>\r\n');
    }
    if (own === undefined) sink.bytes(this.last);
    else this.ownBody(sink, own);
    refuseDots(sink.target.subarray(begin, sink.position));
  }

  /** Who it is from and to, as this message says it. */
  private ownFields(sink: MessageSink, { smtputf8 }: PlanRecipient, own: OwnFields): void {
    const author = own.author ?? this.content.author;
    sink.bytes(utf8(fromLines(author, own.replyTo ?? this.content.replyTo)));
    for (const { address } of [...own.to, ...own.cc]) safeAddress(address, smtputf8);
    sink.utf8(`${mailboxes('To', own.to)}\r\n`);
    if (own.cc.length > 0) sink.utf8(`${mailboxes('Cc', own.cc)}\r\n`);
  }

  private ownBody(sink: MessageSink, { headers, files }: OwnFields): void {
    const named = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
    if (named.size === 0) sink.bytes(this.fixed);
    else {
      const kept = Object.entries(this.content.headers).filter(([name]) => !named.has(name.toLowerCase()));
      sink.bytes(utf8(fixedLines(this.context, { ...Object.fromEntries(kept), ...headers })));
    }
    this.frameOf(files).open(sink, this.bodyType);
    sink.bytes(this.entity);
  }

  /** What follows the body: its files. */
  closeFiles(sink: MessageSink, files: readonly MessageFile[]): void {
    this.frameOf(files).close(sink);
  }

  private frameOf(files: readonly MessageFile[]): FileFrame {
    return new FileFrame(files, this.boundary);
  }

  openHtml(sink: MessageSink): void {
    sink.bytes(this.betweenParts);
  }

  close(sink: MessageSink): void {
    sink.bytes(this.closing);
  }

  private date(date: Date): string {
    const second = Math.floor(date.getTime() / 1000);
    if (second !== this.second) {
      if (Number.isNaN(second)) throw new RenderFailed('The date of the message is not valid.');
      this.second = second;
      this.dateText = dateTime(date);
    }
    return this.dateText;
  }

  private subjectField(subject: string): string {
    const known = this.subjects.get(subject);
    if (known !== undefined) return known;
    if (subject.length > SUBJECT_LIMIT) {
      throw new RenderFailed(`The subject has ${subject.length} characters for this recipient; ${SUBJECT_LIMIT} is the limit.`);
    }
    const field = unstructured('Subject', collapse(subject));
    if (this.subjects.size >= SUBJECT_CACHE) this.subjects.clear();
    // An attribute of 64 kB in the subject is nothing to keep.
    if (subject.length < 500) this.subjects.set(subject, field);
    return field;
  }
}

const DOT = 46;
const LINE_FEED_DOT = Buffer.from('\n.');

/**
 * The transport sends composed messages without dot-stuffing them. Parts are encoded so that no line begins with a dot; the
 * header is looked at here, because a receiver would remove the dot and read another field.
 * @throws RenderFailed
 */
function refuseDots(header: Buffer): void {
  if (header[0] === DOT || header.includes(LINE_FEED_DOT)) throw new RenderFailed('A line of the header begins with a dot.');
}

/** Lines that the caller made, and those that follow from the stream. */
function standing(context: PlanContext): string[] {
  const lines = context.staticHeaders.map((line) => {
    const colon = line.indexOf(':');
    return structured(line.slice(0, colon), collapse(line.slice(colon + 1)));
  });
  const add = (name: string, value: string): void => {
    if (!lines.some((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))) lines.push(`${name}: ${value}`);
  };
  // RFC 3834: on what a machine writes by itself, not on newsletters that people write.
  if (context.stream === 'transactional') add('Auto-Submitted', 'auto-generated');
  add('X-Auto-Response-Suppress', 'OOF, AutoReply');
  return lines;
}

function fromLines(author: Mailbox, replyTo: Mailbox | undefined): string {
  const lines = [mailbox('From', author.name, author.address)];
  if (replyTo !== undefined) lines.push(mailbox('Reply-To', replyTo.name, replyTo.address));
  return `${lines.join('\r\n')}\r\n`;
}

const fixedLines = (context: PlanContext, headers: Readonly<Record<string, string>>): string =>
  [...standing(context), ...custom(headers), 'MIME-Version: 1.0'].map((line) => `${line}\r\n`).join('');

function custom(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).map(([name, value]) =>
    /^[\x20-\x7e]*$/.test(value) ? structured(name, value.trim()) : unstructured(name, collapse(value)),
  );
}

/** @throws RenderFailed for what would break the header or be read as a second recipient */
function safeAddress(address: string, international: boolean): string {
  if (address.length > 320 || !address.includes('@'))
    throw new RenderFailed('The address of this recipient is not an e-mail address.');
  for (let index = 0; index < address.length; index += 1) {
    const code = address.charCodeAt(index);
    if (code < 0x20 || code === 0x7f || code === 0x3c || code === 0x3e) {
      throw new RenderFailed('The address of this recipient contains a character that addresses must not have.');
    }
    if (code > 0x7f && !international) {
      throw new RenderFailed(
        'The address of this recipient is international and needs SMTPUTF8, which its envelope does not request.',
      );
    }
  }
  return international ? address.toWellFormed() : address;
}

/** @throws RenderFailed unless the value is visible ASCII without angle brackets */
function visible(value: string, what: string, limit: number): string {
  if (value.length > limit || value === '')
    throw new RenderFailed(`The ${what} has ${value.length} characters; 1 to ${limit} are possible.`);
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if (code <= 0x20 || code > 0x7e || code === 0x3c || code === 0x3e) {
      throw new RenderFailed(`The ${what} holds a blank, a bracket or a character outside ASCII.`);
    }
  }
  return value;
}
