import type { Audience } from '../shared/audience.ts';
import type { Id } from '../shared/ids.ts';
import type { Page } from '../shared/page.ts';
import type { Exclusion, ExclusionCounts } from './exclusion.ts';
import type { AudiencePage, RecipientFacts } from './recipient.ts';
import type { ExcludedIds, ExclusionSearch, RecipientStore } from './recipient-store.ts';

/** The recipients of an audience: which subscribers may be mailed at the time of the call, by one rule. */
export class AudienceRecipients {
  private readonly store: RecipientStore;

  constructor(deps: { recipients: RecipientStore }) {
    this.store = deps.recipients;
  }

  /** The next recipients in order of id; undefined behind the last. */
  page(projectId: Id, audience: Audience, after: Id | undefined, limit: number): Promise<AudiencePage | undefined> {
    return this.store.page(projectId, audience, after, limit);
  }

  count(projectId: Id, audience: Audience): Promise<number> {
    return this.store.count(projectId, audience);
  }

  /** How many would be mailed now, and how many would not, by reason. */
  countExclusions(projectId: Id, audience: Audience): Promise<ExclusionCounts> {
    return this.store.countExclusions(projectId, audience);
  }

  /** The subscribers that would not be mailed now, by id. */
  exclusions(projectId: Id, audience: Audience, search: ExclusionSearch = {}): Promise<Page<Exclusion>> {
    return this.store.exclusions(projectId, audience, search);
  }

  excludedIds(projectId: Id, audience: Audience): Promise<readonly ExcludedIds[]> {
    return this.store.excludedIds(projectId, audience);
  }

  /** What a message needs of these subscribers, and why each may not be mailed; every id gets an answer. */
  read(projectId: Id, ids: readonly Id[], audience: Audience): Promise<ReadonlyMap<Id, RecipientFacts>> {
    return this.store.read(projectId, ids, audience);
  }
}
