import type { Id } from '../shared/ids.ts';
import type { Attachment } from './attachment.ts';
import type { MessageLabels } from './message-labels.ts';
import type { MessageFacts, TransactionalMessage } from './transactional-message.ts';

/** A message as it is accepted: its first recipient, its content, and what else it has. */
export type NewMessage = Pick<
  TransactionalMessage,
  'projectId' | 'content' | 'variables' | 'templateId' | 'sendAt' | 'idempotencyKey' | 'fingerprint'
> &
  MessageLabels &
  NewRecipient & {
    readonly others: readonly NewRecipient[];
    readonly attachments: readonly Attachment[];
  };

export interface NewRecipient {
  readonly recipient: MessageFacts['recipient'];
  /** Why this recipient is not mailed: it is skipped from the beginning. */
  readonly refusal: string | undefined;
}

/** A message for its first recipient, and its copies. */
export type AcceptedCopies = readonly [TransactionalMessage, ...TransactionalMessage[]];

/** What is kept of a batch, so that a repeated request gets the same answer: each message's id, or why it was refused. */
export interface StoredBatch {
  readonly fingerprint: string;
  readonly answer: readonly {
    readonly id?: Id | undefined;
    readonly error?: { readonly code: string; readonly message: string; readonly pointer: string | undefined } | undefined;
  }[];
}
