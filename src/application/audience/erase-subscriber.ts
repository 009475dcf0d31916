import type { Id } from '../../domain/shared/ids.ts';
import type { Scope } from '../unit-of-work.ts';

/**
 * Forgets a person for good. What stays: the id, so that reports add up, and a keyed hash of the address, so that no import
 * can mail it again. @throws NotFound
 */
export async function eraseSubscriber(
  scope: Scope,
  projectId: Id,
  subscriberId: Id,
  evidence: Readonly<Record<string, string>> = {},
): Promise<void> {
  await scope.audience.subscribers.erase(projectId, subscriberId, evidence);
}
