import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { Campaign, CampaignState } from './campaign.ts';
import type { Template } from './template.ts';

export interface CampaignFilter extends PageRequest {
  readonly state?: CampaignState | undefined;
  /** Default false: archived ones are left out. */
  readonly archived?: boolean | undefined;
}

/** A campaign that is scheduled, or has mail left to send. */
export interface ListUse {
  readonly id: Id;
  readonly name: string;
  readonly state: CampaignState;
}

/** What the campaign context keeps; implemented over PostgreSQL. What `campaign` and `template` return is saved when its transaction commits. */
export interface CampaignStore {
  addCampaign(campaign: Campaign): void;
  campaign(projectId: Id, id: Id, options?: { readonly lock?: boolean }): Promise<Campaign | undefined>;
  campaigns(projectId: Id, filter: CampaignFilter): Promise<Page<Campaign>>;
  /** Scheduled for a time that is past, by the database's clock. */
  dueCampaigns(limit: number): Promise<readonly { readonly projectId: Id; readonly id: Id }[]>;
  /** Campaigns that are to go, or still go, to this list, or spare it. */
  usesOfList(projectId: Id, listId: Id): Promise<readonly ListUse[]>;
  addTemplate(template: Template): void;
  template(projectId: Id, id: Id): Promise<Template | undefined>;
  templates(projectId: Id, page: PageRequest): Promise<Page<Template>>;
  removeTemplate(template: Template): void;
}
