import { headerValue, readHeaders } from './headers.ts';

/** One message as it came in over SMTP. */
export interface ReceivedMessage {
  /** Counts up from 1 in the order of arrival; a number as text. */
  readonly id: string;
  readonly receivedAt: Date;
  /** From MAIL FROM and RCPT TO, domains as A-labels; an empty `from` is the null return path. */
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
  /** The message as sent, dot-stuffing undone. */
  readonly raw: Buffer;
}

/** What a list of messages shows, read from the header alone. */
export interface MessageSummary {
  readonly id: string;
  readonly receivedAt: Date;
  /** Envelope recipients. */
  readonly to: readonly string[];
  readonly from: { readonly name: string; readonly address: string };
  readonly subject: string;
  /** Octets. */
  readonly size: number;
}

export interface MessageListRequest {
  /** 1 to 500, default 50. */
  readonly limit?: number | undefined;
  /** Only messages older than this id. */
  readonly after?: string | undefined;
  /** Part of the subject, the author or a recipient; case does not matter. */
  readonly search?: string | undefined;
}

/** Newest first; `next` is the `after` of the following page, absent on the last one. */
export interface MessageList {
  readonly items: readonly MessageSummary[];
  readonly next: string | undefined;
}

/** The newest messages in memory, as many as `keep` and as many octets as `keepBytes`, whichever is less. */
export class MessageStore {
  received = 0;
  private readonly keep: number;
  private readonly keepBytes: number;
  /** A ring: message n stands in slot n modulo `keep`, so that neither adding nor dropping moves anything. */
  private slots: (ReceivedMessage | undefined)[] = [];
  private readonly summaries = new WeakMap<ReceivedMessage, MessageSummary>();
  private oldest = 1;
  private newest = 0;
  private bytes = 0;
  private readonly everyone = new Set<string>();

  constructor(limits: { keep: number; keepBytes: number }) {
    this.keep = limits.keep;
    this.keepBytes = limits.keepBytes;
  }

  /** Distinct envelope recipients of everything received, kept or not; addresses compared without case. */
  get recipients(): number {
    return this.everyone.size;
  }

  add(message: Omit<ReceivedMessage, 'id'>): ReceivedMessage {
    const number = this.newest + 1;
    const stored = { id: String(number), ...message };
    if (number - this.oldest >= this.keep) this.dropOldest();
    this.slots[number % this.keep] = stored;
    this.newest = number;
    this.received += 1;
    this.bytes += message.raw.byteLength;
    for (const address of message.envelope.to) this.everyone.add(address.toLowerCase());
    while (this.bytes > this.keepBytes && this.oldest < this.newest) this.dropOldest();
    return stored;
  }

  get(id: string): ReceivedMessage | undefined {
    const number = Number(id);
    return number >= this.oldest && number <= this.newest ? this.slots[number % this.keep] : undefined;
  }

  list(request: MessageListRequest = {}): MessageList {
    const limit = Math.min(Math.max(Math.trunc(request.limit ?? 50), 1), 500);
    const wanted = request.search?.trim().toLowerCase() ?? '';
    const after = Number(request.after ?? Number.NaN);
    const items: MessageSummary[] = [];
    for (
      let number = Number.isInteger(after) ? Math.min(after - 1, this.newest) : this.newest;
      number >= this.oldest;
      number -= 1
    ) {
      const message = this.slots[number % this.keep];
      if (message === undefined) continue;
      const summary = this.summaryOf(message);
      if (wanted !== '' && !matches(summary, wanted)) continue;
      if (items.length === limit) return { items, next: items.at(-1)?.id };
      items.push(summary);
    }
    return { items, next: undefined };
  }

  /** Forgets messages, counts and recipients; ids go on counting, so that an old link never shows another message. */
  clear(): void {
    this.slots = [];
    this.oldest = this.newest + 1;
    this.bytes = 0;
    this.received = 0;
    this.everyone.clear();
  }

  private dropOldest(): void {
    const slot = this.oldest % this.keep;
    this.bytes -= this.slots[slot]?.raw.byteLength ?? 0;
    this.slots[slot] = undefined;
    this.oldest += 1;
  }

  private summaryOf(message: ReceivedMessage): MessageSummary {
    const known = this.summaries.get(message);
    if (known !== undefined) return known;
    const fields = readHeaders(message.raw);
    const summary: MessageSummary = {
      id: message.id,
      receivedAt: message.receivedAt,
      to: message.envelope.to,
      from: splitAuthor(headerValue(fields, 'from')),
      subject: headerValue(fields, 'subject'),
      size: message.raw.byteLength,
    };
    this.summaries.set(message, summary);
    return summary;
  }
}

function matches(summary: MessageSummary, wanted: string): boolean {
  return [summary.subject, summary.from.name, summary.from.address, ...summary.to].some((text) =>
    text.toLowerCase().includes(wanted),
  );
}

/** `"Ann" <ann@example.org>` in two; for display only, so no grammar. */
function splitAuthor(value: string): MessageSummary['from'] {
  const open = value.lastIndexOf('<');
  if (open === -1 || !value.endsWith('>')) return { name: '', address: value };
  const name = value.slice(0, open).trim();
  return { name: name.replace(/^"(.*)"$/, '$1').replace(/\\(.)/g, '$1'), address: value.slice(open + 1, -1) };
}
