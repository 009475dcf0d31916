import type { KeyRing, Project } from '../../../domain/access/index.ts';
import type { Renderer } from '../../../domain/campaign/index.ts';
import type { Attempt, MessageFacts, TransactionalMessage, Transport, Withdrawn } from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import { DomainError } from '../../../domain/shared/errors.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import { issueTransactionalTokens, TEST_TOKEN } from '../../../domain/tracking/index.ts';
import type { Log } from '../../log.ts';
import type { UnitOfWork } from '../../unit-of-work.ts';
import { Background } from '../background.ts';
import { failedAttempt } from '../bulk/leased-shard.ts';
import { sendMessage } from '../jobs.ts';
import { marked } from '../repeat-mark.ts';
import type { MessageWay, NoWay, TransactionalWays } from '../routing/transactional-ways.ts';
import type { Signing } from '../signing.ts';
import { IdleJobs } from './idle-jobs.ts';
import type { Begun, EndOptions, FreshMessage, ReadyMessage } from './ready-message.ts';
import { authorOf, type Composition, contentOf, planContext, variablesFor } from './stored-content.ts';
import { UNRECORDED, UNSTORABLE_REPLY, VANISHED } from './unended-attempts.ts';

/** A suppressed recipient is not mailed more than five seconds later (promise D11). */
const FRESH_MS = 4_500;
/** How often that is asked again for a message that waits for a connection or for a slow server. */
const ASK_AGAIN_MS = 2_000;
/** About a minute, then the job is given back to the queue. */
const BEGIN_TRIES = 60;
/** Messages in hand at most for a new one to be handed over at once; beyond, they wait for a worker of the lane. */
const MOST_AT_ONCE = 50;
/** What was asked about a recipient within this time is not asked again. */
const JUST_NOW_MS = 1_000;

/** The transactional lane: hands accepted messages over. */
export class SendTransactional {
  readonly #work: UnitOfWork;
  readonly #renderer: Renderer;
  readonly #ways: TransactionalWays;
  readonly #keys: KeyRing;
  readonly #signing: Signing;
  readonly #clock: Clock;
  readonly #workerId: Id;
  readonly #isTransient: (error: unknown) => boolean;
  readonly #background: Background;
  /** Attempts that were begun and whose end is not recorded. */
  readonly #open = new Set<Id>();
  readonly #log: Log;
  readonly #isGone: (process: string | undefined) => Promise<boolean>;
  /** Messages that this worker prepares, hands over or records, each with its end. */
  readonly #inHand = new Map<string, Promise<unknown>>();
  /** Whether this process works on the lane, and so hands over at once what it has accepted. */
  #works = false;
  readonly #idleJobs: IdleJobs;
  /** Attempts of this worker that were not in progress at the last check. */
  #strays: ReadonlySet<string> = new Set();

  constructor(deps: {
    work: UnitOfWork;
    renderer: Renderer;
    ways: TransactionalWays;
    keys: KeyRing;
    signing: Signing;
    clock: Clock;
    log: Log;
    workerId: Id;
    isTransient: (error: unknown) => boolean;
    /** Whether a worker's process has surely ended; false where this process cannot tell. */
    isGone: (process: string | undefined) => Promise<boolean>;
  }) {
    this.#work = deps.work;
    this.#renderer = deps.renderer;
    this.#ways = deps.ways;
    this.#keys = deps.keys;
    this.#signing = deps.signing;
    this.#clock = deps.clock;
    this.#workerId = deps.workerId;
    this.#isTransient = deps.isTransient;
    this.#isGone = deps.isGone;
    this.#log = deps.log;
    this.#idleJobs = new IdleJobs(deps);
    this.#background = new Background((error) =>
      deps.log.warn({ reason: error }, 'could not check whether the recipient may still be mailed; the message waits'),
    );
  }

  /** From now on what this process accepts is handed over by it at once. */
  start(): void {
    this.#works = true;
    this.#idleJobs.start();
  }

  /** Leaves new messages to their jobs, and finishes those in hand. */
  async stop(): Promise<void> {
    this.#works = false;
    await Promise.all(this.#inHand.values());
    await this.#idleJobs.stop();
  }

  /** Whether this process has room to hand one more message over at once. */
  get takesAtOnce(): boolean {
    return this.#works && this.#inHand.size < MOST_AT_ONCE;
  }

  /** Where this fails or the process ends before, the message's job does it. */
  sendAtOnce(fresh: FreshMessage): void {
    const { projectId, id } = fresh.message;
    this.#send(projectId, id, fresh).catch((error: unknown) => {
      this.#log.warn({ message: id, reason: error }, 'a message could not be handed over at once; its job does it');
    });
  }

  /** Hands one message over, if it is (still) waiting and due. What it came to is committed; a retry is enqueued with it. */
  async send(projectId: Id, messageId: Id): Promise<MessageFacts | undefined> {
    const name = nameOf(projectId, messageId);
    // A second job of the same message waits for the first, and then finds what that has left.
    for (let other = this.#inHand.get(name); other !== undefined; other = this.#inHand.get(name)) await other;
    return this.#send(projectId, messageId);
  }

  async #send(projectId: Id, messageId: Id, fresh?: FreshMessage): Promise<MessageFacts | undefined> {
    const name = nameOf(projectId, messageId);
    const sending = this.#handOver(projectId, messageId, fresh);
    this.#inHand.set(name, Promise.allSettled([sending]));
    try {
      return await sending;
    } finally {
      this.#inHand.delete(name);
    }
  }

  async #handOver(projectId: Id, messageId: Id, fresh: FreshMessage | undefined): Promise<MessageFacts | undefined> {
    let begun: { message: MessageFacts; whole: TransactionalMessage; bytes: Uint8Array; askedAt: number } | undefined;
    let way: MessageWay | NoWay | undefined;
    try {
      const ready = fresh === undefined ? await this.#prepare(projectId, messageId) : { ...fresh, tries: [] };
      if (ready === undefined) return undefined;
      way = await this.#ways.of(ready.message, ready.tries);
      if ('until' in way) return await this.#postpone(ready.message, way);
      const bytes = await this.#bytesOf(ready, way.transport);
      const { message, askedAt } = await this.#begin(ready.message, way.name, fresh?.askedAt);
      if (message?.state !== 'attempting') {
        way.end(undefined);
        return message;
      }
      begun = { message, whole: ready.message, bytes, askedAt };
    } catch (error) {
      if (way !== undefined && 'end' in way) way.end(undefined);
      return this.#stumble(projectId, messageId, error);
    }
    this.#open.add(messageId);
    try {
      const attempt = await this.#submit(way, begun).catch(failedAttempt);
      const movesOn = way.end(attempt.outcome === 'withdrawn' ? undefined : attempt);
      return await this.#record(begun.message, attempt, { jobId: fresh?.jobId, movesOn });
    } finally {
      this.#open.delete(messageId);
    }
  }

  /** The message with its earlier attempts, when it is waiting and due. */
  async #prepare(projectId: Id, messageId: Id): Promise<ReadyMessage | undefined> {
    const [found, project] = await this.#work.single(({ delivery, access }) =>
      Promise.all([delivery.transactional.waiting(projectId, messageId), access.readProject(projectId)]),
    );
    if (found === undefined) return undefined;
    const { message } = found;
    if (message.recipient.address === '') {
      await this.#work.bulk(({ delivery }) => delivery.transactional.giveUp(message, 'skipped', 'erased'));
      return undefined;
    }
    if (!found.due) {
      // Its job was early, by a clock that is ahead or a queue that came before its time.
      await this.#work.bulk(({ jobs }) =>
        jobs.enqueue(sendMessage, { projectId, messageId }, { startAfter: message.nextAttemptAt, key: messageId }),
      );
      return undefined;
    }
    const tries =
      message.attempts === 0
        ? []
        : await this.#work.single(({ delivery }) => delivery.transactional.attempts(projectId, [messageId]));
    return { message, project, tries };
  }

  async #bytesOf({ message, project, tries }: ReadyMessage, transport: Transport): Promise<Uint8Array> {
    const composed = await this.#compose(message, project);
    const doubtful = tries.some(({ outcome }) => outcome === 'in_doubt');
    return this.#signing.signed(transport, project, authorOf(message), doubtful ? marked(composed) : composed);
  }

  /**
   * Nothing was handed over. A fault of the data ends it at once; an unexpected fault is tried some times more, because it
   * may be over by then, and ends as `failed` with its reason.
   */
  #stumble(projectId: Id, messageId: Id, error: unknown): Promise<MessageFacts | undefined> {
    if (this.#isTransient(error)) throw error;
    const passing = !(error instanceof DomainError) || error.kind === 'unavailable' || error.kind === 'limited';
    this.#log[passing ? 'error' : 'warn']({ message: messageId, reason: error }, 'a message could not be composed');
    return this.#work.bulk(async (scope) => {
      const found = await scope.delivery.transactional.waiting(projectId, messageId);
      if (found === undefined) return undefined;
      const reason = error instanceof Error ? error.message : String(error);
      if (!passing) return scope.delivery.transactional.giveUp(found.message, 'failed', reason);
      const stumbled = await scope.delivery.transactional.stumble(found.message, reason);
      if (stumbled?.nextAttemptAt !== undefined)
        await scope.jobs.enqueue(sendMessage, { projectId, messageId }, { startAfter: stumbled.nextAttemptAt, key: messageId });
      return stumbled;
    });
  }

  /** Messages whose attempt was begun and has no recorded end: in doubt, should this process end now. */
  get inDoubt(): number {
    return this.#open.size;
  }

  /** However long it takes, the content leaves only within five seconds of an answer that its recipient may be mailed. */
  async #submit(
    way: MessageWay,
    { whole: message, bytes, askedAt }: { whole: TransactionalMessage; bytes: Uint8Array; askedAt: number },
  ): Promise<Attempt | Withdrawn> {
    const { projectId, recipient } = message;
    let mailableAt = askedAt;
    const asking = this.#background.every(ASK_AGAIN_MS, async () => {
      const now = this.#clock.monotonic();
      const refusal = await this.#work.single(({ audience }) =>
        audience.suppressions.transactionalRefusal(projectId, recipient.address, message.stream),
      );
      if (refusal === undefined) mailableAt = now;
    });
    try {
      return await way.transport.submit({
        envelope: {
          from: authorOf(message),
          to: recipient.address,
          smtputf8: recipient.smtputf8,
        },
        content: bytes,
        proceed: () => way.mayProceed() && this.#clock.monotonic() - mailableAt < FRESH_MS,
      });
    } finally {
      asking.end();
    }
  }

  async #compose(message: TransactionalMessage, project: Project): Promise<Uint8Array> {
    const { content, composition } = contentOf(message);
    const { own } = composition;
    const whole = message.copyOf ?? message.id;
    const [plan, files] = await Promise.all([
      this.#renderer.compile(content, planContext(project, message.variables, composition)),
      (own?.files ?? 0) === 0
        ? []
        : this.#work.single(({ delivery }) => delivery.transactional.attachments(message.projectId, whole)),
    ]);
    const composed = plan.compose({
      ...message.recipient,
      own: own === undefined ? undefined : { ...own, files },
      variables: variablesFor(message, own),
      messageId: `${this.#tokens(message.projectId, whole).messageIdLeft}@${project.senderDomain}`,
      date: this.#clock.now(),
      clickToken: '',
      openToken: '',
      unsubscribeUrl: this.#unsubscribeUrl(message, composition),
    });
    const bytes = Buffer.from(composed.bytes);
    composed.release();
    return bytes;
  }

  /**
   * The start of the attempt is committed before anything is written. Repeated for a while where the database is away: an attempt
   * whose commit lost its answer is recognised as begun.
   * @param asked when it was asked, a moment ago, whether the recipient may be mailed
   */
  #begin(message: TransactionalMessage, transport: string, asked = Number.NEGATIVE_INFINITY): Promise<Begun> {
    const { projectId, recipient, stream } = message;
    const begin = (): Promise<Begun> => {
      const now = this.#clock.monotonic();
      const askedAt = now - asked < JUST_NOW_MS ? asked : now;
      return this.#work.single(async ({ audience, delivery }) => {
        // Lists and marketing do not concern a message that its recipient caused; a bounce, a complaint or an erasure does.
        const refusal =
          askedAt === asked ? undefined : await audience.suppressions.transactionalRefusal(projectId, recipient.address, stream);
        const begun = await (refusal === undefined
          ? delivery.transactional.beginAttempt(message, { workerId: this.#workerId, transport })
          : delivery.transactional.giveUp(message, 'skipped', `suppressed (${refusal})`));
        return { message: begun, askedAt };
      });
    };
    return this.#kept(begin, BEGIN_TRIES);
  }

  /** An outcome is never lost to its own words: what PostgreSQL does not store of a reply is left out. */
  async #record(begun: MessageFacts, attempt: Attempt | Withdrawn, options: EndOptions): Promise<MessageFacts | undefined> {
    try {
      return await this.#kept(() => this.#end(begun, attempt, options));
    } catch (error) {
      this.#log.error({ message: begun.id, reason: error }, 'the outcome of a message cannot be stored as it is');
      if (attempt.outcome === 'withdrawn') throw error;
      return this.#kept(() => this.#end(begun, { ...attempt, reply: UNSTORABLE_REPLY }));
    }
  }

  async #end(
    message: MessageFacts,
    attempt: Attempt | Withdrawn,
    { jobId, movesOn }: EndOptions = {},
  ): Promise<MessageFacts | undefined> {
    const { projectId, id: messageId } = message;
    if (attempt.outcome === 'submitted' || attempt.outcome === 'rejected') {
      const ended = await this.#work.single(({ delivery }) => delivery.transactional.endAttempt(message, attempt, movesOn));
      if (jobId !== undefined) this.#idleJobs.add(jobId);
      return ended;
    }
    return this.#work.bulk(async (scope) => {
      // The next job of the message has its key.
      if (jobId !== undefined) await scope.jobs.discard(sendMessage, [jobId]);
      if (attempt.outcome === 'withdrawn') {
        await scope.delivery.transactional.withdrawAttempt(message);
        await scope.jobs.enqueue(sendMessage, { projectId, messageId }, { key: messageId });
        return undefined;
      }
      const ended = await scope.delivery.transactional.endAttempt(message, attempt, movesOn);
      if (ended?.nextAttemptAt !== undefined)
        await scope.jobs.enqueue(sendMessage, { projectId, messageId }, { startAfter: ended.nextAttemptAt, key: messageId });
      return ended;
    });
  }

  /** No transport takes it now: it waits for the next trial of one. */
  #postpone(message: MessageFacts, { until, reason }: NoWay): Promise<MessageFacts | undefined> {
    const { projectId, id: messageId } = message;
    return this.#work.bulk(async (scope) => {
      const postponed = await scope.delivery.transactional.postpone(message, until, reason);
      if (postponed?.nextAttemptAt !== undefined)
        await scope.jobs.enqueue(sendMessage, { projectId, messageId }, { startAfter: postponed.nextAttemptAt, key: messageId });
      return postponed;
    });
  }

  /** An outcome survives an outage of the database: it is written when the database is back (promise D5). */
  async #kept<T>(write: () => Promise<T>, mostTries = Number.POSITIVE_INFINITY): Promise<T> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await write();
      } catch (error) {
        if (!this.#isTransient(error) || tries + 1 >= mostTries) throw error;
        await new Promise((resolve) => setTimeout(resolve, Math.min(50 * 2 ** tries, 1_000)));
      }
    }
  }

  /**
   * An attempt without an end whose worker is gone is in doubt, and tried again by policy. One statement when there are none of them:
   * asked every few seconds by one worker of all.
   */
  async sweep(): Promise<void> {
    const suspects = await this.#work.single((scope) => scope.delivery.transactional.attemptingWorkers());
    const gone = await Promise.all(suspects.map(({ process }) => this.#isGone(process)));
    const dead = suspects.filter((_, index) => gone[index]).map(({ id }) => id);
    const lost = await this.#work.single((scope) => scope.delivery.transactional.unfinished(this.#workerId, dead));
    for (const message of lost) await this.#end(message, VANISHED);
    // What that worker had taken and not begun is due, and its jobs are gone with it.
    if (lost.length > 0) await this.requeue();
  }

  /**
   * Ends what this worker has begun and does not hold any more: its end could not be stored. Twice seen, because what ends meanwhile
   * is still found once.
   */
  async sweepOwn(): Promise<void> {
    const found = await this.#work.single((scope) => scope.delivery.transactional.unfinishedOf(this.#workerId));
    const strays = found.filter(({ projectId, id }) => !this.#inHand.has(nameOf(projectId, id)));
    for (const message of strays) if (this.#strays.has(strayName(message))) await this.#end(message, UNRECORDED);
    this.#strays = new Set(strays.map(strayName));
  }

  /** Messages that are due get a job where none waits for them. */
  async requeue(): Promise<void> {
    await this.#work.bulk(async (scope) => {
      for (const message of await scope.delivery.transactional.due()) {
        await scope.jobs.enqueue(sendMessage, { projectId: message.projectId, messageId: message.id }, { key: message.id });
      }
    });
  }

  /** Empty where the message has no link to unsubscribe by. That of a test has no token: its page opens and unsubscribes no one. */
  #unsubscribeUrl({ projectId, id }: TransactionalMessage, { testOf, unsubscribeFrom }: Composition): string {
    if (testOf !== undefined) return `${testOf.publicUrl}/u/${TEST_TOKEN}`;
    return unsubscribeFrom === undefined ? '' : `${unsubscribeFrom}/u/${this.#tokens(projectId, id).unsubscribe}`;
  }

  #tokens(projectId: Id, messageId: Id) {
    const key = this.#keys.tokenKey(projectId, this.#keys.keyId);
    if (key === undefined) throw new Error('The instance has no secret key.');
    return issueTransactionalTokens({ projectId, messageId, key, keyId: this.#keys.keyId });
  }
}

const nameOf = (projectId: Id, messageId: Id): string => `${projectId}/${messageId}`;
const strayName = ({ projectId, id, attempts }: MessageFacts): string => `${nameOf(projectId, id)}/${attempts}`;
