import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { Attachment } from './attachment.ts';
import type { StoredBatch } from './new-message.ts';
import type { AttemptMaker, MessageAttempt, MessageFacts, TransactionalMessage } from './transactional-message.ts';

/** Conditions of a listing; a message is in it when all hold, for its first recipient or a further one. */
export interface MessageSearch extends PageRequest {
  /** The address, as it is stored. */
  readonly recipient?: string | undefined;
  readonly state?: TransactionalMessage['state'] | undefined;
  readonly tag?: string | undefined;
  readonly stream?: string | undefined;
  /** Accepted at this time or later. */
  readonly since?: Date | undefined;
  /** Accepted before. */
  readonly until?: Date | undefined;
}

/** From which states, and at which number of attempts, a message moves. */
export interface MessageMove {
  readonly states: readonly TransactionalMessage['state'][];
  readonly attempts?: number;
}

/** Transactional messages and their attempts. */
export interface TransactionalStore {
  /** False, and nothing done, when a message with this idempotency key exists. */
  add(message: TransactionalMessage): Promise<boolean>;
  /** Messages without idempotency keys, each before its copies. */
  addAll(messages: readonly TransactionalMessage[]): Promise<void>;
  /** False, and nothing done, when a batch with this key exists. */
  addBatch(batch: StoredBatch & { readonly projectId: Id; readonly key: string }, at: Date): Promise<boolean>;
  batch(projectId: Id, key: string): Promise<StoredBatch | undefined>;
  forgetBatches(projectId: Id, before: Date): Promise<void>;
  addAttachments(projectId: Id, messageId: Id, attachments: readonly Attachment[]): Promise<void>;
  attachments(projectId: Id, messageId: Id): Promise<readonly Attachment[]>;
  /** `due`: its next attempt is, by the database's clock. One that was never attempted always is. */
  message(projectId: Id, id: Id): Promise<{ readonly message: TransactionalMessage; readonly due: boolean } | undefined>;
  /** Without content, like all that follow: content may have megabytes. */
  withCopies(projectId: Id, ids: readonly Id[]): Promise<readonly MessageFacts[]>;
  list(projectId: Id, search: MessageSearch): Promise<Page<MessageFacts>>;
  /** Ends a message and its copies as cancelled where they are in one of these states. @returns how many */
  cancel(projectId: Id, id: Id, from: readonly TransactionalMessage['state'][], at: Date): Promise<number>;
  addTags(projectId: Id, messageId: Id, tags: readonly string[]): Promise<void>;
  byIdempotencyKey(projectId: Id, key: string): Promise<MessageFacts | undefined>;
  /** Moves a message from one state to another; false when it was not in `from` any more, or not at this number of attempts. */
  move(message: MessageFacts, from: MessageMove): Promise<boolean>;
  /** The same, and its attempt of this number begins with it, at the same time. */
  moveToAttempt(message: MessageFacts, from: MessageMove, by: AttemptMaker): Promise<boolean>;
  /** The same, and its attempt of this number ends with it, at the same time. */
  moveFromAttempt(
    message: MessageFacts,
    from: MessageMove,
    end: Pick<MessageAttempt, 'outcome' | 'code' | 'reply' | 'fault'>,
  ): Promise<boolean>;
  /** Whether this attempt is under way and was begun by this worker. */
  isAttemptOf(attempt: Pick<MessageAttempt, 'projectId' | 'messageId' | 'number'>, workerId: Id): Promise<boolean>;
  /** As if it had never begun. */
  removeAttempt(attempt: Pick<MessageAttempt, 'projectId' | 'messageId' | 'number'>): Promise<void>;
  attempts(projectId: Id, ids: readonly Id[]): Promise<readonly MessageAttempt[]>;
  /**
   * Messages under attempt by a worker that is gone: one of `dead`, silent for `lostMs`, or for `silentMs` while none of its sessions is left on
   * the server. None, while the worker `judge` has itself not been in touch for as long without a gap: after an outage
   * every worker seems gone.
   */
  unfinished(
    judge: Id,
    after: { readonly silentMs: number; readonly lostMs: number; readonly dead: readonly Id[] },
    limit: number,
  ): Promise<readonly MessageFacts[]>;
  /** Messages under attempt by this worker. */
  unfinishedOf(worker: Id, limit: number): Promise<readonly MessageFacts[]>;
  /** Workers with an attempt under way, and the processes that they are. */
  attemptingWorkers(): Promise<readonly { readonly id: Id; readonly process: string | undefined }[]>;
  /** Messages accepted or deferred and due by the database's clock, oldest first: the truth behind the jobs. */
  due(limit: number): Promise<readonly MessageFacts[]>;
  /** See `DeliveryTransactional`, for these three. */
  eraseRecipient(projectId: Id, addresses: readonly string[], at: Date): Promise<void>;
  stripMessages(projectId: Id, before: Date, limit: number): Promise<number>;
  waitingMessages(projectId: Id): Promise<number>;
}
