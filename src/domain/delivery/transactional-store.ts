import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { AttemptMaker, MessageAttempt, MessageFacts, TransactionalMessage } from './transactional-message.ts';

/** From which states, and at which number of attempts, a message moves. */
export interface MessageMove {
  readonly states: readonly TransactionalMessage['state'][];
  readonly attempts?: number;
}

/** Transactional messages and their attempts. */
export interface TransactionalStore {
  /** False, and nothing done, when a message with this idempotency key exists. */
  add(message: TransactionalMessage): Promise<boolean>;
  /** `due`: its next attempt is, by the database's clock. One that was never attempted always is. */
  message(projectId: Id, id: Id): Promise<{ readonly message: TransactionalMessage; readonly due: boolean } | undefined>;
  /** Without content, like all that follow: content may have megabytes. */
  facts(projectId: Id, id: Id): Promise<MessageFacts | undefined>;
  list(projectId: Id, page: PageRequest): Promise<Page<MessageFacts>>;
  byIdempotencyKey(projectId: Id, key: string): Promise<MessageFacts | undefined>;
  /** Moves a message from one state to another; false when it was not in `from` any more, or not at this number of attempts. */
  move(message: MessageFacts, from: MessageMove): Promise<boolean>;
  /** The same, and its attempt of this number begins with it, at the same time. */
  moveToAttempt(message: MessageFacts, from: MessageMove, by: AttemptMaker): Promise<boolean>;
  /** The same, and its attempt of this number ends with it, at the same time. */
  moveFromAttempt(
    message: MessageFacts,
    from: MessageMove,
    end: Pick<MessageAttempt, 'outcome' | 'code' | 'reply'>,
  ): Promise<boolean>;
  /** Whether this attempt is under way and was begun by this worker. */
  isAttemptOf(attempt: Pick<MessageAttempt, 'projectId' | 'messageId' | 'number'>, workerId: Id): Promise<boolean>;
  /** As if it had never begun. */
  removeAttempt(attempt: Pick<MessageAttempt, 'projectId' | 'messageId' | 'number'>): Promise<void>;
  attempts(projectId: Id, messageId: Id): Promise<readonly MessageAttempt[]>;
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
