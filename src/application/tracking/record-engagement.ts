import { type Increment, linkSubject, mailingSubject, PROJECT, TRANSACTIONAL } from '../../domain/analytics/index.ts';
import type { EngagementEvent, RecordedEngagement } from '../../domain/tracking/index.ts';
import type { BulkScope } from '../unit-of-work.ts';

/**
 * Stores a batch of opens and clicks of any projects and counts what they changed, inside one transaction. Safe to repeat:
 * counters move only by what was really stored.
 * @throws NotFound for events of a project that is gone
 */
export async function recordEngagement(
  scope: Pick<BulkScope, 'access' | 'tracking' | 'analytics'>,
  events: readonly EngagementEvent[],
): Promise<void> {
  // Asked for without waiting: it leaves with the events. It fails here only when these have been stored or have failed, so that no
  // statement of theirs is sent after the end of the transaction.
  const asked = scope.access.timeZones([...new Set(events.map((event) => event.projectId))]);
  asked.catch(() => undefined);
  const recorded = await scope.tracking.recordEngagement(events);
  const timeZones = await asked;
  const byProject = Map.groupBy(recorded, (event) => event.projectId);
  // In the order of ids, as every writer of counters does.
  for (const projectId of [...byProject.keys()].sort()) {
    await scope.analytics.count(projectId, timeZones.get(projectId)!, byProject.get(projectId)!.flatMap(incrementsOf));
  }
}

function incrementsOf(event: RecordedEngagement): readonly Increment[] {
  const { kind, at, mailingId, link, requests, firstOfPerson, firstOnLink } = event;
  const [total, unique] =
    kind === 'open' ? (['opened_total', 'opened_unique'] as const) : (['clicked_total', 'clicked_unique'] as const);
  const subjects = mailingId === undefined ? [PROJECT, TRANSACTIONAL] : [PROJECT, mailingSubject(mailingId)];
  const increments: Increment[] = subjects.map((subject) => ({ subject, kind: total, at, by: requests }));
  if (firstOfPerson > 0) increments.push(...subjects.map((subject) => ({ subject, kind: unique, at, by: firstOfPerson })));
  if (mailingId !== undefined && link !== undefined) {
    const subject = linkSubject(mailingId, link);
    increments.push({ subject, kind: total, at, by: requests });
    if (firstOnLink > 0) increments.push({ subject, kind: unique, at, by: firstOnLink });
  }
  return increments;
}
