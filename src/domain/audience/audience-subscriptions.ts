import type { Clock } from '../shared/clock.ts';
import { InvalidInput, NotFound } from '../shared/errors.ts';
import { type Id, type Ids, isId } from '../shared/ids.ts';
import { SubscriberErased } from './audience-errors.ts';
import type { Joining, Moved } from './audience-inputs.ts';
import type { AudienceLists } from './audience-lists.ts';
import { type Consent, type ConsentAction, type Evidence, parseEvidence } from './consent.ts';
import type { SubscriberStore } from './subscriber-store.ts';
import { joinEvent, type Subscription, type SubscriptionEvent, transition } from './subscription.ts';
import type { OptOutFacts, SubscriptionStore } from './subscription-store.ts';
import type { SuppressionStore } from './suppression-store.ts';

/** What a signed unsubscribe link refers to. */
export interface OptOut {
  readonly campaignId: Id;
  /** The campaign's lists; empty when the campaign is gone. */
  readonly listIds: readonly Id[];
}

export interface OptOutState {
  /** No further mail of these lists would be sent to the subscriber. */
  readonly left: boolean;
  /** This link did it, recently: `undoOptOut` would undo it. */
  readonly undoable: boolean;
}

/** How long a link can undo what it did: a mail that is opened a year later must not subscribe anyone. */
const UNDO_DAYS = 30;
/** How often a link can undo what it did: every change is a stored consent. */
const UNDO_TIMES = 5;

/** Subscriptions and the consents to them. Every change holds the subscriber, so that an erasure comes before it or after it. */
export class AudienceSubscriptions {
  private readonly store: SubscriptionStore;
  private readonly subscribers: SubscriberStore;
  private readonly suppressions: SuppressionStore;
  private readonly lists: AudienceLists;
  private readonly clock: Clock;
  private readonly ids: Ids;

  constructor(
    parts: { lists: AudienceLists },
    deps: {
      subscriptions: SubscriptionStore;
      subscribers: SubscriberStore;
      suppressions: SuppressionStore;
      clock: Clock;
      ids: Ids;
    },
  ) {
    this.store = deps.subscriptions;
    this.subscribers = deps.subscribers;
    this.suppressions = deps.suppressions;
    this.lists = parts.lists;
    this.clock = deps.clock;
    this.ids = deps.ids;
  }

  /** Every subscription of these subscribers. */
  of(projectId: Id, subscriberIds: readonly Id[]): Promise<readonly Subscription[]> {
    return this.store.of(projectId, subscriberIds);
  }

  consentsOf(projectId: Id, subscriberId: Id): Promise<readonly Consent[]> {
    return this.store.consentsOf(projectId, subscriberId);
  }

  /**
   * Subscribes to a list: confirmed, or unconfirmed where the list requires double opt-in. Idempotent.
   * @throws NotFound, ListArchived, SubscriptionRefused for a subscriber who unsubscribed and has not consented anew
   */
  async subscribe(projectId: Id, listId: Id, subscriberId: Id, joining: Joining = {}): Promise<Moved> {
    const list = await this.lists.get(projectId, listId);
    list.checkOpen();
    const consent = { stated: joining.consent !== undefined, confirmed: joining.confirmed ?? false };
    if (consent.confirmed && !consent.stated) throw new InvalidInput('A confirmed consent needs its source.', '/consent');
    return this.move(projectId, list.id, subscriberId, joinEvent(list.doubleOptIn, consent), joining.consent);
  }

  /** Records the answer to the confirmation mail. @throws NotFound, SubscriptionRefused */
  async confirm(projectId: Id, listId: Id, subscriberId: Id, evidence: Evidence): Promise<Moved> {
    const list = await this.lists.get(projectId, listId);
    return this.move(projectId, list.id, subscriberId, 'confirm', evidence);
  }

  /** Idempotent. Gives the lists on which it changed something; foreign or unknown ids change nothing. */
  async unsubscribe(projectId: Id, listIds: readonly Id[], subscriberId: Id, evidence: Evidence): Promise<readonly Id[]> {
    const held = isId(subscriberId) ? await this.subscribers.hold(projectId, subscriberId.toLowerCase()) : undefined;
    if (held === undefined || held.emailKey === null) return [];
    const lists = await this.lists.hold(projectId, listIds);
    return this.leaveHeld(projectId, held.id, lists, evidence, undefined);
  }

  /**
   * Unsubscribes from the lists of the mail that holds the link. Where a list was deleted, suppresses marketing to the address
   * instead, so that the wish is always recorded. Idempotent.
   * @returns whether it changed something
   */
  async optOut(projectId: Id, subscriberId: Id, { campaignId, listIds }: OptOut, evidence: Evidence): Promise<boolean> {
    const held = await this.subscribers.hold(projectId, subscriberId);
    // An erased subscriber gets no mail.
    if (held === undefined || held.emailKey === null) return false;
    const there = await this.lists.hold(projectId, listIds);
    const before = await this.store.optOutFacts(projectId, subscriberId, campaignId, there, this.undoSince());
    const left = await this.leaveHeld(projectId, subscriberId, there, evidence, campaignId);
    if (isKnown(before, listIds, there) || before.joined > 0 || before.marketingRefused) return left.length > 0;
    const now = this.clock.now();
    await this.suppressions.add({
      projectId,
      emailKey: held.emailKey,
      scope: 'marketing',
      reason: 'unsubscribe',
      evidence: { source: evidence.source, campaign: campaignId },
      at: now,
    });
    if (left.length === 0) await this.record(projectId, subscriberId, listIds, 'unsubscribe', evidence, now);
    return true;
  }

  async optOutState(projectId: Id, subscriberId: Id, { campaignId, listIds }: OptOut): Promise<OptOutState> {
    const there = await this.lists.hold(projectId, listIds);
    const facts = await this.store.optOutFacts(projectId, subscriberId, campaignId, there, this.undoSince());
    const known = isKnown(facts, listIds, there) && facts.left > 0;
    return {
      left: facts.erased || facts.suppressed || (facts.joined === 0 && known),
      undoable: !facts.erased && facts.undoable && facts.undone < UNDO_TIMES,
    };
  }

  /**
   * Undoes what `optOut` did for this campaign, and nothing that was done in any other way: each list gets the state
   * from before, and the consent is stored. Needs the signed link, as `optOut` does.
   * @returns false when there is nothing to undo (any more)
   */
  async undoOptOut(projectId: Id, subscriberId: Id, campaignId: Id, evidence: Evidence): Promise<boolean> {
    const held = await this.subscribers.hold(projectId, subscriberId);
    if (held === undefined || held.emailKey === null) return false;
    const since = this.undoSince();
    const facts = await this.store.optOutFacts(projectId, subscriberId, campaignId, [], since);
    if (!facts.undoable || facts.undone >= UNDO_TIMES) return false;
    const now = this.clock.now();
    const back = await this.store.returnTo(projectId, subscriberId, campaignId, since, now);
    const lifted = await this.suppressions.liftOptOut(projectId, held.emailKey, campaignId, since);
    if (back.length === 0 && !lifted) return false;
    await this.record(projectId, subscriberId, back, 'resubscribe', evidence, now);
    return true;
  }

  /** @throws NotFound, SubscriberErased, SubscriptionRefused */
  private async move(
    projectId: Id,
    listId: Id,
    subscriberId: Id,
    event: SubscriptionEvent,
    evidence: Evidence | undefined,
  ): Promise<Moved> {
    const held = isId(subscriberId) ? await this.subscribers.hold(projectId, subscriberId.toLowerCase()) : undefined;
    if (held === undefined) throw new NotFound('subscriber', subscriberId.slice(0, 80));
    if (held.emailKey === null) throw new SubscriberErased();
    if ((await this.lists.hold(projectId, [listId])).length === 0) throw new NotFound('list', listId);
    const now = this.clock.now();
    // Twice only when another transaction adds the same subscription at the same moment.
    for (;;) {
      const before = await this.store.find(projectId, listId, held.id);
      const state = transition(before?.state, event);
      const changed = state !== before?.state;
      const subscription =
        before !== undefined && !changed
          ? before
          : { projectId, listId, subscriberId: held.id, state, createdAt: before?.createdAt ?? now, at: now };
      if (changed && !(await this.store.move(subscription, before?.state))) continue;
      const action = event === 'confirm' ? 'confirm' : 'subscribe';
      if (evidence !== undefined) {
        await this.record(projectId, held.id, [listId], action, evidence, now);
        // A consent that is later than the opt-out: without this the suppression would stay, and no campaign would be sent.
        if (state === 'confirmed') await this.suppressions.liftMarketingOptOut(projectId, held.emailKey);
      }
      return { subscription, changed };
    }
  }

  private async leaveHeld(
    projectId: Id,
    subscriberId: Id,
    lists: readonly Id[],
    evidence: Evidence,
    campaignId: Id | undefined,
  ): Promise<readonly Id[]> {
    const now = this.clock.now();
    const left = await this.store.leave(projectId, subscriberId, lists, campaignId, now);
    if (left.length > 0) await this.record(projectId, subscriberId, left, 'unsubscribe', evidence, now);
    return left;
  }

  private undoSince(): Date {
    return new Date(this.clock.now().getTime() - UNDO_DAYS * 86_400_000);
  }

  private async record(
    projectId: Id,
    subscriberId: Id,
    listIds: readonly Id[],
    action: ConsentAction,
    evidence: Evidence,
    now: Date,
  ): Promise<void> {
    const { source, ip, userAgent, text, textVersion, at } = parseEvidence(evidence, now);
    await this.store.addConsent({
      projectId,
      id: this.ids.next(),
      subscriberId,
      listIds,
      action,
      source,
      ip: ip ?? null,
      userAgent: userAgent ?? null,
      text: text ?? null,
      textVersion: textVersion ?? null,
      importId: null,
      givenAt: at,
      recordedAt: now,
    });
  }
}

/** Unsubscribing from lists is enough: all lists of the campaign exist, or this link has left one of them before. */
const isKnown = (facts: OptOutFacts, listIds: readonly Id[], there: readonly Id[]): boolean =>
  facts.leftByLink > 0 || (there.length > 0 && there.length === new Set(listIds).size);
