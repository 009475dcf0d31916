import type { MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../../domain/shared/clock.ts';
import { pooledSql } from './session.ts';

/** Quartz clocks drift by 0.1 ms in this time; a step of the server's clock is noticed within it. */
const ASK_EVERY_MS = 5_000;
/** The first question pays for the connection, so its answer says little. */
const FIRST_QUESTIONS = 3;

/**
 * The database's clock as this process knows it, so that all processes store times of one clock. Between questions it follows the
 * local monotonic time: the wall clock of this machine, and steps of it, change nothing. What is due is decided by the database
 * itself, in SQL; this clock is off by half a round trip at most.
 */
export class DatabaseClock implements Clock {
  readonly #local: Pick<Clock, 'monotonic'>;
  readonly #ask: () => Promise<Date>;
  /** Milliseconds from the local monotonic time to the database's. */
  #offset: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(local: Pick<Clock, 'monotonic'>, ask: () => Promise<Date>) {
    this.#local = local;
    this.#ask = ask;
  }

  now(): Date {
    if (this.#offset === undefined) throw new Error('The time of the database is not known yet.');
    return new Date(this.#offset + this.#local.monotonic());
  }

  monotonic(): number {
    return this.#local.monotonic();
  }

  /** Learns the time, and follows the database's clock until `stop`. @throws DatabaseUnavailable */
  async start(): Promise<void> {
    for (let question = 0; question < FIRST_QUESTIONS; question += 1) await this.compare();
    this.#timer = setInterval(() => {
      // While the database is away the local monotonic time is the best that there is.
      this.compare().catch(() => undefined);
    }, ASK_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Asks once. The answer was right at some moment between question and arrival; what is known moves only if that refutes it. */
  async compare(): Promise<void> {
    const askedAt = this.#local.monotonic();
    const at = (await this.#ask()).getTime();
    const heardAt = this.#local.monotonic();
    const least = at - heardAt;
    // The driver cuts the microseconds off.
    const most = at + 1 - askedAt;
    this.#offset = this.#offset === undefined ? (least + most) / 2 : Math.min(Math.max(this.#offset, least), most);
  }
}

/** A clock over this pool; start it before it is read. */
export function databaseClock(orm: MikroORM, local: Pick<Clock, 'monotonic'>): DatabaseClock {
  const sql = pooledSql(orm);
  return new DatabaseClock(local, async () => {
    const [row] = await sql.query<{ now: Date }>('select clock_timestamp() as now');
    return row!.now;
  });
}
