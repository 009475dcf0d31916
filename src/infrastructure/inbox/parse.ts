import { type HeaderField, headerValue, readHeaders } from './headers.ts';
import type { ReceivedMessage } from './message-store.ts';

interface InboxLink {
  readonly url: string;
  /** What the reader sees of it: the text of the anchor, or where it was found. */
  readonly label: string;
}

interface InboxAttachment {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly content: Uint8Array;
}

/** A message taken apart for reading. Everything in it came from outside and must be escaped or sandboxed when shown. */
export interface InboxMessage {
  readonly id: string;
  readonly receivedAt: Date;
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
  readonly size: number;
  readonly subject: string;
  /** Header fields, decoded for display. */
  readonly from: string;
  readonly to: string;
  readonly date: Date | undefined;
  readonly messageId: string;
  readonly headers: readonly HeaderField[];
  /** The HTML part; pictures that came along (`cid:`) are put in as `data:` URLs. */
  readonly html: string | undefined;
  readonly text: string | undefined;
  readonly links: readonly InboxLink[];
  readonly attachments: readonly InboxAttachment[];
}

/** Longer HTML is not searched for links. */
const LINK_SEARCH_CHARACTERS = 2_000_000;

/** Takes a message apart; mailparser is loaded by the first call, since most processes never look at a message. */
export async function parseMessage(message: ReceivedMessage): Promise<InboxMessage> {
  const { simpleParser } = await import('mailparser');
  // The parts are shown as they were sent, so mailparser must not make one from the other.
  const mail = await simpleParser(message.raw, { skipHtmlToText: true, skipTextToHtml: true });
  const headers = readHeaders(message.raw);
  const html = mail.html === false ? undefined : mail.html;
  return {
    id: message.id,
    receivedAt: message.receivedAt,
    envelope: message.envelope,
    size: message.raw.byteLength,
    subject: headerValue(headers, 'subject'),
    from: headerValue(headers, 'from'),
    to: headerValue(headers, 'to'),
    date: mail.date,
    messageId: mail.messageId ?? '',
    headers,
    html,
    text: mail.text,
    links: [...bodyLinks(html, mail.text), ...headerLinks(headers)],
    attachments: mail.attachments
      .filter((attachment) => !attachment.related)
      .map((attachment, index) => ({
        name: attachment.filename ?? `attachment-${index + 1}`,
        type: attachment.contentType,
        size: attachment.size,
        content: attachment.content,
      })),
  };
}

function bodyLinks(html: string | undefined, text: string | undefined): InboxLink[] {
  if (html === undefined) {
    return [...(text ?? '').slice(0, LINK_SEARCH_CHARACTERS).matchAll(/https?:\/\/[^\s<>"']+/g)].map(([url]) => ({
      url,
      label: 'text',
    }));
  }
  const links: InboxLink[] = [];
  const source = html.slice(0, LINK_SEARCH_CHARACTERS);
  for (const tag of source.matchAll(/<(?:a|area)\s[^>]{1,10000}>/gi)) {
    const href = /\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))/i.exec(tag[0]);
    const url = decodeEntities(href?.[1] ?? href?.[2] ?? href?.[3] ?? '').trim();
    if (url === '' || url.startsWith('#')) continue;
    const rest = source.slice(tag.index + tag[0].length, tag.index + tag[0].length + 2000);
    links.push({ url, label: labelOf(rest.split(/<\/a>/i, 1)[0] ?? '') });
  }
  return links;
}

function labelOf(inner: string): string {
  const alternative = /\salt\s*=\s*"([^"]*)"/i.exec(inner)?.[1] ?? '';
  const text = decodeEntities(inner.replace(/<[^>]*>/g, ' '))
    .replace(/\s+/g, ' ')
    .trim();
  return (text === '' ? decodeEntities(alternative) : text).slice(0, 120);
}

/** The addresses that List-Unsubscribe offers (RFC 2369 section 3.2). */
function headerLinks(headers: readonly HeaderField[]): InboxLink[] {
  return [...headerValue(headers, 'list-unsubscribe').matchAll(/<([^<>]+)>/g)].map(([, url = '']) => ({
    url: url.replace(/\s/g, ''),
    label: 'List-Unsubscribe',
  }));
}

const NAMED_ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

function decodeEntities(text: string): string {
  return text.replace(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]{2,6}));/gi,
    (whole: string, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return NAMED_ENTITIES[name.toLowerCase()] ?? whole;
      const point = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
    },
  );
}
