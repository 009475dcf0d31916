import type { Audience, AudienceInput } from '../shared/audience.ts';
import type { Clock } from '../shared/clock.ts';
import { InvalidInput, NotFound } from '../shared/errors.ts';
import type { Id, Ids } from '../shared/ids.ts';
import type { Page } from '../shared/page.ts';
import { numberedSlug } from '../shared/slug.ts';
import { Campaign, type CampaignDraft, CampaignSlugTaken } from './campaign.ts';
import type { CampaignFilter, CampaignStore, ListUse } from './campaign-store.ts';
import { CampaignTemplates } from './campaign-templates.ts';
import type { Content } from './content.ts';
import type { ContentInput } from './content-input.ts';
import { type MailingStore, Mailings } from './mailing.ts';
import type { TemplateStore } from './template-store.ts';

export interface CampaignInput {
  readonly name: string;
  /** 1 to 63 of `a-z`, `0-9` and inner hyphens; made from the name when absent. */
  readonly slug?: string | undefined;
  /** Either content or a template, whose content is copied: what is edited in the template later changes no campaign. */
  readonly content?: ContentInput | undefined;
  readonly templateId?: Id | undefined;
  readonly audience: AudienceInput;
  /** Default true. */
  readonly trackOpens?: boolean | undefined;
  /** Default true. */
  readonly trackClicks?: boolean | undefined;
}

/** The one way into the campaign context: see the manual page in `index.ts`. */
export class CampaignService {
  readonly #store: CampaignStore;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly mailings: Mailings;
  readonly templates: CampaignTemplates;

  constructor(deps: { store: CampaignStore; mailings: MailingStore; templates: TemplateStore; clock: Clock; ids: Ids }) {
    this.mailings = new Mailings({ store: deps.mailings, ids: deps.ids });
    this.templates = new CampaignTemplates(deps);
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#ids = deps.ids;
  }

  /** A slug made from the name gets a number when it is taken. @throws InvalidInput, CampaignSlugTaken, NotFound for the template */
  async create(projectId: Id, input: CampaignInput): Promise<Campaign> {
    const content = await this.templates.contentOf(projectId, input);
    if (content === undefined) throw new InvalidInput('Give either content or a template.', '/content');
    const campaign = new Campaign(projectId, this.#ids.next(), toDraft(input, content), this.#clock.now());
    await this.#add(campaign, content, input.slug);
    return this.get(projectId, campaign.id);
  }

  async #add(campaign: Campaign, content: Content, wished: string | undefined): Promise<void> {
    const { slug } = campaign;
    const taken = wished === undefined ? new Set(await this.#store.slugsLike(campaign.projectId, slug)) : new Set<string>();
    for (let number = 1; ; number += 1) {
      campaign.slug = number === 1 ? slug : numberedSlug(slug, number);
      if (taken.has(campaign.slug)) continue;
      // False where another process was quicker.
      if (await this.#store.addCampaign(campaign, content)) return;
      if (wished !== undefined) throw new CampaignSlugTaken(wished);
    }
  }

  /** @throws NotFound, CampaignTransitionRefused unless it is a draft */
  async delete(projectId: Id, id: Id): Promise<void> {
    const campaign = await this.#locked(projectId, id);
    campaign.requireDraft('delete');
    this.#store.removeCampaign(campaign);
  }

  /** @throws NotFound, CampaignNotEditable */
  async edit(projectId: Id, id: Id, change: Partial<Omit<CampaignInput, 'slug'>>): Promise<Campaign> {
    const campaign = await this.get(projectId, id);
    const content = await this.templates.contentOf(projectId, change);
    const draft: Partial<CampaignDraft> = {
      ...(change.name === undefined ? {} : { name: change.name }),
      ...(content === undefined ? {} : { content }),
      ...(change.audience === undefined ? {} : { audience: audienceOf(change.audience) }),
      ...(change.trackOpens === undefined ? {} : { trackOpens: change.trackOpens }),
      ...(change.trackClicks === undefined ? {} : { trackClicks: change.trackClicks }),
    };
    campaign.edit(draft);
    if (draft.content !== undefined) await this.#store.replaceContent(projectId, id, draft.content);
    return campaign;
  }

  /** @throws NotFound */
  async get(projectId: Id, id: Id): Promise<Campaign> {
    const campaign = await this.#store.campaign(projectId, id);
    if (campaign === undefined) throw new NotFound('campaign', id);
    return campaign;
  }

  /** What the campaign says, as it was last edited. @throws NotFound */
  async content(projectId: Id, id: Id): Promise<Content> {
    const content = await this.#store.content(projectId, id);
    if (content === undefined) throw new NotFound('campaign', id);
    return content;
  }

  list(projectId: Id, filter: CampaignFilter): Promise<Page<Campaign>> {
    return this.#store.campaigns(projectId, filter);
  }

  async schedule(projectId: Id, id: Id, at: Date): Promise<Campaign> {
    const campaign = await this.#locked(projectId, id);
    campaign.schedule(at, this.#clock.now());
    return campaign;
  }

  async unschedule(projectId: Id, id: Id): Promise<Campaign> {
    const campaign = await this.#locked(projectId, id);
    campaign.unschedule();
    return campaign;
  }

  /** A due campaign that is not to be launched, or cannot be, is a draft again and says why; one that went on meanwhile stays as it is. */
  async failLaunch(projectId: Id, id: Id, reason: string): Promise<void> {
    const campaign = await this.#locked(projectId, id);
    if (campaign.state === 'scheduled') campaign.unschedule(reason);
  }

  /** Scheduled campaigns whose time has come, by the database's clock. */
  due(limit = 50): Promise<readonly { projectId: Id; id: Id }[]> {
    return this.#store.dueCampaigns(limit);
  }

  /** Campaigns that would miss this list: scheduled ones, and those that still have mail to send. */
  usesOfList(projectId: Id, listId: Id): Promise<readonly ListUse[]> {
    return this.#store.usesOfList(projectId, listId);
  }

  /** Locks this campaign until the transaction ends. @throws NotFound */
  lock(projectId: Id, id: Id): Promise<Campaign> {
    return this.#locked(projectId, id);
  }

  /** A second launch is refused: the row is locked until the first has committed. Its content is fixed by `mailings.add`. */
  async launch(projectId: Id, id: Id): Promise<Campaign> {
    const campaign = await this.#locked(projectId, id);
    campaign.launch(this.#clock.now());
    return campaign;
  }

  async pause(projectId: Id, id: Id, reason: string | null = null): Promise<Campaign> {
    const campaign = await this.#locked(projectId, id);
    campaign.pause(reason);
    return campaign;
  }

  async resume(projectId: Id, id: Id): Promise<Campaign> {
    const campaign = await this.#locked(projectId, id);
    campaign.resume();
    return campaign;
  }

  async cancel(projectId: Id, id: Id): Promise<Campaign> {
    const campaign = await this.#locked(projectId, id);
    campaign.cancel();
    return campaign;
  }

  async archive(projectId: Id, id: Id): Promise<Campaign> {
    const campaign = await this.#locked(projectId, id);
    campaign.archive(this.#clock.now());
    return campaign;
  }

  /** Everyone has a first outcome; a campaign that was cancelled or finished meanwhile stays as it is. */
  async finish(projectId: Id, id: Id): Promise<Campaign> {
    const campaign = await this.#locked(projectId, id);
    if (campaign.state === 'sending' || campaign.state === 'paused') campaign.finish(this.#clock.now());
    return campaign;
  }

  async settle(projectId: Id, id: Id): Promise<Campaign> {
    const campaign = await this.#locked(projectId, id);
    campaign.settle(this.#clock.now());
    return campaign;
  }

  async #locked(projectId: Id, id: Id): Promise<Campaign> {
    const campaign = await this.#store.campaign(projectId, id, { lock: true });
    if (campaign === undefined) throw new NotFound('campaign', id);
    return campaign;
  }
}

const audienceOf = ({ include, exclude = [] }: AudienceInput): Audience => ({ include, exclude });

const toDraft = (input: CampaignInput, content: Content): CampaignDraft => ({
  name: input.name,
  slug: input.slug,
  content,
  audience: audienceOf(input.audience),
  trackOpens: input.trackOpens ?? true,
  trackClicks: input.trackClicks ?? true,
});
