import type { KeyRing } from '../../../domain/access/index.ts';
import type { RecipientFacts } from '../../../domain/audience/index.ts';
import { CampaignTransitionRefused, type Renderer } from '../../../domain/campaign/index.ts';
import type { Reached, RecordedBatches, RunKey, ShardBatch, ShardKey, ShardLease, Turn } from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import { staysHere } from '../../access/domain-gate.ts';
import type { CampaignDesk } from '../../campaign/campaign-desk.ts';
import { refuseInsecure } from '../../campaign/launch-campaign.ts';
import type { TendCampaigns } from '../../campaign/tend-campaigns.ts';
import type { UnitOfWork } from '../../unit-of-work.ts';
import type { Signing } from '../signing.ts';
import type { BulkLanePorts } from './bulk-lane-ports.ts';
import type { ReadPage } from './recipient-reader.ts';
import type { RecordOutcomes } from './record-outcomes.ts';
import { SendingMailing } from './sending-mailing.ts';

/** Plans kept compiled; a process holds at most eight shards at once. */
const MOST_MAILINGS = 32;

/**
 * Data of a host application for a page of recipients, merged over the stored attributes. A rejection or a timeout defers
 * the page.
 */
export interface RecipientDataSource {
  read(
    campaign: { readonly projectId: Id; readonly campaignId: Id },
    ids: readonly Id[],
  ): Promise<ReadonlyMap<Id, RecipientFacts['attributes']>>;
  readonly timeoutMs: number;
}

const NOBODY: Reached = { accepted: new Set(), possibly: new Set() };

/** What the bulk sender asks of the other contexts, one transaction each. */
export class SendingPorts implements BulkLanePorts {
  readonly #work: UnitOfWork;
  readonly #renderer: Renderer;
  readonly #keys: KeyRing;
  readonly #signing: Signing;
  readonly #outcomes: RecordOutcomes;
  readonly #tend: TendCampaigns;
  readonly #desk: CampaignDesk;
  readonly #clock: Clock;
  readonly #localTransport: boolean;
  readonly #routing: { load(projectId: Id): Promise<unknown> };
  readonly #recipientData: RecipientDataSource | undefined;
  /** Compiling takes some 10 ms; a mailing is compiled once per process while it is being sent. */
  readonly #mailings = new Map<Id, Promise<SendingMailing>>();
  readonly isTransient: (error: unknown) => boolean;

  constructor(deps: {
    work: UnitOfWork;
    renderer: Renderer;
    keys: KeyRing;
    signing: Signing;
    outcomes: RecordOutcomes;
    tend: TendCampaigns;
    desk: CampaignDesk;
    clock: Clock;
    /** This worker's mail stays on this machine. */
    localTransport: boolean;
    /** How messages of a project leave is read before its first message is handed over. */
    routing: { load(projectId: Id): Promise<unknown> };
    isTransient: (error: unknown) => boolean;
    recipientData?: RecipientDataSource | undefined;
  }) {
    this.#work = deps.work;
    this.#renderer = deps.renderer;
    this.#keys = deps.keys;
    this.#signing = deps.signing;
    this.#outcomes = deps.outcomes;
    this.#tend = deps.tend;
    this.#desk = deps.desk;
    this.#clock = deps.clock;
    this.#localTransport = deps.localTransport;
    this.#routing = deps.routing;
    this.#recipientData = deps.recipientData;
    this.isTransient = deps.isTransient;
  }

  claim(owner: Id, options: { avoid: readonly Id[]; takeExpired: boolean }): Promise<ShardLease | undefined> {
    return this.#work.bulk((scope) => scope.delivery.lanes.claim(owner, options));
  }

  renew(owner: Id, held: readonly (ShardKey & { fence: number })[]): Promise<ReadonlySet<string>> {
    return this.#work.single((scope) => scope.delivery.lanes.renew(owner, held));
  }

  release(held: readonly (ShardKey & { fence: number })[]): Promise<void> {
    return this.#work.single((scope) => scope.delivery.lanes.release(held));
  }

  async loadMailing(projectId: Id, mailingId: Id): Promise<SendingMailing> {
    await this.#routing.load(projectId);
    const known = this.#mailings.get(mailingId);
    if (known !== undefined) return known;
    const loading = this.#work
      .run(async (scope) => {
        const { campaign } = scope;
        const mailing = await campaign.mailings.get(projectId, mailingId);
        return {
          mailing,
          campaign: await campaign.get(projectId, mailing.campaignId),
          frozen: await campaign.mailings.frozen(projectId, mailingId),
          local: await staysHere(scope, projectId, this.#localTransport),
        };
      })
      .then(async ({ mailing, campaign, frozen, local }) => {
        // The process that launched it may not have known the transport of this worker.
        if (!local) refuseInsecure(frozen.publicUrl);
        const author = await this.#signing.of(projectId, frozen.content.author.address);
        return SendingMailing.load(mailing, campaign, frozen, this.#renderer, this.#keys, author);
      });
    this.#mailings.set(mailingId, loading);
    const [oldest] = this.#mailings.keys();
    if (oldest !== undefined && this.#mailings.size > MOST_MAILINGS) this.#mailings.delete(oldest);
    loading.catch(() => this.#mailings.delete(mailingId));
    return loading;
  }

  async readRecipients(mailing: SendingMailing, shard: ShardLease, turns: readonly Turn[]): Promise<ReadPage> {
    // First the host, which may take seconds; then what must be fresh, so that a slow host does not make it stale.
    const { data, failure } = await this.#hostData(
      mailing,
      turns.map((turn) => turn.subscriberId),
    );
    const page = await this.checkRecipients(mailing, shard, turns);
    return { ...page, facts: data === undefined ? page.facts : merged(page.facts, data), failure };
  }

  async checkRecipients({ projectId, audience }: SendingMailing, shard: ShardLease, turns: readonly Turn[]): Promise<ReadPage> {
    const ids = turns.map((turn) => turn.subscriberId);
    // Only these can have been accepted before: in an earlier run, or by an earlier holder who told of it late.
    const suspects = turns.flatMap((turn) => (shard.run > 0 || turn.possibleRepeat ? [turn.subscriberId] : []));
    const checkedAt = this.#clock.monotonic();
    const { facts, reached } = await this.#work.single(async (scope) => ({
      facts: await scope.audience.recipients.read(projectId, ids, audience),
      reached: suspects.length === 0 ? NOBODY : await scope.delivery.ledger.reached(shard, suspects),
    }));
    return { facts, ...reached, failure: undefined, checkedAt };
  }

  async #hostData(mailing: SendingMailing, ids: readonly Id[]) {
    if (this.#recipientData === undefined) return { data: undefined, failure: undefined };
    try {
      return { data: await within(this.#recipientData, mailing, ids), failure: undefined };
    } catch (error) {
      return { data: undefined, failure: `recipient data: ${error instanceof Error ? error.message : String(error)}` };
    }
  }

  runningOf(runs: readonly RunKey[]): Promise<ReadonlySet<string>> {
    return this.#work.single((scope) => scope.delivery.runs.running(runs));
  }

  commit(batches: readonly ShardBatch[]): Promise<RecordedBatches> {
    return this.#outcomes.record(batches);
  }

  settle(): Promise<void> {
    return this.#tend.settle();
  }

  async pauseMailing(projectId: Id, mailingId: Id, reason: string): Promise<void> {
    try {
      const { campaignId } = await this.#work.run((scope) => scope.campaign.mailings.get(projectId, mailingId));
      await this.#desk.pause(projectId, campaignId, reason);
    } catch (error) {
      // Paused or cancelled by another process, with the same effect.
      if (!(error instanceof CampaignTransitionRefused)) throw error;
    }
  }
}

function merged(
  facts: ReadonlyMap<Id, RecipientFacts>,
  data: ReadonlyMap<Id, RecipientFacts['attributes']>,
): ReadonlyMap<Id, RecipientFacts> {
  return new Map([...facts].map(([id, fact]) => [id, { ...fact, attributes: { ...fact.attributes, ...data.get(id) } }]));
}

function within(source: RecipientDataSource, campaign: { projectId: Id; campaignId: Id }, ids: readonly Id[]) {
  const { promise, reject, resolve } = Promise.withResolvers<ReadonlyMap<Id, RecipientFacts['attributes']>>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${source.timeoutMs} ms`)), source.timeoutMs);
  // A source that throws rather than rejects must not leave the timer's rejection unhandled.
  Promise.resolve()
    .then(() => source.read(campaign, ids))
    .then(resolve, reject);
  return promise.finally(() => clearTimeout(timer));
}
