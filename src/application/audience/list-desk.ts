import { type List, listsIn } from '../../domain/audience/index.ts';
import type { Campaign, ListUse } from '../../domain/campaign/index.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Scope } from '../unit-of-work.ts';

/** `force`: also while campaigns use the list. */
export interface Retiring {
  readonly force?: boolean | undefined;
}

const NAMED = 5;
/** What `force` does to the campaigns, in the words of the refusal. */
const FORCED = {
  delete: 'With force it is deleted anyway: campaigns stop mailing it, and a scheduled campaign that names it is not launched',
  archive: 'With force it is archived anyway: the campaigns go on',
} as const;

export class ListInUse extends DomainError {
  readonly code = 'list.in_use';
  readonly kind = 'conflict';
  constructor(list: List, uses: readonly ListUse[], step: keyof typeof FORCED) {
    const named = uses.slice(0, NAMED).map(({ name, state, slug }) => `"${name}" (${state}, ${slug})`);
    const more = uses.length > NAMED ? ` and ${uses.length - NAMED} more` : '';
    super(
      `The list "${list.name}" is used by ${uses.length === 1 ? 'a campaign that is' : 'campaigns that are'} not done: ${named.join(', ')}${more}. ` +
        `Wait until ${uses.length === 1 ? 'it is' : 'they are'} done, or unschedule or cancel ${uses.length === 1 ? 'it' : 'them'}. ${FORCED[step]}.`,
    );
  }
}

export class CampaignListMissing extends DomainError {
  readonly code = 'campaign.list_missing';
  readonly kind = 'conflict';
  constructor(campaign: Pick<Campaign, 'name'>, missing: readonly Id[]) {
    super(
      `The campaign "${campaign.name}" names ${missing.length === 1 ? 'a list that was' : 'lists that were'} deleted: ${missing.join(', ')}. Choose its lists again.`,
    );
  }
}

/** With its subscriptions, and so with the knowledge of who left it. @throws NotFound, ListInUse */
export async function deleteList(scope: Scope, projectId: Id, listId: Id, { force = false }: Retiring = {}): Promise<void> {
  const list = await scope.audience.lists.get(projectId, listId);
  if (!force) await refuseInUse(scope, list, 'delete');
  await scope.audience.lists.delete(projectId, list.id);
  // Asked once more: a launch that held the list has committed by now, and the next one finds it gone.
  if (!force) await refuseInUse(scope, list, 'delete');
}

/** No subscriber can join any more; its subscribers stay. @throws NotFound, ListInUse */
export async function archiveList(
  scope: Scope,
  projectId: Id,
  idOrSlug: string,
  { force = false }: Retiring = {},
): Promise<List> {
  if (!force) await refuseInUse(scope, await scope.audience.lists.get(projectId, idOrSlug), 'archive');
  return scope.audience.lists.archive(projectId, idOrSlug);
}

async function refuseInUse(scope: Scope, list: List, step: keyof typeof FORCED): Promise<void> {
  const uses = await scope.campaign.usesOfList(list.projectId, list.id);
  if (uses.length > 0) throw new ListInUse(list, uses, step);
}

/**
 * The lists that a campaign mails and spares are there, and stay until the transaction ends. A list that is missing would leave
 * subscribers out, or mail excluded ones. @throws CampaignListMissing
 */
export async function holdCampaignLists(scope: Scope, campaign: Campaign): Promise<void> {
  const { include, exclude } = campaign.audience;
  const named = listsIn([...include, ...exclude]);
  const there = new Set(await scope.audience.lists.hold(campaign.projectId, named));
  const missing = named.filter((id) => !there.has(id));
  if (missing.length > 0) throw new CampaignListMissing(campaign, missing);
}
