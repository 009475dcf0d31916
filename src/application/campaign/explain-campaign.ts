import { EXCLUSION_REASONS, type ExclusionReason, type RecipientFacts } from '../../domain/audience/index.ts';
import type { Campaign, PlanRecipient, Renderer } from '../../domain/campaign/index.ts';
import { ledgerCursor, type MailingKey } from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { encodeCursor, idAfter, type Page, type PageRequest, pageLimit } from '../../domain/shared/page.ts';
import { variablesOf } from '../delivery/bulk/sending-mailing.ts';
import { marketingPlanContext } from '../delivery/plan-context.ts';
import type { Scope, UnitOfWork } from '../unit-of-work.ts';

/**
 * Why a subscriber of a campaign's lists does not get it: the reason that excludes it from the audience, then the one of sending: `bad_data`
 * (their data break the template) and `skipped` (no longer mailable when their turn came).
 */
export const LEFT_OUT_REASONS = [...EXCLUSION_REASONS, 'bad_data', 'skipped'] as const;
export type LeftOutReason = (typeof LEFT_OUT_REASONS)[number];

export interface LeftOut {
  readonly subscriberId: Id;
  /** Null for an erased subscriber. */
  readonly address: string | null;
  readonly reason: LeftOutReason;
  /** In words, where the reason alone does not tell: what is wrong with the data, what happened before their turn. */
  readonly detail: string | undefined;
}

export interface LeftOutCounts {
  /** False: by the lists as they are now. True: of the recipients that were fixed at launch. */
  readonly launched: boolean;
  readonly included: number;
  /** `bad_data` is undefined before the launch: no message was composed yet. */
  readonly excluded: Readonly<Record<ExclusionReason | 'skipped', number> & { readonly bad_data: number | undefined }>;
}

export interface LeftOutSearch extends PageRequest {
  readonly reason?: LeftOutReason | undefined;
}

type Source = (request: { readonly limit: number; readonly after: string | undefined }) => Promise<Page<LeftOut>>;

/** As the ledger calls it. */
const LEDGER_STATE = { bad_data: 'failed', skipped: 'skipped' } as const;
/** People whose message is composed for one page, as long as the renderer's time allows. */
const TRIED = 500;

/**
 * Who is left out of a campaign, and why. Before the launch the lists are asked, and on request messages are composed for a try.
 * After it no recipient with an outcome counts as left out by a list: an unsubscribe came later.
 */
export class ExplainCampaign {
  readonly #work: UnitOfWork;
  readonly #renderer: Renderer;

  constructor(deps: { work: UnitOfWork; renderer: Renderer }) {
    this.#work = deps.work;
    this.#renderer = deps.renderer;
  }

  /** @throws NotFound */
  count(projectId: Id, campaignId: Id): Promise<LeftOutCounts> {
    return this.#work.run(async (scope) => {
      const campaign = await scope.campaign.get(projectId, campaignId);
      if (campaign.launchedAt === null) {
        const { included, excluded } = await scope.audience.recipients.countExclusions(projectId, campaign.audience);
        return { launched: false, included, excluded: { ...excluded, bad_data: undefined, skipped: 0 } };
      }
      const mailings = await scope.campaign.mailings.of(projectId, campaignId);
      const { states } = await scope.delivery.ledger.totals(
        projectId,
        mailings.map(({ mailingId }) => mailingId),
      );
      const excluded = {
        ...(await countWithoutRow(scope, campaign, mailings)),
        bad_data: states.failed,
        skipped: states.skipped,
      };
      return { launched: true, included: campaign.recipients - states.failed - states.skipped, excluded };
    });
  }

  /**
   * One row per subscriber, by id. `bad_data` before the launch composes messages for a try: each page
   * goes through at most 500 subscribers or one second, and may be empty although there is a next one.
   * @throws NotFound, ContentInvalid for such a try
   */
  async page(projectId: Id, campaignId: Id, search: LeftOutSearch): Promise<Page<LeftOut>> {
    const campaign = await this.#work.run((scope) => scope.campaign.get(projectId, campaignId));
    if (campaign.launchedAt === null && search.reason === 'bad_data') return this.#tryOut(campaign, search);
    return this.#work.run(async (scope) => {
      const mailings = await scope.campaign.mailings.of(projectId, campaignId);
      return merged(sourcesOf(scope, campaign, mailings, search.reason), search);
    });
  }

  /** Composes for subscribers of the present audience, and keeps those whose data break the content. */
  async #tryOut(campaign: Campaign, search: PageRequest): Promise<Page<LeftOut>> {
    const { projectId, createdAt } = campaign;
    const limit = pageLimit(search);
    const { page, people, project, content } = await this.#work.run(async (scope) => {
      const { audience, access } = scope;
      const page = await audience.recipients.page(projectId, campaign.audience, idAfter(search), TRIED);
      const ids = page === undefined ? [] : idsIn(page.ids);
      const people = [...(await audience.recipients.read(projectId, ids, campaign.audience)).values()];
      return {
        page,
        people: people.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
        project: await access.getProject(projectId),
        content: await scope.campaign.content(projectId, campaign.id),
      };
    });
    // With tracking, as it will be sent: links of recipients' own are looked at only then.
    const tracking = { baseUrl: 'https://example.invalid', linkToken: (index: number) => `link-${index}` };
    const context = marketingPlanContext(campaign, project, tracking);
    const recipients = people.map((person) => triedRecipient(person, createdAt));
    const faults = await this.#renderer.faults(content, context, recipients);
    if (page === undefined) return { items: [], next: undefined };
    const items: LeftOut[] = [];
    for (const [index, detail] of faults.entries()) {
      const { id, address } = people[index]!;
      if (detail !== undefined) items.push({ subscriberId: id, address, reason: 'bad_data', detail });
      const stopped = items.length === limit || (index === faults.length - 1 && faults.length < people.length);
      if (stopped) return { items, next: encodeCursor([id]) };
    }
    // Some of the subscribers read with it may not be mailable: only an empty page is the last one.
    return { items, next: encodeCursor([page.last]) };
  }
}

function triedRecipient(person: RecipientFacts, date: Date): PlanRecipient {
  const { address, smtputf8 } = person;
  const unsubscribeUrl = 'https://example.invalid/u/try';
  const tokens = { clickToken: 'try', openToken: 'try', unsubscribeUrl, messageId: 'try@example.invalid' };
  return { address, smtputf8, variables: variablesOf(person), date, ...tokens };
}

/** The text of a PostgreSQL array of ids. */
const idsIn = (literal: string): Id[] => (literal.length <= 2 ? [] : literal.slice(1, -1).split(','));

/** Subscribers that are left out by the lists as they are now, without those that have an outcome. */
async function countWithoutRow(scope: Scope, campaign: Campaign, mailings: readonly MailingKey[]) {
  const counts = { erased: 0, suppressed: 0, excluded_list: 0, unconfirmed: 0, unsubscribed: 0 };
  for (const { reason, ids } of await scope.audience.recipients.excludedIds(campaign.projectId, campaign.audience))
    counts[reason] = (await scope.delivery.ledger.withoutRow(mailings, ids)).count;
  return counts;
}

function sourcesOf(
  scope: Scope,
  campaign: Campaign,
  mailings: readonly MailingKey[],
  reason: LeftOutReason | undefined,
): Source[] {
  const listed = EXCLUSION_REASONS.find((known) => known === reason);
  const byLists: Source = (request) => leftOutByLists(scope, campaign, mailings, { ...request, reason: listed });
  const bySending = (kind: keyof typeof LEDGER_STATE): Source[] =>
    mailings.map((mailing) => (request) => leftOutBySending(scope, mailing, kind, request));
  if (reason === 'bad_data' || reason === 'skipped') return bySending(reason);
  return listed === undefined ? [byLists, ...bySending('bad_data'), ...bySending('skipped')] : [byLists];
}

/** After a launch a page of the lists may hold few, or none, who have no outcome: then the next one is read too. */
async function leftOutByLists(
  scope: Scope,
  campaign: Campaign,
  mailings: readonly MailingKey[],
  search: { readonly limit: number; readonly after: string | undefined; readonly reason: ExclusionReason | undefined },
): Promise<Page<LeftOut>> {
  const items: LeftOut[] = [];
  for (let after = search.after; ; ) {
    const page = await scope.audience.recipients.exclusions(campaign.projectId, campaign.audience, { ...search, after });
    const ids = page.items.map((row) => row.subscriberId);
    const without = idsIn((await scope.delivery.ledger.withoutRow(mailings, `{${ids.join(',')}}`)).ids);
    const left = new Set(without);
    items.push(...page.items.filter((row) => left.has(row.subscriberId)).map((row) => ({ ...row, detail: undefined })));
    if (items.length >= search.limit || page.next === undefined) return { items, next: page.next };
    after = page.next;
  }
}

async function leftOutBySending(
  scope: Scope,
  mailing: MailingKey,
  kind: keyof typeof LEDGER_STATE,
  request: PageRequest,
): Promise<Page<LeftOut>> {
  const id = idAfter(request);
  const after = id === undefined ? undefined : ledgerCursor(mailing, id);
  const page = await scope.delivery.ledger.page([mailing], { ...request, after, state: LEDGER_STATE[kind] });
  const ids = page.items.map((row) => row.subscriberId);
  const addresses = await scope.audience.subscribers.addressesOf(mailing.projectId, ids);
  const items = page.items.map((row): LeftOut => {
    const address = addresses.get(row.subscriberId)?.address ?? null;
    return { subscriberId: row.subscriberId, address, reason: kind, detail: row.reply };
  });
  return { items, next: page.next };
}

/** One listing by id of several without common subscribers. */
async function merged(sources: readonly Source[], search: PageRequest): Promise<Page<LeftOut>> {
  const limit = pageLimit(search);
  const pages: Page<LeftOut>[] = [];
  for (const source of sources) pages.push(await source({ limit, after: search.after }));
  const found = pages.flatMap((page) => page.items).sort((a, b) => (a.subscriberId < b.subscriberId ? -1 : 1));
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const more = found.length > limit || pages.some((page) => page.next !== undefined);
  return { items, next: more && last !== undefined ? encodeCursor([last.subscriberId]) : undefined };
}
