import {
  firstRow,
  followingRow,
  type LedgerRow,
  type LedgerState,
  type MovedState,
  mayBeRepeated,
  noTotals,
  type Outcome,
  type RetryPolicy,
  type ShardBatch,
} from '../../domain/delivery/index.ts';
import { hasState } from './errors.ts';
import type { Sql } from './sql.ts';

/** How the totals of one shard moved by one batch. */
export interface LedgerDelta {
  readonly totals: Record<LedgerState, number>;
  /** Acceptances beyond the first per recipient. */
  repeats: number;
  /** Recipients who may have more copies than one. */
  possibleRepeats: number;
  /** Rows that came to a state they were not in before. */
  readonly moved: MovedState[];
}

const noDelta = (): LedgerDelta => ({ totals: noTotals(), repeats: 0, possibleRepeats: 0, moved: [] });

const COLUMNS = `project_id, launched_on, mailing_id, subscriber_id, run, state, copies, attempts, possible_repeat, code,
  first_attempt_at, at, next_attempt_at, reply, transport`;
/** The rows of `columnsOf`, in the order of COLUMNS. Times travel as milliseconds: a Date takes 1 us to write and to read. */
const ROWS = `select $1::uuid, $2::date, $3::uuid, subscriber_id, run, state, copies, attempts, possible_repeat, code,
    to_timestamp(first_attempt_at / 1000.0::float8), to_timestamp(at / 1000.0::float8), to_timestamp(next_attempt_at / 1000.0::float8), reply,
    transport
  from unnest($4::uuid[], $5::int[], $6::pennypost_delivery.message_state[], $7::smallint[], $8::smallint[], $9::boolean[], $10::smallint[],
    $11::float8[], $12::float8[], $13::float8[], $14::text[], $15::text[])
    as u (subscriber_id, run, state, copies, attempts, possible_repeat, code, first_attempt_at, at, next_attempt_at, reply, transport)`;

/**
 * What nearly every row of a first run is: accepted at the first attempt and never before. Half of the general statement's
 * price, because there is less to read and no conflict to prepare for (4.2 us a row, or 2.3).
 */
const ADD_ACCEPTED = `insert into pennypost_delivery.mailing_recipient (${COLUMNS})
  select $1::uuid, $2::date, $3::uuid, subscriber_id, 0, 'submitted', 1, 1, false, code, to_timestamp(at / 1000.0::float8),
    to_timestamp(at / 1000.0::float8), null, null, transport
  from unnest($4::uuid[], $5::smallint[], $6::float8[], $7::text[]) as u (subscriber_id, code, at, transport)`;

export interface LedgerRecord {
  subscriber_id: string;
  run: number;
  state: LedgerState;
  copies: number;
  attempts: number;
  possible_repeat: boolean;
  code: number | null;
  first_attempt_at: Date;
  at: Date;
  next_attempt_at: Date | null;
  reply: string | null;
  transport: string | null;
}

export const toLedgerRow = (record: LedgerRecord): LedgerRow => ({
  subscriberId: record.subscriber_id,
  run: record.run,
  state: record.state,
  copies: record.copies,
  attempts: record.attempts,
  possibleRepeat: record.possible_repeat,
  code: record.code ?? undefined,
  firstAttemptAt: record.first_attempt_at,
  at: record.at,
  nextAttemptAt: record.next_attempt_at ?? undefined,
  reply: record.reply ?? undefined,
  transport: record.transport ?? undefined,
});

/**
 * Writes the outcomes of one shard's batch into the ledger, inside the caller's transaction, and says how totals moved. A row
 * that PostgreSQL refuses is found by halving (each half in a savepoint) and stored without its words, so that one hostile
 * reply cannot stop a mailing.
 */
export class LedgerWriter {
  readonly #sql: Sql;
  readonly #policy: RetryPolicy;
  readonly #random: () => number;

  constructor(sql: Sql, policy: RetryPolicy, random: () => number) {
    this.#sql = sql;
    this.#policy = policy;
    this.#random = random;
  }

  async write(batch: ShardBatch): Promise<LedgerDelta> {
    const delta = noDelta();
    if (batch.outcomes.length === 0) return delta;
    const fresh = batch.run === 0 && batch.outcomes.every((outcome) => !outcome.possibleRepeat);
    await this.#attempt(batch, inKeyOrder(batch.outcomes), delta, fresh);
    return delta;
  }

  /** @param fresh none of these recipients is expected to have a row */
  async #attempt(batch: ShardBatch, outcomes: readonly Outcome[], delta: LedgerDelta, fresh: boolean): Promise<void> {
    try {
      // Not waited for: it leaves with the first statement behind it. Nor released: the commit does that, and a savepoint that is
      // gone back to is always the latest one.
      const saved = this.#sql.query('savepoint ledger_rows');
      const [part] = await Promise.all([fresh ? this.#addRows(batch, outcomes) : this.#writeRows(batch, outcomes), saved]);
      for (const [state, count] of Object.entries(part.totals)) delta.totals[state as LedgerState] += count;
      delta.repeats += part.repeats;
      delta.possibleRepeats += part.possibleRepeats;
      delta.moved.push(...part.moved);
    } catch (error) {
      const known = fresh && isDuplicate(error);
      if (!known && !isRefusedValue(error)) throw error;
      await this.#sql.query('rollback to savepoint ledger_rows');
      const [only] = outcomes;
      if (known) {
        // A holder that lost its lease told of some of them.
        await this.#attempt(batch, outcomes, delta, false);
      } else if (outcomes.length > 1) {
        const half = outcomes.length >> 1;
        await this.#attempt(batch, outcomes.slice(0, half), delta, fresh);
        await this.#attempt(batch, outcomes.slice(half), delta, fresh);
      } else if (only !== undefined && only.reply !== UNSTORABLE) {
        await this.#attempt(batch, [{ ...only, code: undefined, reply: UNSTORABLE }], delta, fresh);
      } else throw error;
    }
  }

  /**
   * The accepted first, then the others, each in key order: one order for both would cost what ADD_ACCEPTED saves. No circle of
   * waiting comes of it, because no transaction waits for these rows: before the commit only one that inserts the same recipients sees them, and
   * it holds the lock of their shard, taken before any row, fenced out or not (`delivery-batches.ts`, `delivery-cancelling.ts`).
   * @throws a duplicate key when one of them has a row after all
   */
  async #addRows(batch: ShardBatch, outcomes: readonly Outcome[]): Promise<LedgerDelta> {
    const delta = noDelta();
    const accepted: Outcome[] = [];
    const others: LedgerRow[] = [];
    for (const outcome of outcomes) {
      if (outcome.state === 'submitted' && outcome.reply === undefined) accepted.push(outcome);
      else others.push(firstRow(batch.run, outcome, this.#policy, this.#random()));
      delta.totals[outcome.state] += 1;
      delta.moved.push({ state: outcome.state, at: outcome.at, domain: outcome.domain });
    }
    const statements: Promise<unknown>[] = [];
    if (accepted.length > 0) statements.push(this.#sql.query(ADD_ACCEPTED, acceptedColumns(batch, accepted)));
    if (others.length > 0) {
      const add = `insert into pennypost_delivery.mailing_recipient (${COLUMNS}) ${ROWS}`;
      statements.push(this.#sql.query(add, columnsOf(batch, others)));
    }
    await Promise.all(statements);
    return delta;
  }

  async #writeRows(batch: ShardBatch, outcomes: readonly Outcome[]): Promise<LedgerDelta> {
    const delta = noDelta();
    const first = outcomes.map((outcome) => firstRow(batch.run, outcome, this.#policy, this.#random()));
    // Run 0 meets no rows but those of a repeat, later runs meet rows only.
    const isFresh = batch.run === 0 ? await this.#insert(batch, first) : () => false;
    const rest: Outcome[] = [];
    for (const [index, outcome] of outcomes.entries()) {
      if (isFresh(outcome.subscriberId)) addFresh(delta, first[index]!, outcome.domain);
      else rest.push(outcome);
    }
    if (rest.length > 0) await this.#follow(batch, rest, delta);
    return delta;
  }

  /** Tells which of them had no row. Nearly always all: then their ids do not travel back. */
  async #insert(batch: ShardBatch, rows: readonly LedgerRow[]): Promise<(subscriberId: string) => boolean> {
    const [inserted] = await this.#sql.query<{ count: number; ids: string[] | null }>(
      `with inserted as (insert into pennypost_delivery.mailing_recipient (${COLUMNS}) ${ROWS} on conflict do nothing returning subscriber_id)
       select count(*)::int as count, case when count(*) < $16::int then array_agg(subscriber_id) end as ids from inserted`,
      [...columnsOf(batch, rows), rows.length],
    );
    if (inserted?.count === rows.length) return () => true;
    const ids = new Set(inserted?.ids);
    return (subscriberId) => ids.has(subscriberId);
  }

  async #follow(batch: ShardBatch, outcomes: readonly Outcome[], delta: LedgerDelta): Promise<void> {
    const records = await this.#sql.query<LedgerRecord>(
      `select subscriber_id, run, state, copies, attempts, possible_repeat, code, first_attempt_at, at, next_attempt_at, reply,
         transport
       from pennypost_delivery.mailing_recipient
       where project_id = $1 and launched_on = $2 and mailing_id = $3 and subscriber_id = any($4::uuid[])
       order by subscriber_id for update`,
      [batch.projectId, batch.launchedOn, batch.mailingId, outcomes.map((outcome) => outcome.subscriberId)],
    );
    const existing = new Map(records.map((record) => [record.subscriber_id, toLedgerRow(record)]));
    const fresh: { readonly row: LedgerRow; readonly domain: string | undefined }[] = [];
    const changed: LedgerRow[] = [];
    for (const outcome of outcomes) {
      const row = existing.get(outcome.subscriberId);
      if (row === undefined) {
        fresh.push({ row: firstRow(batch.run, outcome, this.#policy, this.#random()), domain: outcome.domain });
        continue;
      }
      const next = followingRow(row, batch.run, outcome, this.#policy, this.#random());
      delta.totals[row.state] -= 1;
      delta.totals[next.state] += 1;
      if (next.state !== row.state) delta.moved.push({ state: next.state, at: next.at, domain: outcome.domain });
      delta.repeats += Math.max(0, next.copies - 1) - Math.max(0, row.copies - 1);
      delta.possibleRepeats += Number(mayBeRepeated(next)) - Number(mayBeRepeated(row));
      changed.push(next);
    }
    if (fresh.length > 0) {
      const rows = fresh.map(({ row }) => row);
      const isFresh = await this.#insert(batch, rows);
      for (const { row, domain } of fresh) if (isFresh(row.subscriberId)) addFresh(delta, row, domain);
    }
    if (changed.length === 0) return;
    await this.#sql.query(
      `update pennypost_delivery.mailing_recipient m
       set run = v.run, state = v.state, copies = v.copies, attempts = v.attempts, possible_repeat = v.possible_repeat, code = v.code,
         at = v.at, first_attempt_at = v.first_attempt_at, next_attempt_at = v.next_attempt_at, reply = v.reply,
         transport = v.transport
       from (${ROWS}) v (${COLUMNS})
       where m.project_id = v.project_id and m.launched_on = v.launched_on and m.mailing_id = v.mailing_id
         and m.subscriber_id = v.subscriber_id`,
      columnsOf(batch, changed),
    );
  }
}

function addFresh(delta: LedgerDelta, row: LedgerRow, domain: string | undefined): void {
  delta.totals[row.state] += 1;
  delta.possibleRepeats += Number(mayBeRepeated(row));
  delta.moved.push({ state: row.state, at: row.at, domain });
}

const UNSTORABLE = '(the reply could not be stored)';

/** Class 22 is a refused value (an encoding, a number out of range); anything else is about the statement or the server. */
const isRefusedValue = (error: unknown): boolean => hasState(error, /^22[0-9A-Z]{3}$/);
const isDuplicate = (error: unknown): boolean => hasState(error, /^23505$/);

/** One order for all who write, so that none waits for another in a circle. A batch has one outcome per recipient. */
const inKeyOrder = (outcomes: readonly Outcome[]): Outcome[] =>
  outcomes.toSorted((a, b) => (a.subscriberId < b.subscriberId ? -1 : 1));

function acceptedColumns(batch: ShardBatch, outcomes: readonly Outcome[]): unknown[] {
  const list = (value: (outcome: Outcome) => string | number): string => `{${outcomes.map(value).join(',')}}`;
  return [
    batch.projectId,
    batch.launchedOn,
    batch.mailingId,
    list((outcome) => outcome.subscriberId),
    list((outcome) => outcome.code ?? 'NULL'),
    list((outcome) => outcome.at.getTime()),
    list((outcome) => outcome.transport ?? 'NULL'),
  ];
}

/** Values of ROWS. Arrays of what needs no quotes are joined here: pg looks at every element, 2 us a row. */
function columnsOf(batch: ShardBatch, rows: readonly LedgerRow[]): unknown[] {
  const list = (value: (row: LedgerRow) => string | number | boolean): string => `{${rows.map(value).join(',')}}`;
  return [
    batch.projectId,
    batch.launchedOn,
    batch.mailingId,
    list((row) => row.subscriberId),
    list((row) => row.run),
    list((row) => row.state),
    list((row) => row.copies),
    list((row) => row.attempts),
    list((row) => row.possibleRepeat),
    list((row) => row.code ?? 'NULL'),
    list((row) => row.firstAttemptAt.getTime()),
    list((row) => row.at.getTime()),
    list((row) => row.nextAttemptAt?.getTime() ?? 'NULL'),
    rows.some((row) => row.reply !== undefined) ? rows.map((row) => row.reply?.replaceAll('\0', '') ?? null) : list(() => 'NULL'),
    list((row) => row.transport ?? 'NULL'),
  ];
}
