import type { KeyRing } from '../../domain/access/index.ts';
import type { RecipientFacts } from '../../domain/audience/index.ts';
import type { Renderer } from '../../domain/campaign/index.ts';
import type { RecordedBatches, ShardBatch, ShardKey, ShardLease } from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { CampaignDesk } from '../campaign/campaign-desk.ts';
import type { TendCampaigns } from '../campaign/tend-campaigns.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import type { BulkLanePorts } from './bulk-lane-ports.ts';
import type { ReadPage } from './recipient-reader.ts';
import type { RecordOutcomes } from './record-outcomes.ts';
import { SendingCampaign } from './sending-campaign.ts';

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

/** What the bulk sender asks of the other contexts, one transaction each. */
export class SendingPorts implements BulkLanePorts {
  readonly #work: UnitOfWork;
  readonly #renderer: Renderer;
  readonly #keys: KeyRing;
  readonly #outcomes: RecordOutcomes;
  readonly #tend: TendCampaigns;
  readonly #desk: CampaignDesk;
  readonly #recipientData: RecipientDataSource | undefined;
  /** Compiling takes some 10 ms; a campaign is compiled once per process while it is being sent. */
  readonly #campaigns = new Map<Id, Promise<SendingCampaign>>();
  readonly isTransient: (error: unknown) => boolean;

  constructor(deps: {
    work: UnitOfWork;
    renderer: Renderer;
    keys: KeyRing;
    outcomes: RecordOutcomes;
    tend: TendCampaigns;
    desk: CampaignDesk;
    isTransient: (error: unknown) => boolean;
    recipientData?: RecipientDataSource | undefined;
  }) {
    this.#work = deps.work;
    this.#renderer = deps.renderer;
    this.#keys = deps.keys;
    this.#outcomes = deps.outcomes;
    this.#tend = deps.tend;
    this.#desk = deps.desk;
    this.#recipientData = deps.recipientData;
    this.isTransient = deps.isTransient;
  }

  claim(owner: Id, options: { avoid: readonly Id[]; takeExpired: boolean }): Promise<ShardLease | undefined> {
    return this.#work.run((scope) => scope.delivery.claim(owner, options));
  }

  renew(owner: Id, held: readonly (ShardKey & { fence: number })[]): Promise<ReadonlySet<string>> {
    return this.#work.run((scope) => scope.delivery.renew(owner, held));
  }

  release(held: readonly (ShardKey & { fence: number })[]): Promise<void> {
    return this.#work.run((scope) => scope.delivery.release(held));
  }

  loadCampaign(projectId: Id, campaignId: Id): Promise<SendingCampaign> {
    const known = this.#campaigns.get(campaignId);
    if (known !== undefined) return known;
    const loading = this.#work
      .run((scope) => scope.campaign.get(projectId, campaignId))
      .then((campaign) => SendingCampaign.load(campaign, this.#renderer, this.#keys));
    this.#campaigns.set(campaignId, loading);
    loading.catch(() => this.#campaigns.delete(campaignId));
    return loading;
  }

  async readRecipients(campaign: SendingCampaign, ids: readonly Id[]): Promise<ReadPage> {
    const { projectId, lists } = campaign;
    const facts = await this.#work.run((scope) => scope.audience.recipients(projectId, ids, { lists }));
    if (this.#recipientData === undefined) return { facts, failure: undefined };
    try {
      return { facts: merged(facts, await within(this.#recipientData, campaign, ids)), failure: undefined };
    } catch (error) {
      return { facts, failure: `recipient data: ${error instanceof Error ? error.message : String(error)}` };
    }
  }

  async stillSending(ids: readonly Id[]): Promise<ReadonlySet<Id>> {
    const states = await this.#work.run((scope) => scope.campaign.states(ids));
    // `submitted` too: retry runs go on after everyone has a first outcome.
    const sending = [...states].filter(([, state]) => state === 'sending' || state === 'submitted').map(([id]) => id);
    for (const [id, state] of states) if (state === 'cancelled') this.#campaigns.delete(id);
    return new Set(sending);
  }

  commit(batches: readonly ShardBatch[]): Promise<RecordedBatches> {
    return this.#outcomes.record(batches);
  }

  settle(): Promise<void> {
    return this.#tend.settle();
  }

  async pauseCampaign(projectId: Id, campaignId: Id, reason: string): Promise<void> {
    await this.#desk.pause(projectId, campaignId, reason);
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
  source.read(campaign, ids).then(resolve, reject);
  return promise.finally(() => clearTimeout(timer));
}
