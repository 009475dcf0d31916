import { NotFound } from '../shared/errors.ts';
import type { Id, Ids } from '../shared/ids.ts';
import type { Campaign } from './campaign.ts';
import type { FinalContent, PlanLink } from './renderer.ts';

/** One frozen content of a campaign, as delivery sends it. Its id is not the campaign's: a campaign may have several. */
export interface Mailing {
  readonly projectId: Id;
  readonly mailingId: Id;
  readonly campaignId: Id;
  /** UTC date of the launch, `YYYY-MM-DD`; part of the ledger's key. */
  readonly launchedOn: string;
  /** The lists that an unsubscribe link of this mailing leaves. Fixed at launch, whatever becomes of the campaign's audience. */
  readonly unsubscribeLists: readonly Id[];
}

/** What was fixed when the mailing was made: sending processes read nothing else. */
export interface FrozenContent extends FinalContent {
  /** Which generation of the project's keys signs its tokens. */
  readonly keyId: string;
  readonly publicUrl: string;
  readonly project: { readonly name: string; readonly postalAddress: string; readonly senderDomain: string };
}

/** A link of a mailing's frozen content. */
export interface MailingLink extends PlanLink {
  readonly mailingId: Id;
}

/** What the campaign context keeps of mailings. Frozen content is read by `frozen` and by nothing else. */
export interface MailingStore {
  addMailing(mailing: Mailing, frozen: FrozenContent): Promise<void>;
  mailing(projectId: Id, mailingId: Id): Promise<Mailing | undefined>;
  /** In the order in which they were made. */
  mailingsOf(projectId: Id, campaignId: Id): Promise<readonly Mailing[]>;
  frozen(projectId: Id, mailingId: Id): Promise<FrozenContent | undefined>;
  /** Of all mailings of the campaign, each in the order of its content. */
  links(projectId: Id, campaignId: Id): Promise<readonly MailingLink[]>;
}

/** The mailings of campaigns: the one place that knows which belong to which. */
export class Mailings {
  readonly #store: MailingStore;
  readonly #ids: Ids;

  constructor(deps: { store: MailingStore; ids: Ids }) {
    this.#store = deps.store;
    this.#ids = deps.ids;
  }

  /** A further mailing of a campaign that is launched. Its content and its unsubscribe lists never change. */
  async add({ projectId, id, launchedOn }: Campaign, frozen: FrozenContent, unsubscribeLists: readonly Id[]): Promise<Mailing> {
    if (launchedOn === null) throw new Error(`Campaign ${id} is not launched.`);
    const mailing = { projectId, mailingId: this.#ids.next(), campaignId: id, launchedOn, unsubscribeLists };
    await this.#store.addMailing(mailing, frozen);
    return mailing;
  }

  /** @throws NotFound */
  async get(projectId: Id, mailingId: Id): Promise<Mailing> {
    const mailing = await this.#store.mailing(projectId, mailingId);
    if (mailing === undefined) throw new NotFound('mailing', mailingId);
    return mailing;
  }

  /** None before the launch. */
  of(projectId: Id, campaignId: Id): Promise<readonly Mailing[]> {
    return this.#store.mailingsOf(projectId, campaignId);
  }

  /** @throws NotFound */
  async frozen(projectId: Id, mailingId: Id): Promise<FrozenContent> {
    const frozen = await this.#store.frozen(projectId, mailingId);
    if (frozen === undefined) throw new NotFound('mailing', mailingId);
    return frozen;
  }

  /** None before the launch. */
  links(projectId: Id, campaignId: Id): Promise<readonly MailingLink[]> {
    return this.#store.links(projectId, campaignId);
  }
}
