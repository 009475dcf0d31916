import type { Clock } from '../shared/clock.ts';
import type { EmailAddress } from '../shared/email-address.ts';
import type { Id } from '../shared/ids.ts';
import { SubscriberErased } from './audience-errors.ts';
import type { ImportStore } from './import-store.ts';
import type { Subscriber } from './subscriber.ts';
import type { SubscriptionStore } from './subscription-store.ts';
import { type ErasureKeys, erasureMark } from './suppression.ts';
import type { SuppressionStore } from './suppression-store.ts';

/** Erases a subscriber, and recognises the address afterwards. */
export class Erasure {
  private readonly subscriptions: SubscriptionStore;
  private readonly suppressions: SuppressionStore;
  private readonly imports: ImportStore;
  private readonly clock: Clock;
  private readonly erasureKeys: (projectId: Id) => ErasureKeys;

  constructor(deps: {
    subscriptions: SubscriptionStore;
    suppressions: SuppressionStore;
    imports: ImportStore;
    clock: Clock;
    erasureKeys: (projectId: Id) => ErasureKeys;
  }) {
    this.subscriptions = deps.subscriptions;
    this.suppressions = deps.suppressions;
    this.imports = deps.imports;
    this.clock = deps.clock;
    this.erasureKeys = deps.erasureKeys;
  }

  /** Erases the subscriber. `subscriber` must be locked, so that nothing is added for it until the commit. */
  async erase(subscriber: Subscriber, evidence: Readonly<Record<string, string>>): Promise<void> {
    const { projectId, id, emailKey } = subscriber;
    if (emailKey === null) return;
    const at = this.clock.now();
    const mark = erasureMark(this.erasureKeys(projectId)[0], emailKey);
    await this.suppressions.add({ projectId, emailKey: mark, scope: 'project', reason: 'erased', evidence, at });
    await this.suppressions.remove(projectId, [emailKey], undefined);
    await this.subscriptions.removeAll(projectId, id);
    await this.subscriptions.stripConsents(projectId, id);
    await this.imports.stripRejections(projectId, emailKey);
    subscriber.erase(at);
  }

  /** Whether this address was erased. */
  async knows(projectId: Id, emailKey: string): Promise<boolean> {
    return (await this.suppressions.of(projectId, this.marksOf(projectId, emailKey))).length > 0;
  }

  /** @throws SubscriberErased */
  async refuse(projectId: Id, email: EmailAddress): Promise<void> {
    if (await this.knows(projectId, email.key)) throw new SubscriberErased();
  }

  /** Every key under which a suppression of this address may stand. */
  keysOf(projectId: Id, email: EmailAddress): readonly string[] {
    return [email.key, ...this.marksOf(projectId, email.key)];
  }

  /** Every form in which the erased address may be kept: one per secret that the instance knows. */
  private marksOf(projectId: Id, emailKey: string): readonly string[] {
    return this.erasureKeys(projectId).map((key) => erasureMark(key, emailKey));
  }
}
