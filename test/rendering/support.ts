import type { ComposedMessage, Content, MessagePlan, PlanContext, PlanRecipient } from '../../src/domain/campaign/index.ts';

/** Valid content; a test names only what it is about. */
export function content(overrides: Partial<Content> = {}): Content {
  return {
    kind: 'html',
    source: '<p>Hello</p>',
    subject: 'News',
    author: { name: 'Acme', address: 'news@example.com' },
    headers: {},
    defaults: {},
    footer: 'project',
    layout: 'none',
    ...overrides,
  };
}

/** Marketing with tracking; `transactional()` has neither footer nor links of ours. */
export function marketing(overrides: Partial<PlanContext> = {}): PlanContext {
  return {
    stream: 'marketing',
    project: { name: 'Acme & Söhne', postalAddress: '1 Main Street\n12345 Town', senderDomain: 'example.com' },
    campaign: { id: 'c1', name: 'Spring' },
    staticHeaders: ['List-Id: <news.example.com>', 'Precedence: bulk'],
    tracking: { baseUrl: 'https://t.example.com', linkToken, openPixel: true, clicks: true },
    ...overrides,
  };
}

export function transactional(overrides: Partial<PlanContext> = {}): PlanContext {
  return marketing({ stream: 'transactional', staticHeaders: [], tracking: undefined, ...overrides });
}

/** A token that says what it was made for, as long as a real one. */
export function linkToken(index: number, target: string): string {
  return `L${index}.${Buffer.from(target).toString('base64url')}`;
}

export function recipient(overrides: Partial<PlanRecipient> = {}): PlanRecipient {
  return {
    address: 'ann@example.org',
    smtputf8: false,
    variables: {},
    messageId: '0123456789abcdef0123456789abcdef@example.com',
    date: new Date('2026-11-22T05:02:09Z'),
    clickToken: `C${'k'.repeat(85)}`,
    openToken: `O${'p'.repeat(85)}`,
    unsubscribeUrl: `https://t.example.com/u/U${'u'.repeat(85)}`,
    ...overrides,
  };
}

export interface Part {
  readonly type: string;
  /** Decoded, with LF line ends. */
  readonly body: string;
}

export interface Read {
  /** Unfolded, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly parts: readonly Part[];
}

/** Composes, checks the wire format of the bytes, and reads them back with a reader that knows nothing of the writer. */
export function composed(plan: MessagePlan, to: PlanRecipient): Read {
  const message: ComposedMessage = plan.compose(to);
  const bytes = Buffer.from(message.bytes);
  message.release();
  return readMessage(bytes);
}

/** @throws Error naming the first line that no server would have to accept */
function readMessage(bytes: Buffer): Read {
  const wire = bytes.toString('latin1');
  if (!wire.endsWith('\r\n')) throw new Error('The message does not end with CRLF.');
  if (/[^\r]\n|\r[^\n]|^\n|\r$/.test(wire)) throw new Error('There is a bare CR or LF.');
  if (wire.includes('\0')) throw new Error('There is a NUL.');
  for (const line of wire.split('\r\n')) {
    if (line.length > 998) throw new Error(`A line has ${line.length} octets: ${line.slice(0, 80)}`);
    if (line.startsWith('.')) throw new Error('A line begins with a dot.');
  }
  const { headers, body } = split(wire);
  const type = value(headers, 'Content-Type');
  const boundary = /boundary="([^"]+)"/.exec(type)?.[1];
  if (boundary === undefined) return { headers, parts: [readPart(wire)] };
  const pieces = `\r\n${body}`.split(`\r\n--${boundary}`);
  if (pieces.length !== 4 || pieces[0] !== '' || pieces[3] !== '--\r\n') throw new Error('The parts are not where they belong.');
  return { headers, parts: pieces.slice(1, 3).map((piece) => readPart(piece.replace(/^\r\n/, ''))) };
}

export function value(headers: Read['headers'], name: string): string {
  const found = headers.filter(([candidate]) => candidate.toLowerCase() === name.toLowerCase());
  if (found.length !== 1) throw new Error(`There are ${found.length} headers ${name}.`);
  return found[0]?.[1] ?? '';
}

export const part = (read: Read, type: string): string =>
  read.parts.find((candidate) => candidate.type === type)?.body ?? '(no such part)';

function split(wire: string): { headers: [string, string][]; body: string } {
  const end = wire.indexOf('\r\n\r\n');
  const headers = wire
    .slice(0, end)
    .replace(/\r\n(?=[ \t])/g, '')
    .split('\r\n')
    .map((line): [string, string] => {
      const colon = line.indexOf(':');
      if (!/^[!-9;-~]+$/.test(line.slice(0, colon))) throw new Error(`No header: ${line.slice(0, 80)}`);
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
  return { headers, body: wire.slice(end + 4) };
}

function readPart(wire: string): Part {
  const { headers, body } = split(wire);
  if (value(headers, 'Content-Transfer-Encoding') !== 'quoted-printable') throw new Error('A part is not quoted-printable.');
  for (const line of body.split('\r\n')) {
    if (line.length > 76) throw new Error(`An encoded line has ${line.length} octets: ${line}`);
    if (/[ \t]$/.test(line)) throw new Error('An encoded line ends with a blank.');
    if (/^From /.test(line)) throw new Error('An encoded line begins with "From ".');
  }
  return { type: value(headers, 'Content-Type').split(';')[0] ?? '', body: decode(body) };
}

/** RFC 2045 section 6.7, strictly: what an encoder may not write is an error. */
function decode(body: string): string {
  const joined = body.replace(/=\r\n/g, '').replace(/=$/, '');
  const octets = joined.replace(/=([0-9A-F]{2})|([^\t\r\n -~]|=)/g, (_, hex: string | undefined, wrong: string) => {
    if (hex === undefined) throw new Error(`Not quoted-printable: ${JSON.stringify(wrong)}`);
    return String.fromCharCode(Number.parseInt(hex, 16));
  });
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(octets, 'latin1'));
  return text.replaceAll('\r\n', '\n');
}
