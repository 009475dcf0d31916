import type { MikroORM } from '@mikro-orm/postgresql';
import { KeyRing } from '../../src/domain/access/index.ts';
import {
  DeliveryService,
  type DeliveryStores,
  LEASE_MS,
  LEDGER_STATES,
  type LedgerState,
  leaseName,
  noTotals,
  type RecordedBatches,
  type RetryPolicy,
  type RunPurpose,
  type ShardBatch,
  type ShardLease,
} from '../../src/domain/delivery/index.ts';
import { inBulkTransaction } from '../../src/infrastructure/postgres/bulk-session.ts';
import type { ConnectionSettings } from '../../src/infrastructure/postgres/connection.ts';
import { postgresDeliveryStores } from '../../src/infrastructure/postgres/delivery-store.ts';
import { inTransaction } from '../../src/infrastructure/postgres/session.ts';
import type { Sql } from '../../src/infrastructure/postgres/sql.ts';
import { randomIds } from '../../src/infrastructure/system.ts';
import { AT, BRISK, idOf, LAUNCHED_ON } from './builders-delivery.ts';
import { openTestOrm } from './database.ts';
import { aHandClock, type HandTime, handTime } from './hand-clock.ts';

export interface Place {
  readonly projectId: string;
  readonly mailingId: string;
  readonly launchedOn: string;
}

/** The delivery store over a database of its own, each call in a transaction of its own, with what specifications ask of it. */
export class DeliveryWorld {
  readonly orm: MikroORM;
  readonly connection: ConnectionSettings;
  readonly close: () => Promise<void>;
  #made = 0;

  constructor(orm: MikroORM, connection: ConnectionSettings, close: () => Promise<void>) {
    this.orm = orm;
    this.connection = connection;
    this.close = close;
  }

  static async open(): Promise<DeliveryWorld> {
    const { orm, connection, close } = await openTestOrm();
    return new DeliveryWorld(orm, connection, close);
  }

  /** The database's clock stands at `AT` until `time` is moved. */
  static async still(): Promise<{ world: DeliveryWorld; time: HandTime }> {
    const world = await DeliveryWorld.open();
    return { world, time: await handTime(world.connection, aHandClock(AT)) };
  }

  run<T>(work: (stores: DeliveryStores, sql: Sql) => Promise<T>): Promise<T> {
    return inTransaction(this.orm, (session) => work(postgresDeliveryStores(session), session.sql));
  }

  delivery<T>(work: (delivery: DeliveryService) => Promise<T>): Promise<T> {
    const clock = aHandClock(AT);
    const credentials = new KeyRing([Buffer.alloc(32, 7)]);
    const deps = { clock, ids: randomIds(clock), random: () => 1, credentials };
    return this.run((stores) => work(new DeliveryService({ stores, ...deps })));
  }

  /** As sending processes do it: batches and claims go without the ORM, in statements that leave together. */
  bulk<T>(work: (stores: DeliveryStores) => Promise<T>): Promise<T> {
    return inBulkTransaction(this.orm, (session) => work(postgresDeliveryStores(session)));
  }

  sql<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.run((_, sql) => sql.query<Row>(text, values));
  }

  /** No shard of earlier specifications is in the way of a claim. */
  async clear(): Promise<void> {
    await this.sql('truncate pennypost_delivery.run cascade');
  }

  /** A run over people 0 to `people` - 1, in shards of `shardSize`. */
  async campaign(
    people: number,
    options: { shardSize?: number; projectId?: string; launchedOn?: string; mailingId?: string } = {},
  ): Promise<Place> {
    this.#made += 1;
    const place = {
      projectId: options.projectId ?? idOf(1, 0xa),
      mailingId: options.mailingId ?? idOf(this.#made, 0xc),
      launchedOn: options.launchedOn ?? LAUNCHED_ON,
    };
    const ids = Array.from({ length: people }, (_, person) => idOf(person));
    await this.startRun(place, 0, 'first', ids, options.shardSize ?? 1_000);
    return place;
  }

  async startRun(place: Place, number: number, purpose: RunPurpose, ids: readonly string[], shardSize = 1_000): Promise<number> {
    const { projectId, mailingId, launchedOn } = place;
    return this.run(async (stores) => {
      await stores.runs.ensurePartition(launchedOn);
      await stores.runs.add({ ...place, number, purpose, state: 'running', audience: 0, createdAt: AT, endedAt: undefined });
      for (let shard = 0; shard * shardSize < ids.length; shard += 1) {
        const page = ids.slice(shard * shardSize, (shard + 1) * shardSize);
        await stores.runs.addShard(
          { projectId, mailingId, run: number, number: shard },
          launchedOn,
          `{${page.join(',')}}`,
          page.length,
        );
      }
      return stores.runs.close({ projectId, mailingId, number });
    });
  }

  claim(
    owner: string,
    options: { avoid?: readonly string[]; takeExpired?: boolean; leaseMs?: number } = {},
  ): Promise<ShardLease | undefined> {
    const { avoid = [], takeExpired = false, leaseMs = LEASE_MS } = options;
    return this.bulk((stores) => stores.lanes.claim(owner, leaseMs, { avoid, expiredBefore: takeExpired }));
  }

  /** @throws Error when there is nothing to claim */
  async mustClaim(owner: string, options: Parameters<DeliveryWorld['claim']>[1] = {}): Promise<ShardLease> {
    const lease = await this.claim(owner, options);
    if (lease === undefined) throw new Error('There was no shard to claim.');
    return lease;
  }

  record(batches: readonly ShardBatch[], policy: RetryPolicy = BRISK): Promise<RecordedBatches> {
    return this.bulk((stores) => stores.lanes.record(batches, policy, LEASE_MS, () => 1));
  }

  /** Records one batch; says what became of it. */
  async verdict(batch: ShardBatch): Promise<string | undefined> {
    return (await this.record([batch])).verdicts.get(leaseName(batch));
  }

  /** As if the lease had been given `LEASE_MS` ago. */
  async expire(place: Place): Promise<void> {
    await this.sql(
      `update pennypost_delivery.shard set leased_until = clock_timestamp() - interval '1 millisecond'
       where mailing_id = $1 and owner is not null`,
      [place.mailingId],
    );
  }

  async shardRow(place: Place, run = 0, number = 0) {
    const [row] = await this.sql<{
      state: string;
      owner: string | null;
      cursor: number;
      claimed_through: number;
      batch: number;
      fence: number;
    }>(
      `select state, owner, cursor, claimed_through, batch, fence from pennypost_delivery.shard
       where mailing_id = $1 and run = $2 and number = $3`,
      [place.mailingId, run, number],
    );
    return row;
  }

  rows(place: Place) {
    return this.sql<{
      subscriber_id: string;
      run: number;
      state: LedgerState;
      copies: number;
      reply: string | null;
      attempts: number;
      possible_repeat: boolean;
      code: number | null;
    }>(
      `select subscriber_id, run, state, copies, reply, attempts, possible_repeat, code from pennypost_delivery.mailing_recipient
       where project_id = $1 and mailing_id = $2 order by subscriber_id`,
      [place.projectId, place.mailingId],
    );
  }

  /** The totals as the shards keep them, and as the ledger says when it is counted. */
  async totals(place: Place) {
    const kept = await this.run((stores) => stores.ledger.totals(place.projectId, [place.mailingId]));
    const counted = noTotals();
    let repeated = 0;
    let possibleRepeats = 0;
    for (const row of await this.rows(place)) {
      counted[row.state] += 1;
      repeated += Math.max(0, row.copies - 1);
      if (row.possible_repeat && (row.copies > 0 || row.state === 'in_doubt')) possibleRepeats += 1;
    }
    const repeats = { known: kept.repeated, possible: kept.possibleRepeats };
    const countedRepeats = { known: repeated, possible: possibleRepeats };
    return { kept: kept.states, counted, repeats, countedRepeats, audience: kept.audience };
  }
}

/** Only the states that somebody is in. */
export const inUse = (totals: Readonly<Record<LedgerState, number>>): Partial<Record<LedgerState, number>> =>
  Object.fromEntries(LEDGER_STATES.flatMap((state) => (totals[state] === 0 ? [] : [[state, totals[state]]])));
