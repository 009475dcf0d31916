import type { Id } from '../../domain/shared/ids.ts';
import { eraseTraces } from '../delivery/jobs.ts';
import type { Scope, UnitOfWork } from '../unit-of-work.ts';

/**
 * Erases a subscriber in every context.
 *
 * audience   address, attributes, subscriptions, suppressions, and the details of consents and of rejected import rows. A keyed
 *            hash of the address stays as a suppression, so that no import can mail it again.
 * delivery   recipient, content, variables and replies of transactional messages; those that wait are skipped. Then, by a job,
 *            the replies in the ledger of campaigns.
 * tracking   by the same job, user agents and networks of opens and clicks.
 *
 * The subscriber's id, the outcome of each message and all counters stay, so that reports add up. @throws NotFound
 */
export async function eraseSubscriber(
  scope: Scope,
  projectId: Id,
  subscriberId: Id,
  evidence: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { address, emailKey } = await scope.audience.subscribers.get(projectId, subscriberId);
  await scope.audience.subscribers.erase(projectId, subscriberId, evidence);
  if (address === null) return;
  await scope.delivery.transactional.eraseRecipient(projectId, emailKey === null ? [address] : [address, emailKey]);
  await scope.jobs.enqueue(eraseTraces, { projectId, subscriberId }, { key: subscriberId });
}

/** The part that reads many rows; a job does it. Safe to run twice. */
export function eraseTracesOf(work: UnitOfWork, projectId: Id, subscriberId: Id): Promise<void> {
  return work.run(async (scope) => {
    await scope.delivery.ledger.stripReplies(projectId, subscriberId);
    await scope.tracking.stripEvents(projectId, subscriberId);
  });
}
