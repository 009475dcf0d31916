import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { Campaign, CampaignState } from './campaign.ts';
import type { Content } from './content.ts';

export interface CampaignFilter extends PageRequest {
  readonly state?: CampaignState | undefined;
  readonly name?: string | undefined;
  readonly slug?: string | undefined;
  /** Default false: archived ones are left out. */
  readonly archived?: boolean | undefined;
}

/** A campaign that is scheduled, or has mail left to send. */
export interface ListUse {
  readonly id: Id;
  readonly slug: string;
  readonly name: string;
  readonly state: CampaignState;
}

/**
 * What the campaign context keeps; implemented over PostgreSQL. What `campaign` returns is saved when its
 * transaction commits. Content is read by `content` and by nothing else.
 */
export interface CampaignStore {
  /** False when the slug is taken; then nothing happened. What is read afterwards is saved, not what was given. */
  addCampaign(campaign: Campaign, content: Content): Promise<boolean>;
  removeCampaign(campaign: Campaign): void;
  /** Slugs in use that begin like this one, of archived campaigns too. */
  slugsLike(projectId: Id, slug: string): Promise<readonly string[]>;
  campaign(projectId: Id, id: Id, options?: { readonly lock?: boolean }): Promise<Campaign | undefined>;
  campaigns(projectId: Id, filter: CampaignFilter): Promise<Page<Campaign>>;
  /** Scheduled for a time that is past, by the database's clock. */
  dueCampaigns(limit: number): Promise<readonly { readonly projectId: Id; readonly id: Id }[]>;
  /** Campaigns that are to go, or still go, to this list, or spare it. */
  usesOfList(projectId: Id, listId: Id): Promise<readonly ListUse[]>;
  /** Undefined when there is no such campaign. */
  content(projectId: Id, campaignId: Id): Promise<Content | undefined>;
  replaceContent(projectId: Id, campaignId: Id, content: Content): Promise<void>;
}
