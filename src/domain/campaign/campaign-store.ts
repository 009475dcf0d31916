import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { Campaign, CampaignState } from './campaign.ts';
import type { Content } from './content.ts';

export interface CampaignFilter extends PageRequest {
  readonly state?: CampaignState | undefined;
  readonly name?: string | undefined;
  readonly slug?: string | undefined;
  /** Include archived campaigns. Default false. */
  readonly archived?: boolean | undefined;
}

/** A campaign that uses a list: it is scheduled, or has messages left to send. */
export interface ListUse {
  readonly id: Id;
  readonly slug: string;
  readonly name: string;
  readonly state: CampaignState;
}

/**
 * Stores campaigns and their content; implemented over PostgreSQL. Changes to a campaign that `campaign` returned are saved
 * when the transaction commits. Only `content` reads content.
 */
export interface CampaignStore {
  /** False when the slug is taken; then nothing is stored. To change the campaign afterwards, read it with `campaign`. */
  addCampaign(campaign: Campaign, content: Content): Promise<boolean>;
  removeCampaign(campaign: Campaign): void;
  /** Slugs in use that begin with this one, including those of archived campaigns. */
  slugsLike(projectId: Id, slug: string): Promise<readonly string[]>;
  campaign(projectId: Id, id: Id, options?: { readonly lock?: boolean }): Promise<Campaign | undefined>;
  campaigns(projectId: Id, filter: CampaignFilter): Promise<Page<Campaign>>;
  /** Campaigns whose scheduled time has passed by the database's clock. */
  dueCampaigns(limit: number): Promise<readonly { readonly projectId: Id; readonly id: Id }[]>;
  /** Campaigns that include or exclude this list and are scheduled or have messages left to send. */
  usesOfList(projectId: Id, listId: Id): Promise<readonly ListUse[]>;
  /** Undefined when there is no such campaign. */
  content(projectId: Id, campaignId: Id): Promise<Content | undefined>;
  replaceContent(projectId: Id, campaignId: Id, content: Content): Promise<void>;
}
