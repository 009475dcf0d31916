import type { Audience } from '../shared/audience.ts';
import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { Exclusion, ExclusionCounts, ExclusionReason } from './exclusion.ts';
import type { AudiencePage, RecipientFacts } from './recipient.ts';

export interface ExclusionSearch extends PageRequest {
  readonly reason?: ExclusionReason | undefined;
}

/** The ids of all subscribers that are excluded for one reason, as a PostgreSQL array literal: to ask elsewhere about many at once. */
export interface ExcludedIds {
  readonly reason: ExclusionReason;
  readonly ids: string;
}

/** The recipients of an audience. Every method applies the same rule, and an empty `include` matches no subscriber. */
export interface RecipientStore {
  /** The next recipients in order of id; undefined behind the last. Subscribers of several lists come once. */
  page(projectId: Id, audience: Audience, after: Id | undefined, limit: number): Promise<AudiencePage | undefined>;
  count(projectId: Id, audience: Audience): Promise<number>;
  countExclusions(projectId: Id, audience: Audience): Promise<ExclusionCounts>;
  /** By id; of one reason where one is named. */
  exclusions(projectId: Id, audience: Audience, search: ExclusionSearch): Promise<Page<Exclusion>>;
  excludedIds(projectId: Id, audience: Audience): Promise<readonly ExcludedIds[]>;
  /** Every id gets an answer. */
  read(projectId: Id, ids: readonly Id[], audience: Audience): Promise<ReadonlyMap<Id, RecipientFacts>>;
}
