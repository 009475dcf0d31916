import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { Suppression, SuppressionReason, SuppressionScope } from './suppression.ts';

export interface SuppressionSearch extends PageRequest {
  readonly scope?: SuppressionScope | undefined;
  readonly reason?: SuppressionReason | undefined;
}

/** Suppressed addresses of one project. */
export interface SuppressionStore {
  /** Adds it, or replaces one of the same scope and a lighter reason; false when one of a reason as grave exists. */
  add(suppression: Suppression): Promise<boolean>;
  /** Refusals by the subscriber (`unsubscribe`, `complaint`) hold for the new address too. */
  copyWishes(projectId: Id, from: string, to: string): Promise<void>;
  /** How many were lifted. */
  remove(projectId: Id, emailKeys: readonly string[], scope: SuppressionScope | undefined): Promise<number>;
  of(projectId: Id, emailKeys: readonly string[]): Promise<readonly Suppression[]>;
  /** Newest first. */
  page(projectId: Id, search: SuppressionSearch): Promise<Page<Suppression>>;
  /** Lifts the refusal of marketing that the subscriber asked for, by whatever means; bounces and complaints stay. */
  liftMarketingOptOut(projectId: Id, emailKey: string): Promise<void>;
  /** Lifts the refusal of marketing that this campaign's link made. */
  liftOptOut(projectId: Id, emailKey: string, campaignId: Id, since: Date): Promise<boolean>;
}
