import type { AudienceService } from '../../domain/audience/index.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import { ListDesk } from './list-desk.ts';

type Parts = Pick<AudienceService, 'lists' | 'subscribers' | 'subscriptions' | 'suppressions' | 'recipients' | 'imports'>;
type Transacted<Verb> = Verb extends (...args: infer Args) => infer Result ? (...args: Args) => Promise<Awaited<Result>> : never;

/** The verbs of the audience that faces call, each in a transaction of its own. */
export function audienceVerbs(work: UnitOfWork) {
  const lists = new ListDesk({ work });
  /** The same verb, in a transaction of its own. */
  const verb = <Part extends keyof Parts, Name extends keyof Parts[Part]>(
    part: Part,
    name: Name,
  ): Transacted<Parts[Part][Name]> =>
    ((...args: unknown[]) =>
      work.run(async ({ audience }) => {
        const target: Parts[Part] = audience[part];
        return (target[name] as (...args: unknown[]) => unknown).apply(target, args);
      })) as Transacted<Parts[Part][Name]>;
  return {
    createList: verb('lists', 'create'),
    updateList: verb('lists', 'update'),
    findList: verb('lists', 'find'),
    getList: verb('lists', 'get'),
    lists: verb('lists', 'list'),
    listCounts: verb('lists', 'counts'),
    archiveList: lists.archive.bind(lists),
    restoreList: verb('lists', 'restore'),
    deleteList: lists.delete.bind(lists),
    upsertSubscriber: verb('subscribers', 'upsert'),
    join: verb('subscribers', 'join'),
    updateSubscriber: verb('subscribers', 'update'),
    getSubscriber: verb('subscribers', 'get'),
    findByAddress: verb('subscribers', 'findByAddress'),
    searchSubscribers: verb('subscribers', 'search'),
    deleteSubscriber: verb('subscribers', 'erase'),
    subscribe: verb('subscriptions', 'subscribe'),
    confirm: verb('subscriptions', 'confirm'),
    unsubscribe: verb('subscriptions', 'unsubscribe'),
    subscriptionsOf: verb('subscriptions', 'of'),
    consentsOf: verb('subscriptions', 'consentsOf'),
    suppress: verb('suppressions', 'add'),
    unsuppress: verb('suppressions', 'lift'),
    suppressionsOf: verb('suppressions', 'of'),
    listSuppressions: verb('suppressions', 'list'),
    countAudience: verb('recipients', 'count'),
    getImport: verb('imports', 'get'),
    imports: verb('imports', 'list'),
    rejections: verb('imports', 'rejections'),
  };
}
