import type { Clock } from '../shared/clock.ts';
import { NotFound } from '../shared/errors.ts';
import type { Id, Ids } from '../shared/ids.ts';
import type { Page } from '../shared/page.ts';
import type { Attachment } from './attachment.ts';
import type { Attempt } from './attempt.ts';
import { NotWaiting } from './delivery-errors.ts';
import type { AcceptedCopies, NewMessage, StoredBatch } from './new-message.ts';
import { withoutAddress } from './reply-privacy.ts';
import { nextAttemptAt, type RetryPolicy } from './retry-policy.ts';
import type {
  AttemptMaker,
  MessageAttempt,
  MessageFacts,
  TransactionalMessage,
  TransactionalState,
} from './transactional-message.ts';
import type { MessageSearch, TransactionalStore } from './transactional-store.ts';
import { WORKER_LIVE_MS, WORKER_LOST_MS } from './worker.ts';

const WAITING: readonly TransactionalState[] = ['scheduled', 'accepted', 'deferred', 'in_doubt'];
/** In doubt: the sweep has given the attempt up before its worker, who was only slow, told how it ended. */
const UNKNOWN_END: readonly TransactionalState[] = ['attempting', 'in_doubt'];
/** Not in doubt: that one may have arrived. */
const CANCELLABLE: readonly TransactionalState[] = ['scheduled', 'accepted', 'deferred'];
const NOT_ACCEPTED: readonly TransactionalState[] = [
  ...WAITING,
  'attempting',
  'rejected',
  'expired',
  'failed',
  'skipped',
  'cancelled',
];

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

  /**
   * Stores a transactional message with its copies for further recipients, and its files; the caller enqueues the jobs of all of them in
   * the same transaction. Undefined when its idempotency key is taken.
   */
  async accept(input: NewMessage): Promise<AcceptedCopies | undefined> {
    const [message, ...copies] = this.#made(input);
    if (!(await this.#store.add(message))) return undefined;
    await Promise.all([copies.length === 0 ? undefined : this.#store.addAll(copies), this.#addParts(message, input)]);
    return [message, ...copies];
  }

  /**
   * The same for many at once, whose idempotency key is that of the whole batch.
   * @param record what is kept of the batch for a repeated request; undefined when it has no key
   * @returns undefined, and nothing done, when the key is taken
   */
  async acceptAll(
    inputs: readonly NewMessage[],
    record: (ids: readonly Id[]) => (StoredBatch & { readonly projectId: Id; readonly key: string }) | undefined,
  ): Promise<readonly AcceptedCopies[] | undefined> {
    const made = inputs.map((input) => this.#made(input));
    const batch = record(made.map(([{ id }]) => id));
    if (batch !== undefined && !(await this.#store.addBatch(batch, this.#clock.now()))) return undefined;
    if (made.length > 0) await this.#store.addAll(made.flat());
    await Promise.all(inputs.map((input, index) => this.#addParts(made[index]![0], input)));
    return made;
  }

  /** What was answered to the batch with this idempotency key. */
  batch(projectId: Id, key: string): Promise<StoredBatch | undefined> {
    return this.#store.batch(projectId, key);
  }

  /** Forgets batches that were accepted before; their messages stay. */
  forgetBatches(projectId: Id, before: Date): Promise<void> {
    return this.#store.forgetBatches(projectId, before);
  }

  async #addParts({ projectId, id, tags }: TransactionalMessage, { attachments }: NewMessage): Promise<void> {
    await Promise.all([
      attachments.length === 0 ? undefined : this.#store.addAttachments(projectId, id, attachments),
      tags.length === 0 ? undefined : this.#store.addTags(projectId, id, tags),
    ]);
  }

  #made({ others, attachments: _, ...first }: NewMessage): AcceptedCopies {
    const message = this.#new(first);
    const bare = {
      ...first,
      content: {},
      variables: {},
      tags: [],
      metadata: undefined,
      idempotencyKey: undefined,
      fingerprint: '',
    };
    return [message, ...others.map((recipient) => this.#new({ ...bare, ...recipient, copyOf: message.id }))];
  }

  #new({ refusal, ...input }: Omit<NewMessage, 'others' | 'attachments'> & { readonly copyOf?: Id }): TransactionalMessage {
    const now = this.#clock.now();
    const later = input.sendAt !== undefined && input.sendAt > now ? input.sendAt : undefined;
    return {
      ...input,
      copyOf: input.copyOf,
      id: this.#ids.next(),
      state: refusal !== undefined ? 'skipped' : later === undefined ? 'accepted' : 'scheduled',
      attempts: 0,
      faults: 0,
      nextAttemptAt: refusal === undefined ? (later ?? now) : undefined,
      acceptedAt: now,
      at: now,
      code: undefined,
      reply: refusal,
    };
  }

  /** The files of a message, in their order. */
  attachments(projectId: Id, messageId: Id): Promise<readonly Attachment[]> {
    return this.#store.attachments(projectId, messageId);
  }

  /** A message, or a copy, by its own id. */
  async facts(projectId: Id, id: Id): Promise<MessageFacts | undefined> {
    return (await this.#store.message(projectId, id))?.message;
  }

  /** A message and its copies, in the order of its recipients. @throws NotFound */
  async get(projectId: Id, id: Id): Promise<readonly [MessageFacts, ...MessageFacts[]]> {
    const found = (await this.messagesAt(projectId, [id])).get(id);
    if (found === undefined) throw new NotFound('message', id);
    return found;
  }

  /** The first recipient of each. */
  list(projectId: Id, search: MessageSearch): Promise<Page<MessageFacts>> {
    return this.#store.list(projectId, search);
  }

  /** Ends what waits for its first attempt or a further one; nothing may have arrived of it. @throws NotFound, NotWaiting */
  async cancel(projectId: Id, id: Id): Promise<void> {
    const cancelled = await this.#store.cancel(projectId, id, CANCELLABLE, this.#clock.now());
    if (cancelled > 0) return;
    await this.get(projectId, id);
    throw new NotWaiting();
  }

  /** The messages at these ids, each with its copies. */
  async messagesAt(projectId: Id, ids: readonly Id[]): Promise<ReadonlyMap<Id, readonly [MessageFacts, ...MessageFacts[]]>> {
    const found = new Map<Id, [MessageFacts, ...MessageFacts[]]>();
    for (const facts of ids.length === 0 ? [] : await this.#store.withCopies(projectId, ids)) {
      const { id, copyOf } = facts;
      if (copyOf === undefined) found.set(id, [facts]);
      else found.get(copyOf)?.push(facts);
    }
    return found;
  }

  byIdempotencyKey(projectId: Id, key: string): Promise<MessageFacts | undefined> {
    return this.#store.byIdempotencyKey(projectId, key);
  }

  /** Of these messages and copies, each one's in their order. */
  attempts(projectId: Id, ids: readonly Id[]): Promise<readonly MessageAttempt[]> {
    return this.#store.attempts(projectId, ids);
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
   * @param movesOn another transport takes the message: it is due at once
   */
  async endAttempt(message: MessageFacts, attempt: Attempt, movesOn = false): Promise<MessageFacts | undefined> {
    const now = this.#clock.now();
    const reply = withoutAddress(attempt.reply, message.recipient.address);
    const again = attempt.outcome === 'deferred' || attempt.outcome === 'in_doubt';
    const expired =
      again && now.getTime() - (message.sendAt ?? message.acceptedAt).getTime() >= this.#transactionalRetry.lifetimeMs;
    const ended: MessageFacts = {
      ...message,
      state: expired ? 'expired' : attempt.outcome,
      nextAttemptAt:
        again && !expired
          ? movesOn
            ? now
            : nextAttemptAt(this.#transactionalRetry, message.attempts, now, this.#random())
          : undefined,
      at: now,
      code: attempt.code,
      reply,
    };
    const { outcome, code, fault } = attempt;
    const from = outcome === 'submitted' ? { states: NOT_ACCEPTED } : { states: UNKNOWN_END, attempts: message.attempts };
    return (await this.#store.moveFromAttempt(ended, from, { outcome, code, reply, fault })) ? ended : undefined;
  }

  /** No transport takes the message before `until`; it expires as one that is tried. Undefined when it was not waiting any more. */
  async postpone(message: MessageFacts, until: Date, reason: string): Promise<MessageFacts | undefined> {
    const now = this.#clock.now();
    const expired = now.getTime() - (message.sendAt ?? message.acceptedAt).getTime() >= this.#transactionalRetry.lifetimeMs;
    const waiting = message.state === 'accepted' ? 'deferred' : message.state;
    const postponed: MessageFacts = {
      ...message,
      state: expired ? 'expired' : waiting,
      nextAttemptAt: expired ? undefined : until,
      at: now,
      reply: withoutAddress(reason, message.recipient.address),
    };
    return (await this.#store.move(postponed, { states: WAITING, attempts: message.attempts })) ? postponed : undefined;
  }

  /** The attempt never wrote a byte: the message waits as before. */
  async withdrawAttempt(message: MessageFacts): Promise<void> {
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
   * Blanks recipient, content, variables, files and replies of every message to these addresses, and of its copies: their header names
   * the address. Those that wait are skipped; the rows stay, so that outcomes can be counted.
   */
  eraseRecipient(projectId: Id, addresses: readonly string[]): Promise<void> {
    return this.#store.eraseRecipient(projectId, addresses, this.#clock.now());
  }

  /** Blanks content and variables and removes the files of messages that have ended and were accepted before. @returns how many, `limit` at most */
  stripMessages(projectId: Id, before: Date, limit: number): Promise<number> {
    return this.#store.stripMessages(projectId, before, limit);
  }

  /** Messages that are still to be handed over. */
  waitingMessages(projectId: Id): Promise<number> {
    return this.#store.waitingMessages(projectId);
  }
}
