import type { Clock } from '../shared/clock.ts';
import type { EmailAddress } from '../shared/email-address.ts';
import type { Id } from '../shared/ids.ts';
import { SubscriberErased } from './audience-errors.ts';
import type { AudienceStore } from './audience-store.ts';
import type { Subscriber } from './subscriber.ts';
import { type ErasureKeys, erasureMark } from './suppression.ts';

/** How a person is forgotten, and how the address is recognised afterwards. */
export class Erasure {
  private readonly store: AudienceStore;
  private readonly clock: Clock;
  private readonly erasureKeys: (projectId: Id) => ErasureKeys;

  constructor(deps: { store: AudienceStore; clock: Clock; erasureKeys: (projectId: Id) => ErasureKeys }) {
    this.store = deps.store;
    this.clock = deps.clock;
    this.erasureKeys = deps.erasureKeys;
  }

  /** Forgets the person. `subscriber` must be locked, so that nothing is added for it until the commit. */
  async erase(subscriber: Subscriber, evidence: Readonly<Record<string, string>>): Promise<void> {
    const { projectId, id, emailKey } = subscriber;
    if (emailKey === null) return;
    const at = this.clock.now();
    const mark = erasureMark(this.erasureKeys(projectId)[0], emailKey);
    await this.store.addSuppression({ projectId, emailKey: mark, scope: 'project', reason: 'erased', evidence, at });
    await this.store.removeSuppressions(projectId, [emailKey], undefined);
    await this.store.removeSubscriptions(projectId, id);
    await this.store.stripConsents(projectId, id);
    await this.store.stripRejections(projectId, emailKey);
    subscriber.erase(at);
  }

  /** Whether this address was erased. */
  async knows(projectId: Id, emailKey: string): Promise<boolean> {
    return (await this.store.suppressionsOf(projectId, this.marksOf(projectId, emailKey))).length > 0;
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
