import { type ContentInput, type Mailbox, parseHeaders, parseMailbox } from '../../../domain/campaign/index.ts';
import {
  type Attachment,
  type AttachmentInput,
  type MessageLabels,
  type MessageLabelsInput,
  parseAttachments,
  parseLabels,
  type RecipientField,
  requestFingerprint,
} from '../../../domain/delivery/index.ts';
import { mailboxParts, parseEmailAddress } from '../../../domain/shared/email-address.ts';
import { InvalidInput } from '../../../domain/shared/errors.ts';
import { storableJson } from '../../../domain/shared/json.ts';

/** An address with the name that is shown beside it. */
export interface MailboxInput {
  readonly address: string;
  readonly name?: string | undefined;
}

/** `ada@example.com`, `Ada <ada@example.com>` or both apart; one or several. */
export type RecipientsInput = string | MailboxInput | readonly (string | MailboxInput)[];

export interface SendInput extends MessageLabelsInput {
  readonly to: RecipientsInput;
  readonly cc?: RecipientsInput | undefined;
  /** They get the message and stand in no header. */
  readonly bcc?: RecipientsInput | undefined;
  /** In place of the author of the content. */
  readonly from?: string | MailboxInput | undefined;
  readonly replyTo?: string | MailboxInput | undefined;
  /** Beside those of the content. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly attachments?: readonly AttachmentInput[] | undefined;
  /** Id or slug; either a template or inline content. */
  readonly template?: string | undefined;
  readonly content?: ContentInput | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  /** What becomes of a variable that the content prints and that has neither value nor default. Default: `refuse`. */
  readonly missingVariables?: 'refuse' | 'empty' | undefined;
  /** Lets its recipients leave its stream by one click (List-Unsubscribe, and `{{ unsubscribe_url }}`). Needs a stream. */
  readonly unsubscribe?: boolean | undefined;
  /** Not to be sent before. A time that has passed means at once. */
  readonly sendAt?: Date | undefined;
  /** 1 to 256 characters; the same key and request give the same message. */
  readonly idempotencyKey?: string | undefined;
}

export interface Recipient {
  readonly field: RecipientField;
  readonly name: string | undefined;
  readonly address: string;
  /** Its own address needs SMTPUTF8, or one that its header names. */
  readonly smtputf8: boolean;
}

/** Header fields that a message keeps with its content. */
export interface KeptFields {
  readonly to: readonly Mailbox[];
  readonly cc: readonly Mailbox[];
  readonly author?: Mailbox | undefined;
  readonly replyTo?: Mailbox | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** How many files it has, so that one without is sent without asking for them. */
  readonly files: number;
}

export interface ParsedMessage {
  /** Each address once: `to` before `cc` before `bcc`. */
  readonly recipients: readonly [Recipient, ...Recipient[]];
  /** Absent for a message to one address without a name and without fields of its own. */
  readonly own: KeptFields | undefined;
  readonly attachments: readonly Attachment[];
  readonly labels: MessageLabels;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly fingerprint: string;
}

const RECIPIENTS_LIMIT = 50;
const VARIABLES_LIMIT = 256 * 1024;

/**
 * Checks everything that can be told without the database.
 * @param at JSON pointer to the message
 * @throws InvalidInput with a pointer
 */
export function parseMessage(input: SendInput, at = ''): ParsedMessage {
  const recipients = new Map<string, Recipient>();
  for (const field of ['to', 'cc', 'bcc'] as const) {
    const given = listOf(input[field]);
    given.forEach((one, index) => {
      const pointer = Array.isArray(input[field]) ? `${at}/${field}/${index}` : `${at}/${field}`;
      const { key, ...recipient } = parseRecipient(one, pointer);
      if (!recipients.has(key)) recipients.set(key, { field, ...recipient });
    });
    if (field === 'to' && given.length === 0) throw new InvalidInput('A message needs a recipient in "to".', `${at}/to`);
  }
  const international = [...recipients.values()].some(({ field, smtputf8 }) => field !== 'bcc' && smtputf8);
  const [first, ...others] = [...recipients.values()].map((one) => ({ ...one, smtputf8: one.smtputf8 || international }));
  if (first === undefined) throw new InvalidInput('A message needs a recipient in "to".', `${at}/to`);
  if (others.length >= RECIPIENTS_LIMIT)
    throw new InvalidInput(
      `A message has at most ${RECIPIENTS_LIMIT} recipients; these are ${others.length + 1}. Send several messages, or a campaign.`,
      `${at}/to`,
    );
  if (input.unsubscribe === true && input.stream === undefined)
    throw new InvalidInput('Only a message of a stream can be unsubscribed from. Name its stream.', `${at}/unsubscribe`);
  const attachments = parseAttachments(input.attachments ?? [], `${at}/attachments`);
  const variables = parseVariables(input.variables ?? {}, `${at}/variables`);
  requireKey(input.idempotencyKey, `${at}/idempotencyKey`);
  const all = [first, ...others] as const;
  return {
    recipients: all,
    own: ownFields(input, all, attachments.length, at),
    attachments,
    labels: parseLabels(input, at),
    variables,
    fingerprint: fingerprintOf(input, all, variables),
  };
}

/** @throws InvalidInput */
export function requireKey(key: string | undefined, pointer = '/idempotencyKey'): void {
  if (key !== undefined && (key === '' || key.length > 256))
    throw new InvalidInput('An idempotency key has 1 to 256 characters.', pointer);
}

function listOf(given: RecipientsInput | undefined): readonly (string | MailboxInput)[] {
  if (given === undefined) return [];
  return Array.isArray(given) ? (given as readonly (string | MailboxInput)[]) : [given as string | MailboxInput];
}

const mailboxOf = (given: string | MailboxInput): MailboxInput => (typeof given === 'string' ? mailboxParts(given) : given);

function parseRecipient(given: string | MailboxInput, pointer: string) {
  const { address, key, smtputf8 } = parseEmailAddress(mailboxParts(mailboxOf(given).address).address, pointer);
  const { name } = parseMailbox({ ...mailboxOf(given), address }, pointer);
  return { name: name === '' ? undefined : name, address, key, smtputf8 };
}

function parseVariables(given: Readonly<Record<string, unknown>>, pointer: string): Readonly<Record<string, unknown>> {
  const variables = storableJson(given, pointer);
  if (Buffer.byteLength(JSON.stringify(variables)) > VARIABLES_LIMIT)
    throw new InvalidInput('The variables are larger than 256 kB.', pointer);
  return variables;
}

function ownFields(input: SendInput, recipients: readonly Recipient[], files: number, at: string): KeptFields | undefined {
  const author = input.from === undefined ? undefined : parseMailbox(mailboxOf(input.from), `${at}/from`);
  const replyTo = input.replyTo === undefined ? undefined : parseMailbox(mailboxOf(input.replyTo), `${at}/replyTo`);
  const headers = parseHeaders(input.headers ?? {}, `${at}/headers`);
  const plain = recipients.length === 1 && recipients[0]?.name === undefined && files === 0;
  if (plain && author === undefined && replyTo === undefined && Object.keys(headers).length === 0) return undefined;
  const named = (field: RecipientField): Mailbox[] =>
    recipients
      .filter((one) => one.field === field)
      .map(({ name, address }) => ({ address, ...(name === undefined ? {} : { name }) }));
  return {
    to: named('to'),
    cc: named('cc'),
    headers,
    files,
    ...(author === undefined ? {} : { author }),
    ...(replyTo === undefined ? {} : { replyTo }),
  };
}

/** Over what the request asks for, however it is written; of files a hash, since they may have megabytes. */
function fingerprintOf(input: SendInput, recipients: readonly Recipient[], variables: Readonly<Record<string, unknown>>): string {
  const { idempotencyKey: _, to: _to, cc: _cc, bcc: _bcc, attachments = [], variables: _variables, ...rest } = input;
  const files = attachments.map(({ content, ...file }) => [file, requestFingerprint([content])]);
  return requestFingerprint([recipients, rest, variables, files]);
}
