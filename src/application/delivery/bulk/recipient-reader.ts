import type { RecipientFacts } from '../../../domain/audience/index.ts';
import type { Reached, ShardProgress, Turn } from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import type { Id } from '../../../domain/shared/ids.ts';

/** Facts older than this are read again: with the 1.5 s that a message may wait behind it, promise D11's five seconds hold. */
export const FRESH_MS = 3_000;
/** Read ahead: a second's worth of recipients within these bounds. */
const FEWEST_AHEAD = 50;
const MOST_AHEAD = 1_000;
/** Larger pages keep a core of the database busy, and a mail server on the same machine then answers late. */
const LARGEST_PAGE = 250;

/** One recipient ready to be composed, with the page that says whether they may be mailed. */
export interface ReadRecipient {
  readonly turn: Turn;
  /** Undefined when the subscriber is gone. */
  readonly facts: RecipientFacts | undefined;
  /** An earlier holder's or run's acceptance is recorded already: nothing may be sent. */
  readonly accepted: boolean;
  readonly page: ReadPage;
}

/** Facts about a page of recipients, or why a host application's data for this page could not be read. */
export interface ReadPage extends Reached {
  readonly facts: ReadonlyMap<Id, RecipientFacts>;
  readonly failure: string | undefined;
  /** When the question was put that `facts` answer, by the monotonic clock. */
  readonly checkedAt: number;
}

/** Reads the recipients of one shard ahead of its hand-over, page by page. No fact is older than three seconds. */
export class RecipientReader {
  readonly #shard: ShardProgress;
  readonly #read: (turns: readonly Turn[]) => Promise<ReadPage>;
  readonly #check: (turns: readonly Turn[]) => Promise<ReadPage>;
  readonly #clock: Clock;
  readonly #onReady: () => void;
  readonly #onError: (error: unknown) => void;
  /** Who was read and not yet taken, with the page that answers for them. */
  readonly #ahead = new Map<Id, ReadPage>();
  /** Monotonic moment at which the page under way was asked for. */
  #loading: number | undefined;
  #wanted = FEWEST_AHEAD;
  #wantedSince = 0;
  #taken = 0;

  constructor(deps: {
    shard: ShardProgress;
    read: (turns: readonly Turn[]) => Promise<ReadPage>;
    check: (turns: readonly Turn[]) => Promise<ReadPage>;
    clock: Clock;
    onReady: () => void;
    onError: (error: unknown) => void;
  }) {
    this.#shard = deps.shard;
    this.#read = deps.read;
    this.#check = deps.check;
    this.#clock = deps.clock;
    this.#onReady = deps.onReady;
    this.#onError = deps.onError;
  }

  /** Since when a page is on its way, by the monotonic clock. */
  get loadingSince(): number | undefined {
    return this.#loading;
  }

  /** The next recipient, or undefined while a page or a claim is on its way. */
  next(): ReadRecipient | undefined {
    const turn = this.#shard.take();
    if (turn === undefined) {
      this.#loadAhead();
      return undefined;
    }
    const { subscriberId: id } = turn;
    const page = this.#ahead.get(id);
    if (page === undefined || this.#clock.monotonic() - page.checkedAt > FRESH_MS) {
      // Everything read together is as old: read it all again. A turn that came back unsent was read and forgotten before.
      if (page !== undefined) this.#ahead.clear();
      this.#shard.giveBack(turn.position);
      this.#loadAhead(true);
      return undefined;
    }
    this.#ahead.delete(id);
    this.#taken += 1;
    this.#loadAhead();
    return recipientOf(turn, page);
  }

  /** Returns the recipient that `next` has just given: it is the next one again. */
  putBack({ turn, page }: ReadRecipient): void {
    this.#ahead.set(turn.subscriberId, page);
    this.#taken -= 1;
    this.#shard.giveBack(turn.position);
  }

  /** Whether such a recipient is among those that were read ahead. */
  isAhead(like: (address: string) => boolean): boolean {
    for (const [id, { facts }] of this.#ahead) {
      const known = facts.get(id);
      if (known !== undefined && known.refusal === undefined && like(known.address)) return true;
    }
    return false;
  }

  /** The present facts about recipients whose turns were taken. */
  async again(turns: readonly Turn[]): Promise<readonly ReadRecipient[]> {
    const page = await this.#read(turns);
    return turns.map((turn) => recipientOf(turn, page));
  }

  /** Whether recipients whose messages are composed may still be mailed; it never waits for a host application. */
  async check(turns: readonly Turn[]): Promise<readonly ReadRecipient[]> {
    const page = await this.#check(turns);
    return turns.map((turn) => recipientOf(turn, page));
  }

  /** Reads on as soon as half of what is wanted ahead is gone; `needed` when the next one is missing. */
  #loadAhead(needed = false): void {
    if (this.#loading !== undefined || (!needed && this.#ahead.size > this.#wanted / 2)) return;
    const turns = this.#shard.peek(Math.min(this.#wanted, LARGEST_PAGE), this.#ahead);
    if (turns.length === 0) return;
    this.#loading = this.#clock.monotonic();
    this.#fit(this.#loading);
    this.#read(turns).then(
      (page) => {
        this.#loading = undefined;
        for (const { subscriberId } of turns) this.#ahead.set(subscriberId, page);
        this.#onReady();
      },
      (error: unknown) => {
        // No callback: callers ask again by a clock of their own, not in a loop while the database is unavailable.
        this.#loading = undefined;
        this.#onError(error);
      },
    );
  }

  /** Quick campaigns read far ahead, slow ones do not read in vain. */
  #fit(now: number): void {
    const seconds = (now - this.#wantedSince) / 1_000;
    const page = Math.min(this.#wanted, LARGEST_PAGE);
    if (seconds < 0.05 && this.#taken < page) return;
    const perSecond = this.#taken / Math.max(seconds, 0.001);
    const growing = this.#taken >= this.#wanted ? this.#wanted * 2 : 0;
    this.#wanted = Math.round(Math.min(MOST_AHEAD, Math.max(FEWEST_AHEAD, perSecond, growing)));
    this.#wantedSince = now;
    this.#taken = 0;
  }
}

function recipientOf(turn: Turn, page: ReadPage): ReadRecipient {
  const { subscriberId: id } = turn;
  const known = page.possibly.has(id) ? { ...turn, possibleRepeat: true } : turn;
  return { turn: known, facts: page.facts.get(id), accepted: page.accepted.has(id), page };
}
