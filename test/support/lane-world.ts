import { BulkLane } from '../../src/application/delivery/bulk/bulk-lane.ts';
import type { BulkLaneOptions, BulkLanePorts } from '../../src/application/delivery/bulk/bulk-lane-ports.ts';
import { Line, type LineLimits } from '../../src/application/delivery/bulk/line.ts';
import type { ReadPage } from '../../src/application/delivery/bulk/recipient-reader.ts';
import { SendingMailing } from '../../src/application/delivery/bulk/sending-mailing.ts';
import type { MessageSigner } from '../../src/application/delivery/signing.ts';
import { KeyRing } from '../../src/domain/access/index.ts';
import type { RecipientFacts } from '../../src/domain/audience/index.ts';
import { Campaign, type MessagePlan, type PlanRecipient, type Renderer, RenderFailed } from '../../src/domain/campaign/index.ts';
import {
  LEASE_MS,
  leaseName,
  type Outcome,
  type RecordedBatches,
  runName,
  type ShardBatch,
  type ShardLease,
  shardName,
  type Transport,
  type Turn,
} from '../../src/domain/delivery/index.ts';
import { aContent, idOf, PROJECT } from './builders-delivery.ts';
import { silentLog } from './instance.ts';
import type { TestTime } from './test-time.ts';

export class Away extends Error {}

interface StoredShard extends ShardLease {
  fence: number;
  cursor: number;
  claimedThrough: number;
  owner: string | undefined;
  until: number;
  batch: number;
  done: boolean;
}

const NEVER = new Promise<never>(() => undefined);

const KEYS = new KeyRing([Buffer.alloc(32, 7)]);

const NO_PARTS = { text: '', slots: [], links: [] };

/** Composes `Hello <address>`; fails for who has the attribute `poison`. */
const plainPlan: MessagePlan = {
  links: [],
  compose(recipient: PlanRecipient) {
    if ('poison' in recipient.variables) throw new RenderFailed('the template cannot be rendered with this data');
    const bytes = Buffer.from(`Message-ID: <${recipient.messageId}>\r\n\r\nHello ${recipient.address}\r\n`);
    return { bytes, release: () => undefined };
  },
};

const plainRenderer: Renderer = {
  check: async () => [],
  freeze: async (content) => ({ content, parts: NO_PARTS }),
  compileFrozen: () => plainPlan,
  compile: async () => plainPlan,
  preview: async () => ({ subject: '', preheader: '', html: undefined, text: '' }),
  faults: async () => [],
};

/**
 * Everything around the bulk lane, in memory and in test time: shards with leases and fences, the people, a ledger that counts
 * every outcome, a database that can go away.
 */
export class LaneWorld {
  readonly time: TestTime;
  readonly shards = new Map<string, StoredShard>();
  readonly people = new Map<string, RecipientFacts>();
  /** Every outcome that was recorded, in order. */
  readonly recorded: (Outcome & { readonly fence: number })[] = [];
  readonly accepted = new Set<string>();
  readonly possiblyReached = new Set<string>();
  readonly paused = new Map<string, string>();
  readonly stopped = new Set<string>();
  readonly released: string[] = [];
  readonly fatal: unknown[] = [];
  /** Calls of ports, by name. */
  readonly calls = new Map<string, number>();
  away = false;
  /** How long each port takes. */
  latency = 1;
  /** How much longer a host application takes for the data of a page of people, and a look for a free shard. */
  hostMs = 0;
  claimMs = 0;
  failure: string | undefined;
  broken: Error | undefined;
  /** What signs the messages; undefined: they go unsigned. */
  signer: MessageSigner | undefined;
  /** Commits that are made and whose answer is lost. */
  loseAnswers = 0;
  commitError: Error | undefined;
  #lanes = 0;
  #campaigns = 0;

  constructor(time: TestTime) {
    this.time = time;
  }

  /** A sending campaign over `people` people in shards of `shardSize`; its id. @param options.domain of each, by index */
  campaign(people: number, options: { shardSize?: number; run?: number; domain?: (index: number) => string } = {}): string {
    this.#campaigns += 1;
    const own = `c${this.#campaigns}.example.com`;
    const { shardSize = 1_000, run = 0, domain = () => own } = options;
    const mailingId = idOf(this.#campaigns, 0xc);
    const ids = Array.from({ length: people }, (_, index) => idOf(this.#campaigns * 100_000 + index));
    for (const [index, id] of ids.entries()) this.people.set(id, facts(id, `p${index}@${domain(index)}`));
    for (let number = 0; number * shardSize < people; number += 1) {
      const shard: StoredShard = {
        projectId: PROJECT,
        mailingId,
        run,
        number,
        launchedOn: '2026-11-22',
        fence: 0,
        cursor: 0,
        claimedThrough: 0,
        recipients: ids.slice(number * shardSize, (number + 1) * shardSize),
        settled: [],
        owner: undefined,
        until: 0,
        batch: 0,
        done: false,
      };
      this.shards.set(shardName(shard), shard);
    }
    return mailingId;
  }

  /** @param life once it is over, nothing arrives that the lane asks or tells */
  lane(transport: Transport, options: BulkLaneOptions & LineLimits = {}, life = { dead: false }): BulkLane {
    return this.laneOf([transport], (_, [first]) => first, options, life);
  }

  /** A lane over several transports. @param route names one of them for an address */
  laneOf(
    transports: readonly Transport[],
    route: (address: string, transports: readonly Transport[]) => Transport | undefined,
    options: BulkLaneOptions & LineLimits = {},
    life = { dead: false },
  ): BulkLane {
    const window = options.maxUnrecorded ?? 1_000;
    const now = this.time.clock.monotonic();
    const lines = transports.map((transport) => new Line({ transport, now, log: silentLog, window, limits: options }));
    this.#lanes += 1;
    return new BulkLane({
      id: idOf(this.#lanes, 0xf),
      lines: {
        all: lines,
        of: (_, address, except) => {
          const line = lines[transports.indexOf(route(address, transports)!)];
          return line?.name === except ? undefined : line;
        },
        blocked: () => undefined,
        share: (workers, at) => {
          for (const { pace } of lines) pace.share(workers, at);
        },
        submittedBefore: 0,
        tend: () => undefined,
      },
      ports: this.#ports(life),
      clock: this.time.clock,
      log: silentLog,
      options,
      onFatal: (error) => this.fatal.push(error),
    });
  }

  personOf(mailingId: string, index: number): string {
    const id = [...this.shards.values()].filter((shard) => shard.mailingId === mailingId).flatMap((shard) => shard.recipients)[
      index
    ];
    if (id === undefined) throw new Error(`The campaign has no person ${index}.`);
    return id;
  }

  change(personId: string, change: Partial<RecipientFacts>): void {
    this.people.set(personId, { ...(this.people.get(personId) ?? facts(personId, '')), ...change });
  }

  /** Somebody else takes everything whose lease has ended. */
  takeExpired(owner: string): number {
    const expired = [...this.shards.values()].filter(
      (shard) => shard.owner !== undefined && shard.until <= this.#now() && !shard.done,
    );
    for (const shard of expired) this.#own(shard, owner);
    return expired.length;
  }

  /** Somebody else takes this campaign's shards, whatever their leases say. */
  snatch(mailingId: string, owner: string): void {
    for (const shard of this.shards.values()) if (shard.mailingId === mailingId && !shard.done) this.#own(shard, owner);
  }

  /** What was recorded, by state. */
  states(): Record<string, number> {
    return Object.fromEntries(
      [...Map.groupBy(this.recorded, (outcome) => outcome.state)].map(([state, all]) => [state, all.length]),
    );
  }

  done(): boolean {
    return [...this.shards.values()].every((shard) => shard.done);
  }

  owned(): number {
    return [...this.shards.values()].filter((shard) => shard.owner !== undefined).length;
  }

  called(port: string): number {
    return this.calls.get(port) ?? 0;
  }

  /** `life`: once it is over, nothing that is asked or told arrives, as when the process was killed. */
  #ports(life: { readonly dead: boolean }): BulkLanePorts {
    const port = <T>(name: string, work: () => T | Promise<T>): Promise<T> => this.#port(life, name, work);
    return {
      claim: (owner, options) =>
        port('claim', async () => {
          if (this.claimMs > 0) await new Promise((resolve) => setTimeout(resolve, this.claimMs));
          return this.#claim(owner, options);
        }),
      renew: (owner, held) =>
        port('renew', () => {
          const kept = held.filter((key) => this.#present(key)?.owner === owner);
          for (const key of kept) this.#present(key)!.until = this.#now() + LEASE_MS;
          return new Set(kept.map(leaseName));
        }),
      release: (held) =>
        port('release', () => {
          for (const key of held) {
            const shard = this.#present(key);
            if (shard === undefined) continue;
            shard.owner = undefined;
            this.released.push(leaseName(key));
          }
        }),
      loadMailing: (projectId, mailingId) => port('loadMailing', () => this.#load(projectId, mailingId)),
      readRecipients: (_, shard, turns) =>
        port('readRecipients', async () => {
          if (this.hostMs > 0) await new Promise((resolve) => setTimeout(resolve, this.hostMs));
          return { ...this.#page(shard, turns), failure: this.failure };
        }),
      checkRecipients: (_, shard, turns) => port('checkRecipients', () => this.#page(shard, turns)),
      runningOf: (runs) => port('runningOf', () => new Set(runs.filter((run) => !this.#isStopped(run.mailingId)).map(runName))),
      commit: async (batches) => {
        const result = await port('commit', () => this.#commit(batches));
        if (this.loseAnswers > 0) {
          this.loseAnswers -= 1;
          throw new Away('the connection broke after the commit');
        }
        return result;
      },
      isTransient: (error) => error instanceof Away,
      settle: () => port('settle', () => undefined),
      pauseMailing: (_, mailingId, reason) => port('pauseMailing', () => void this.paused.set(mailingId, reason)),
    };
  }

  #page(shard: ShardLease, turns: readonly Turn[]): ReadPage {
    const ids = turns.map((turn) => turn.subscriberId);
    const known = ids.flatMap((id) => (this.people.has(id) ? [[id, this.people.get(id)!] as const] : []));
    const suspects = turns.filter((turn) => shard.run > 0 || turn.possibleRepeat).map((turn) => turn.subscriberId);
    return {
      facts: new Map(known),
      failure: undefined,
      accepted: new Set(suspects.filter((id) => this.accepted.has(id))),
      possibly: new Set(suspects.filter((id) => this.possiblyReached.has(id))),
      checkedAt: this.time.clock.monotonic(),
    };
  }

  async #port<T>(life: { readonly dead: boolean }, name: string, work: () => T | Promise<T>): Promise<T> {
    if (life.dead) return NEVER;
    this.calls.set(name, this.called(name) + 1);
    await new Promise((resolve) => setTimeout(resolve, this.latency));
    if (life.dead) return NEVER;
    if (this.away) throw new Away(`${name}: the database is away`);
    return work();
  }

  #now(): number {
    return this.time.clock.monotonic();
  }

  #isStopped(mailingId: string): boolean {
    return this.paused.has(mailingId) || this.stopped.has(mailingId);
  }

  #own(shard: StoredShard, owner: string): void {
    shard.owner = owner;
    shard.fence += 1;
    shard.batch = 0;
    shard.until = this.#now() + LEASE_MS;
  }

  #present(key: { projectId: string; mailingId: string; run: number; number: number; fence: number }): StoredShard | undefined {
    const shard = this.shards.get(shardName(key));
    return shard?.fence === key.fence ? shard : undefined;
  }

  #claim(owner: string, options: { avoid: readonly string[]; takeExpired: boolean }): ShardLease | undefined {
    const free = [...this.shards.values()].filter(
      (shard) =>
        !shard.done &&
        !this.#isStopped(shard.mailingId) &&
        !options.avoid.includes(shard.mailingId) &&
        (shard.owner === undefined || (options.takeExpired && shard.until <= this.#now())),
    );
    const [shard] = free;
    if (shard === undefined) return undefined;
    this.#own(shard, owner);
    const settled = this.recorded.map((outcome) => shard.recipients.indexOf(outcome.subscriberId));
    return { ...shard, settled: settled.filter((position) => position >= shard.cursor && position < shard.claimedThrough) };
  }

  #load(projectId: string, mailingId: string): Promise<SendingMailing> {
    if (this.broken !== undefined) throw this.broken;
    const content = aContent();
    const draft = {
      name: 'Test',
      content,
      audience: { include: [{ list: idOf(1, 0x1) }], exclude: [] },
      trackOpens: true,
      trackClicks: true,
    };
    const campaign = new Campaign(projectId, idOf(1, 0xd), draft, this.time.clock.now());
    const project = { name: 'Test', postalAddress: '1 Road, Town', senderDomain: 'news.example.com' };
    campaign.launch(this.time.clock.now());
    const frozen = { content, parts: NO_PARTS, keyId: KEYS.keyId, publicUrl: 'https://t.example.com', project };
    const mailing = { projectId, mailingId, campaignId: campaign.id, launchedOn: '2026-11-22', unsubscribeLists: [] };
    return SendingMailing.load(mailing, campaign, frozen, plainRenderer, KEYS, { signer: this.signer });
  }

  #commit(batches: readonly ShardBatch[]): RecordedBatches {
    if (this.commitError !== undefined) throw this.commitError;
    const verdicts = new Map<string, 'moved' | 'already' | 'fenced'>();
    for (const batch of batches) {
      const shard = this.#present(batch);
      const verdict = shard === undefined ? 'fenced' : shard.batch >= batch.batch ? 'already' : 'moved';
      verdicts.set(leaseName(batch), verdict);
      if (verdict === 'already') continue;
      for (const outcome of batch.outcomes) {
        this.recorded.push({ ...outcome, fence: batch.fence });
        if (outcome.state === 'submitted') this.accepted.add(outcome.subscriberId);
        if (outcome.possibleRepeat) this.possiblyReached.add(outcome.subscriberId);
      }
      if (shard === undefined || verdict === 'fenced') continue;
      const { batch: number, cursor, claimedThrough, done } = batch;
      Object.assign(shard, { batch: number, cursor, claimedThrough, done, until: this.#now() + LEASE_MS });
      if (done) shard.owner = undefined;
    }
    return { verdicts, changes: [] };
  }
}

function facts(id: string, address: string): RecipientFacts {
  return { id, address, smtputf8: false, locale: undefined, timeZone: undefined, attributes: {}, refusal: undefined };
}
