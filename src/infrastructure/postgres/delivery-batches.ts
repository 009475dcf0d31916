import {
  type BatchVerdict,
  finalOutcome,
  LEDGER_STATES,
  type LedgerChange,
  leaseName,
  type RecordedBatches,
  type RunKey,
  runName,
  type ShardBatch,
  type ShardKey,
  shardName,
} from '../../domain/delivery/index.ts';
import type { LedgerDelta, LedgerWriter } from './delivery-ledger-writer.ts';
import type { Sql } from './sql.ts';

export type HeldKey = ShardKey & { readonly fence: number };

/** Writes batches of outcomes, inside the caller's transaction: the shards are locked and judged, the ledger is written, the shards move. */
export class BatchRecorder {
  readonly #sql: Sql;
  readonly #writer: LedgerWriter;
  readonly #leaseMs: number;

  constructor(sql: Sql, writer: LedgerWriter, leaseMs: number) {
    this.#sql = sql;
    this.#writer = writer;
    this.#leaseMs = leaseMs;
  }

  async record(batches: readonly ShardBatch[]): Promise<RecordedBatches> {
    const verdicts = new Map<string, BatchVerdict>();
    const changes: LedgerChange[] = [];
    // A process that holds a shard again while its older holding has answers left brings two batches for it: one after the other.
    for (let rest = batches; rest.length > 0; ) {
      const round = rest.filter((batch, index) => rest.findIndex((other) => shardName(other) === shardName(batch)) === index);
      rest = rest.filter((batch) => !round.includes(batch));
      await this.#recordRound(round, verdicts, changes);
    }
    return { verdicts, changes };
  }

  async #recordRound(
    batches: readonly ShardBatch[],
    verdicts: Map<string, BatchVerdict>,
    changes: LedgerChange[],
  ): Promise<void> {
    for (const [name, verdict] of await this.#judge(batches)) verdicts.set(name, verdict);
    const written = await this.#withoutRetries(batches.filter((batch) => verdicts.get(leaseName(batch)) !== 'already'));
    if (written.length === 0) return;
    const deltas = new Map<string, LedgerDelta>();
    for (const batch of written) deltas.set(leaseName(batch), await this.#writer.write(batch));
    await this.#moveShards(written, deltas, verdicts);
    for (const batch of written) {
      const { projectId, mailingId } = batch;
      changes.push({ projectId, mailingId, moved: deltas.get(leaseName(batch))?.moved ?? [] });
    }
  }

  /**
   * A cancelled run has no retries. Asked under the shards' locks, by a statement that begins under them: any caller that
   * writes down the rest of a cancelled mailing has waited for these locks, so one of both sees the other (`delivery-cancelling.ts`).
   */
  async #withoutRetries(batches: readonly ShardBatch[]): Promise<readonly ShardBatch[]> {
    const deferring = batches.filter((batch) => batch.outcomes.some((outcome) => outcome.state === 'deferred'));
    if (deferring.length === 0) return batches;
    const rows = await this.#sql.query<RunKey>(
      `select r.project_id as "projectId", r.mailing_id as "mailingId", r.number as run from pennypost_delivery.run r
       join unnest($1::uuid[], $2::uuid[], $3::int[]) as k (project_id, mailing_id, number)
         on (r.project_id, r.mailing_id, r.number) = (k.project_id, k.mailing_id, k.number)
       where r.state = 'cancelled'`,
      keyColumns(deferring).slice(0, 3),
    );
    const cancelled = new Set(rows.map(runName));
    return batches.map((batch) =>
      cancelled.has(runName(batch)) ? { ...batch, outcomes: batch.outcomes.map(finalOutcome) } : batch,
    );
  }

  /** Locks the shards in key order and tells which batches may move them. */
  async #judge(batches: readonly ShardBatch[]): Promise<Map<string, BatchVerdict>> {
    const rows = await this.#sql.query<ShardKey & { fence: number; batch: number; fence_batches: number[] }>(
      `select s.project_id as "projectId", s.mailing_id as "mailingId", s.run, s.number, s.fence, s.batch, s.fence_batches
       from pennypost_delivery.shard s
       join unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[]) as h (project_id, mailing_id, run, number)
         on (s.project_id, s.mailing_id, s.run, s.number) = (h.project_id, h.mailing_id, h.run, h.number)
       order by s.project_id, s.mailing_id, s.run, s.number for update of s`,
      keyColumns(batches).slice(0, 4),
    );
    const stored = new Map(rows.map((row) => [shardName(row), row]));
    const verdicts = new Map<string, BatchVerdict>();
    for (const batch of batches) {
      const name = leaseName(batch);
      const shard = stored.get(shardName(batch));
      if (shard === undefined) verdicts.set(name, 'fenced');
      else if (shard.fence === batch.fence) verdicts.set(name, shard.batch >= batch.batch ? 'already' : 'moved');
      // fence_batches[f] (from 1, as PostgreSQL counts) is the last batch before fence f began; so fence f ended with entry f + 1.
      else verdicts.set(name, (shard.fence_batches[batch.fence] ?? 0) >= batch.batch ? 'already' : 'fenced');
    }
    return verdicts;
  }

  /**
   * Totals move with the rows that changed; cursor, claim, batch number and lease only under the fence. A batch that was fenced
   * out leaves its number with its fence, so that it is recognised when the answer to its commit was lost.
   */
  async #moveShards(
    batches: readonly ShardBatch[],
    deltas: ReadonlyMap<string, LedgerDelta>,
    verdicts: ReadonlyMap<string, BatchVerdict>,
  ): Promise<void> {
    const totals = LEDGER_STATES.map((state) => batches.map((batch) => deltas.get(leaseName(batch))?.totals[state] ?? 0));
    const sets = LEDGER_STATES.map((state) => `${state} = s.${state} + v.${state}`).join(', ');
    await this.#sql.query(
      `update pennypost_delivery.shard s set ${sets}, copies = s.copies + v.copies, possible_repeats = s.possible_repeats + v.possible_repeats,
         batch = case when v.moved then v.batch else s.batch end,
         fence_batches = case when v.moved then s.fence_batches
           else s.fence_batches[:v.fence] || v.batch || s.fence_batches[v.fence + 2:] end,
         cursor = case when v.moved then v.cursor else s.cursor end,
         claimed_through = case when v.moved then v.claimed_through else s.claimed_through end,
         state = case when v.moved and v.done then 'done' else s.state end,
         owner = case when v.moved and v.done then null else s.owner end,
         leased_until = case when not v.moved then s.leased_until when v.done then null
           else clock_timestamp() + $11 * interval '1 millisecond' end
       from unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::int[], $7::boolean[], $8::int[], $9::int[], $10::boolean[],
         $12::int[], $13::int[], ${LEDGER_STATES.map((_, index) => `$${14 + index}::int[]`).join(', ')})
         as v (project_id, mailing_id, run, number, fence, batch, moved, cursor, claimed_through, done, copies, possible_repeats, ${LEDGER_STATES.join(', ')})
       where (s.project_id, s.mailing_id, s.run, s.number) = (v.project_id, v.mailing_id, v.run, v.number)`,
      [
        ...keyColumns(batches),
        batches.map((batch) => batch.batch),
        batches.map((batch) => verdicts.get(leaseName(batch)) === 'moved'),
        batches.map((batch) => batch.cursor),
        batches.map((batch) => batch.claimedThrough),
        batches.map((batch) => batch.done),
        this.#leaseMs,
        batches.map((batch) => deltas.get(leaseName(batch))?.repeats ?? 0),
        batches.map((batch) => deltas.get(leaseName(batch))?.possibleRepeats ?? 0),
        ...totals,
      ],
    );
  }
}

export function keyColumns(keys: readonly (ShardKey & { readonly fence?: number })[]): unknown[] {
  return [
    keys.map((key) => key.projectId),
    keys.map((key) => key.mailingId),
    keys.map((key) => key.run),
    keys.map((key) => key.number),
    keys.map((key) => key.fence ?? 0),
  ];
}
