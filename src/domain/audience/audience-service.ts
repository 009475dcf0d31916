import type { Clock } from '../shared/clock.ts';
import type { Id, Ids } from '../shared/ids.ts';
import { AudienceImports } from './audience-imports.ts';
import { AudienceLists } from './audience-lists.ts';
import { AudienceRecipients } from './audience-recipients.ts';
import { AudienceSubscribers } from './audience-subscribers.ts';
import { AudienceSubscriptions } from './audience-subscriptions.ts';
import { AudienceSuppressions } from './audience-suppressions.ts';
import { Erasure } from './erasure.ts';
import type { ImportStore } from './import-store.ts';
import type { ListStore } from './list-store.ts';
import type { RecipientStore } from './recipient-store.ts';
import type { SubscriberStore } from './subscriber-store.ts';
import type { SubscriptionStore } from './subscription-store.ts';
import type { ErasureKeys } from './suppression.ts';
import type { SuppressionStore } from './suppression-store.ts';

/** What the context keeps, each part for itself. Every method sees one project; what belongs to another does not exist for it. */
export interface AudienceStores {
  readonly subscribers: SubscriberStore;
  readonly lists: ListStore;
  readonly subscriptions: SubscriptionStore;
  readonly suppressions: SuppressionStore;
  readonly imports: ImportStore;
  readonly recipients: RecipientStore;
}

/** The verbs of the context, by what they are about. Each runs inside the caller's unit of work, and sees one project. */
export class AudienceService {
  readonly subscribers: AudienceSubscribers;
  readonly lists: AudienceLists;
  readonly subscriptions: AudienceSubscriptions;
  readonly suppressions: AudienceSuppressions;
  readonly imports: AudienceImports;
  readonly recipients: AudienceRecipients;

  constructor({
    stores,
    ...rest
  }: { stores: AudienceStores; clock: Clock; ids: Ids; erasureKeys: (projectId: Id) => ErasureKeys }) {
    const deps = { ...stores, ...rest };
    const erasure = new Erasure(deps);
    this.lists = new AudienceLists(deps);
    this.subscriptions = new AudienceSubscriptions(this, deps);
    this.subscribers = new AudienceSubscribers({ subscriptions: this.subscriptions, erasure }, deps);
    this.suppressions = new AudienceSuppressions({ lists: this.lists, erasure }, deps);
    this.imports = new AudienceImports(this, deps);
    this.recipients = new AudienceRecipients(this, deps);
  }
}
