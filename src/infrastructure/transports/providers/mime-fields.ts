import type { Attachment, EmailAddress, ParsedMail } from 'mailparser';
import type { OutgoingMessage } from '../../../domain/delivery/index.ts';
import { MessageNotConvertible } from './provider.ts';

export interface Mailbox {
  readonly name: string;
  readonly address: string;
}

export interface FieldAttachment {
  readonly name: string;
  readonly type: string;
  readonly content: Buffer;
  /** Content-ID without angle brackets, of an image inside the HTML. */
  readonly contentId: string | undefined;
}

/** A composed message taken apart, for providers that compose it again. */
export interface MessageFields {
  readonly from: Mailbox;
  /** The recipient of the envelope, with the name that the message gives to this address. */
  readonly to: Mailbox;
  readonly replyTo: readonly Mailbox[];
  readonly subject: string;
  readonly text: string | undefined;
  readonly html: string | undefined;
  /** With angle brackets. */
  readonly messageId: string | undefined;
  /** All other headers of the message, unfolded, in their order. */
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly attachments: readonly FieldAttachment[];
}

/** Written by the provider from the other fields, or true only for the message as it was composed. */
const NOT_CUSTOM =
  /^(?:from|to|cc|bcc|reply-to|subject|date|message-id|mime-version|content-[\w-]+|return-path|received|sender|dkim-signature|authentication-results)$/i;

/**
 * Reads a composed message back into its fields; mailparser is loaded by the first call.
 * @throws MessageNotConvertible when it has no author or no body
 */
export async function readFields({ content, envelope }: OutgoingMessage): Promise<MessageFields> {
  const { simpleParser } = await import('mailparser');
  // The parts are sent as they were composed, so mailparser must not make one from the other or replace links to images.
  const mail = await simpleParser(Buffer.from(content), {
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipImageLinks: true,
    skipTextLinks: true,
  });
  const [from] = mailboxes(mail.from);
  if (from === undefined) throw new MessageNotConvertible('The message has no author (From).');
  const html = mail.html === false ? undefined : mail.html;
  if (html === undefined && mail.text === undefined) throw new MessageNotConvertible('The message has neither HTML nor text.');
  const named = mailboxes(mail.to).find(({ address }) => address.toLowerCase() === envelope.to.toLowerCase());
  return {
    from,
    to: { name: named?.name ?? '', address: envelope.to },
    replyTo: mailboxes(mail.replyTo),
    subject: mail.subject ?? '',
    text: mail.text,
    html,
    messageId: mail.messageId,
    headers: customHeaders(mail),
    attachments: mail.attachments.map(attachmentOf),
  };
}

function customHeaders({ headerLines }: ParsedMail): { name: string; value: string }[] {
  return headerLines.flatMap(({ line }) => {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim();
    const value = line
      .slice(colon + 1)
      .replace(/\r?\n(?=[ \t])/g, '')
      .trim();
    return NOT_CUSTOM.test(name) ? [] : [{ name, value }];
  });
}

function attachmentOf({ filename, contentType, content, cid, related }: Attachment, index: number): FieldAttachment {
  return {
    name: filename ?? `attachment-${index + 1}`,
    type: contentType,
    content,
    contentId: related && cid !== undefined && cid !== '' ? cid : undefined,
  };
}

/** Members of groups as well: an API has no groups. */
function mailboxes(field: ParsedMail['to']): Mailbox[] {
  if (field === undefined) return [];
  const lists = Array.isArray(field) ? field : [field];
  const flat = (one: EmailAddress): Mailbox[] =>
    one.group !== undefined ? one.group.flatMap(flat) : one.address ? [{ name: one.name, address: one.address }] : [];
  return lists.flatMap(({ value }) => value).flatMap(flat);
}

/** As in a header: `"Ann, Ltd." <ann@example.com>`. */
export const mailboxText = ({ name, address }: Mailbox): string =>
  name === '' ? address : `"${name.replace(/[\\"]/g, '\\$&')}" <${address}>`;

export const base64 = (content: Buffer): string => content.toString('base64');
