import type { Audience, AudienceEntry, AudienceInput } from '../shared/audience.ts';
import type { Id } from '../shared/ids.ts';
import type { Page } from '../shared/page.ts';
import { listsIn } from './audience.ts';
import type { AudienceLists } from './audience-lists.ts';
import type { Exclusion, ExclusionCounts } from './exclusion.ts';
import type { AudiencePage, RecipientFacts } from './recipient.ts';
import type { ExcludedIds, ExclusionSearch, RecipientStore } from './recipient-store.ts';

/** The recipients of an audience: which subscribers may be mailed at the time of the call, by one rule. */
export class AudienceRecipients {
  private readonly store: RecipientStore;
  private readonly lists: AudienceLists;

  constructor(parts: { lists: AudienceLists }, deps: { recipients: RecipientStore }) {
    this.store = deps.recipients;
    this.lists = parts.lists;
  }

  /** The audience with its lists by id, each once. @throws NotFound for a list, InvalidInput for another kind of entry */
  async resolve(projectId: Id, { include, exclude = [] }: AudienceInput): Promise<Audience> {
    const resolved = async (entries: readonly AudienceEntry[], pointer: string): Promise<readonly AudienceEntry[]> => {
      const ids = new Set<Id>();
      for (const list of listsIn(entries, pointer)) ids.add((await this.lists.get(projectId, list)).id);
      return [...ids].map((list) => ({ list }));
    };
    return { include: await resolved(include, '/audience/include'), exclude: await resolved(exclude, '/audience/exclude') };
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
