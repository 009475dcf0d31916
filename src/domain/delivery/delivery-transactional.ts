import type { Clock } from '../shared/clock.ts';
import { NotFound } from '../shared/errors.ts';
import type { Id, Ids } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { Attempt } from './attempt.ts';
import { withoutAddress } from './reply-privacy.ts';
import { nextAttemptAt, type RetryPolicy } from './retry-policy.ts';
import type {
  AttemptMaker,
  MessageAttempt,
  MessageFacts,
  TransactionalMessage,
  TransactionalState,
} from './transactional-message.ts';
import type { TransactionalStore } from './transactional-store.ts';
import { WORKER_LIVE_MS, WORKER_LOST_MS } from './worker.ts';

const WAITING: readonly TransactionalState[] = ['accepted', 'deferred', 'in_doubt'];
/** In doubt: the sweep has given the attempt up before its worker, who was only slow, told how it ended. */
const UNKNOWN_END: readonly TransactionalState[] = ['attempting', 'in_doubt'];
const NOT_ACCEPTED: readonly TransactionalState[] = [...WAITING, 'attempting', 'rejected', 'expired', 'failed', 'skipped'];

/** Of unexpected faults; with the policy's delays about eight minutes. */
const MOST_FAULTS = 5;

const attemptKey = (message: MessageFacts) => ({
  projectId: message.projectId,
  messageId: message.id,
  number: message.attempts,
});

/** Messages that an action of one user caused, and their attempts. */
export class DeliveryTransactional {
  readonly #store: TransactionalStore;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #transactionalRetry: RetryPolicy;
  readonly #random: () => number;

  constructor(deps: {
    transactional: TransactionalStore;
    clock: Clock;
    ids: Ids;
    random: () => number;
    transactionalRetry: RetryPolicy;
  }) {
    this.#store = deps.transactional;
    this.#clock = deps.clock;
    this.#ids = deps.ids;
    this.#transactionalRetry = deps.transactionalRetry;
    this.#random = deps.random;
  }

  /** Stores a transactional message; the caller enqueues its job in the same transaction. Undefined when its idempotency key is taken. */
  async accept(
    input: Pick<
      TransactionalMessage,
      'projectId' | 'recipient' | 'content' | 'variables' | 'templateId' | 'idempotencyKey' | 'fingerprint'
    >,
  ): Promise<TransactionalMessage | undefined> {
    const now = this.#clock.now();
    const message: TransactionalMessage = {
      ...input,
      id: this.#ids.next(),
      state: 'accepted',
      attempts: 0,
      faults: 0,
      nextAttemptAt: now,
      acceptedAt: now,
      at: now,
      code: undefined,
      reply: undefined,
    };
    return (await this.#store.add(message)) ? message : undefined;
  }

  /** @throws NotFound */
  async get(projectId: Id, id: Id): Promise<MessageFacts> {
    const message = await this.#store.facts(projectId, id);
    if (message === undefined) throw new NotFound('message', id);
    return message;
  }

  list(projectId: Id, page: PageRequest): Promise<Page<MessageFacts>> {
    return this.#store.list(projectId, page);
  }

  byIdempotencyKey(projectId: Id, key: string): Promise<MessageFacts | undefined> {
    return this.#store.byIdempotencyKey(projectId, key);
  }

  attempts(projectId: Id, messageId: Id): Promise<readonly MessageAttempt[]> {
    return this.#store.attempts(projectId, messageId);
  }

  /** True when an earlier attempt ended in doubt: a further one must be marked as a possible repeat. */
  async mayHaveArrived({ projectId, id }: MessageFacts): Promise<boolean> {
    return (await this.#store.attempts(projectId, id)).some((attempt) => attempt.outcome === 'in_doubt');
  }

  /** The message, if it is waiting to be sent, and whether it is due: the database's clock decides that, not this process's. */
  async waiting(projectId: Id, id: Id): Promise<{ message: TransactionalMessage; due: boolean } | undefined> {
    const found = await this.#store.message(projectId, id);
    if (found?.message.nextAttemptAt === undefined || !WAITING.includes(found.message.state)) return undefined;
    return found;
  }

  /**
   * Commits that an attempt starts, before MAIL is written: a start without an end is `in_doubt`. Undefined when the message
   * is not waiting any more: another worker has it, or it is settled. Asked again by the worker that has begun it, because the
   * answer to the commit was lost, it is the same attempt.
   */
  async beginAttempt(message: MessageFacts, by: AttemptMaker): Promise<MessageFacts | undefined> {
    const now = this.#clock.now();
    const begun: MessageFacts = {
      ...message,
      state: 'attempting',
      attempts: message.attempts + 1,
      nextAttemptAt: undefined,
      at: now,
    };
    if (await this.#store.moveToAttempt(begun, { states: WAITING, attempts: message.attempts }, by)) return begun;
    return (await this.#store.isAttemptOf(attemptKey(begun), by.workerId)) ? begun : undefined;
  }

  /**
   * What the attempt came to. Transactional mail in doubt is tried again by policy, with the same Message-ID. Undefined when
   * it was given up as lost meanwhile and another worker has continued; an acceptance is kept even then.
   */
  async endAttempt(message: MessageFacts, attempt: Attempt): Promise<MessageFacts | undefined> {
    const now = this.#clock.now();
    const reply = withoutAddress(attempt.reply, message.recipient.address);
    const again = attempt.outcome === 'deferred' || attempt.outcome === 'in_doubt';
    const expired = again && now.getTime() - message.acceptedAt.getTime() >= this.#transactionalRetry.lifetimeMs;
    const ended: MessageFacts = {
      ...message,
      state: expired ? 'expired' : attempt.outcome,
      nextAttemptAt:
        again && !expired ? nextAttemptAt(this.#transactionalRetry, message.attempts, now, this.#random()) : undefined,
      at: now,
      code: attempt.code,
      reply,
    };
    const { outcome, code } = attempt;
    const from = outcome === 'submitted' ? { states: NOT_ACCEPTED } : { states: UNKNOWN_END, attempts: message.attempts };
    return (await this.#store.moveFromAttempt(ended, from, { outcome, code, reply })) ? ended : undefined;
  }

  /** The attempt never wrote a byte: the message waits as before. */
  async takeBack(message: MessageFacts): Promise<void> {
    const now = this.#clock.now();
    const waiting: MessageFacts = {
      ...message,
      state: message.attempts === 1 ? 'accepted' : 'deferred',
      attempts: message.attempts - 1,
      nextAttemptAt: now,
      at: now,
    };
    if (await this.#store.move(waiting, { states: UNKNOWN_END, attempts: message.attempts }))
      await this.#store.removeAttempt(attemptKey(message));
  }

  /**
   * Ends a message without an attempt: its data break the template, or its recipient is suppressed. Undefined when it was not
   * waiting any more.
   */
  async giveUp(message: MessageFacts, state: 'failed' | 'skipped', reason: string): Promise<MessageFacts | undefined> {
    const reply = withoutAddress(reason, message.recipient.address);
    const ended: MessageFacts = { ...message, state, reply, nextAttemptAt: undefined, at: this.#clock.now() };
    return (await this.#store.move(ended, { states: WAITING, attempts: message.attempts })) ? ended : undefined;
  }

  /**
   * An unexpected fault prevented an attempt of the message. It is tried again by policy; after the last time it has failed, with
   * the reason. Undefined when it was not waiting any more.
   */
  async stumble(message: MessageFacts, reason: string): Promise<MessageFacts | undefined> {
    const now = this.#clock.now();
    const faults = message.faults + 1;
    const over = faults >= MOST_FAULTS;
    const stumbled: MessageFacts = {
      ...message,
      faults,
      // A first attempt that has to wait is not due at once any more.
      state: over ? 'failed' : message.state === 'accepted' ? 'deferred' : message.state,
      nextAttemptAt: over ? undefined : nextAttemptAt(this.#transactionalRetry, faults, now, this.#random()),
      at: now,
      reply: withoutAddress(reason, message.recipient.address),
    };
    return (await this.#store.move(stumbled, { states: WAITING, attempts: message.attempts })) ? stumbled : undefined;
  }

  /** Workers with an attempt under way, and the processes that they are. */
  attemptingWorkers(): Promise<readonly { readonly id: Id; readonly process: string | undefined }[]> {
    return this.#store.attemptingWorkers();
  }

  /** Messages whose worker is gone in the middle of an attempt, surely (`dead`) or as the worker `judge` can tell: they are in doubt. */
  unfinished(judge: Id, dead: readonly Id[], limit = 100): Promise<readonly MessageFacts[]> {
    return this.#store.unfinished(judge, { silentMs: WORKER_LIVE_MS, lostMs: WORKER_LOST_MS, dead }, limit);
  }

  /** Messages under attempt by this worker. */
  unfinishedOf(worker: Id, limit = 1_000): Promise<readonly MessageFacts[]> {
    return this.#store.unfinishedOf(worker, limit);
  }

  due(limit = 500): Promise<readonly MessageFacts[]> {
    return this.#store.due(limit);
  }

  /**
   * Blanks recipient, content, variables and replies of every message to these addresses. Those that wait are skipped; the rows
   * stay, so that outcomes can be counted.
   */
  eraseRecipient(projectId: Id, addresses: readonly string[]): Promise<void> {
    return this.#store.eraseRecipient(projectId, addresses, this.#clock.now());
  }

  /** Blanks content and variables of messages that have ended and were accepted before. @returns how many, `limit` at most */
  stripMessages(projectId: Id, before: Date, limit: number): Promise<number> {
    return this.#store.stripMessages(projectId, before, limit);
  }

  /** Messages that are still to be handed over. */
  waitingMessages(projectId: Id): Promise<number> {
    return this.#store.waitingMessages(projectId);
  }
}
