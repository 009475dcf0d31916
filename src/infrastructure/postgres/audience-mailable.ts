/** The rule that decides which subscribers of an audience may be mailed. `test/architecture.test.ts` finds a second copy. */
import { listsIn, STOPPING_SCOPES } from '../../domain/audience/index.ts';
import type { Audience } from '../../domain/shared/audience.ts';
import type { Id } from '../../domain/shared/ids.ts';

/** $1, $2 and $3 of every statement with `judged`: project, included lists, excluded lists. */
export const audienceValues = (projectId: Id, { include, exclude }: Audience): readonly [Id, readonly Id[], readonly Id[]] => [
  projectId,
  listsIn(include),
  listsIn(exclude),
];

/**
 * The scopes in which the address of `s` is suppressed, or null for nearly all. A lateral aggregate keeps the planner from
 * reading a long list of suppressions whole: one probe of the primary key of suppression per subscriber.
 */
export const SUPPRESSED = `left join lateral (
    select array_agg(x.scope) as scopes from pennypost_audience.suppression x
    where x.project_id = $1 and x.email_key = s.email_key) suppressed on true`;

/** Whether these scopes stop marketing, whatever the list; null for none. */
export const stopsMarketing = (scopes: string): string =>
  `${scopes} && array[${STOPPING_SCOPES.marketing.map((scope) => `'${scope}'`).join(', ')}]`;

/** Where the rule finds the subscriptions of `s` to the included lists. */
interface Subscribed {
  readonly join: string;
  readonly confirmed: string;
  readonly unconfirmed: string;
}

/** For candidates that were found by their confirmed subscription. */
export const CONFIRMED: Subscribed = { join: '', confirmed: 'true', unconfirmed: 'false' };

/** For all others: by the primary key of subscription, once for all of them. `among` narrows it to these subscribers. */
export const lookedUp = (among: string): Subscribed => ({
  join: `left join (
    select n.subscriber_id, bool_or(n.state = 'confirmed') as confirmed, bool_or(n.state = 'unconfirmed') as unconfirmed
    from pennypost_audience.subscription n
    where n.project_id = $1 and n.list_id = any($2::uuid[]) ${among}
    group by n.subscriber_id) joined on joined.subscriber_id = s.id`,
  confirmed: 'joined.confirmed',
  unconfirmed: 'joined.unconfirmed',
});

/**
 * Selects subscribers `s` with `refusal`: why each may not be mailed for this audience, or null. The order is that of
 * `EXCLUSION_REASONS`. Primary keys of subscriber, suppression and subscription.
 */
export const judged = (columns: string, { join, confirmed, unconfirmed }: Subscribed, candidates: string): string =>
  `select ${columns}, case
    when s.status <> 'active' then 'erased'
    when ${stopsMarketing('suppressed.scopes')} then 'suppressed'
    when cardinality($3::uuid[]) > 0 and exists (
      select from pennypost_audience.subscription e
      where e.project_id = $1 and e.list_id = any($3::uuid[]) and e.subscriber_id = s.id and e.state <> 'unsubscribed') then 'excluded_list'
    when ${confirmed} and (suppressed.scopes is null or exists (
      select from pennypost_audience.subscription n
      where n.project_id = $1 and n.list_id = any($2::uuid[]) and n.subscriber_id = s.id and n.state = 'confirmed'
        and 'list:' || n.list_id <> all (suppressed.scopes))) then null
    when ${confirmed} then 'suppressed'
    when ${unconfirmed} then 'unconfirmed'
    else 'unsubscribed'
  end as refusal
  from pennypost_audience.subscriber s ${join} ${SUPPRESSED}
  where s.project_id = $1 and ${candidates}`;
