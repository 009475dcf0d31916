import type {
  MessageAttempt,
  MessageFacts,
  MessageLabels,
  RecipientField,
  TransactionalState,
} from '../../../domain/delivery/index.ts';
import type { Id } from '../../../domain/shared/ids.ts';

/** What became of a message for one of its recipients. */
export interface MessageRecipient {
  readonly field: RecipientField;
  readonly name: string | undefined;
  /** Empty once the recipient was erased. */
  readonly address: string;
  readonly state: TransactionalState;
  readonly attempts: number;
  readonly nextAttemptAt: Date | undefined;
  /** Time of the last change of state. */
  readonly at: Date;
  /** SMTP reply code of the last attempt. */
  readonly code: number | undefined;
  /** The last reply, or the reason why it was not sent. */
  readonly reply: string | undefined;
}

/** A transactional message without its content. */
export interface Message extends MessageLabels {
  readonly id: Id;
  /** That of the recipient who has got least far: `submitted` only when all are. */
  readonly state: TransactionalState;
  readonly templateId: Id | undefined;
  readonly sendAt: Date | undefined;
  readonly acceptedAt: Date;
  /** `to` before `cc` before `bcc`. */
  readonly recipients: readonly MessageRecipient[];
}

export interface MessageWithAttempts extends Message {
  readonly recipients: readonly (MessageRecipient & { readonly tries: readonly MessageAttempt[] })[];
}

/** What waits comes first, then what did not arrive. */
const LEAST_FIRST: readonly TransactionalState[] = [
  'attempting',
  'accepted',
  'scheduled',
  'deferred',
  'in_doubt',
  'failed',
  'rejected',
  'expired',
  'skipped',
  'cancelled',
  'submitted',
];

/** A message of its first recipient and its copies. */
export function messageOf(all: readonly [MessageFacts, ...MessageFacts[]]): Message {
  const [{ id, templateId, stream, tags, metadata, sendAt, acceptedAt, state }] = all;
  return {
    id,
    state: LEAST_FIRST.find((one) => all.some((copy) => copy.state === one)) ?? state,
    templateId,
    stream,
    tags,
    metadata,
    sendAt,
    acceptedAt,
    recipients: all.map(recipientOf),
  };
}

/** The same as it was answered when it was accepted, whatever has become of it. */
export function messageAtAcceptance(all: readonly [MessageFacts, ...MessageFacts[]]): Message {
  const [first, ...copies] = all.map(
    (facts): MessageFacts => ({
      ...facts,
      // Skipped by then only if it never waited.
      ...(facts.state === 'skipped' && facts.at.getTime() === facts.acceptedAt.getTime() ? {} : atAcceptance(facts)),
      at: facts.acceptedAt,
    }),
  ) as [MessageFacts, ...MessageFacts[]];
  return messageOf([first, ...copies]);
}

function atAcceptance({ sendAt, acceptedAt }: MessageFacts) {
  const later = sendAt !== undefined && sendAt > acceptedAt ? sendAt : undefined;
  const state: TransactionalState = later === undefined ? 'accepted' : 'scheduled';
  return { state, attempts: 0, nextAttemptAt: later ?? acceptedAt, code: undefined, reply: undefined };
}

export function withAttempts(
  all: readonly [MessageFacts, ...MessageFacts[]],
  attempts: readonly MessageAttempt[],
): MessageWithAttempts {
  const byCopy = Map.groupBy(attempts, (attempt) => attempt.messageId);
  return { ...messageOf(all), recipients: all.map((copy) => ({ ...recipientOf(copy), tries: byCopy.get(copy.id) ?? [] })) };
}

function recipientOf({ recipient, state, attempts, nextAttemptAt, at, code, reply }: MessageFacts): MessageRecipient {
  const { field, name, address } = recipient;
  return { field, name, address, state, attempts, nextAttemptAt, at, code, reply };
}
