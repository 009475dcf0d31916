import { campaignSubject, domainSubject, type Increment, PROJECT } from '../../domain/analytics/index.ts';
import type { LedgerChange, RecordedBatches, ShardBatch } from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Scope, UnitOfWork } from '../unit-of-work.ts';

/** Writes a recorder's batch: ledger, shards and counters in one transaction, so that no figure ever disagrees with the ledger. */
export class RecordOutcomes {
  readonly #work: UnitOfWork;
  readonly #timeZones = new Map<Id, string>();

  constructor(deps: { work: UnitOfWork }) {
    this.#work = deps.work;
  }

  record(batches: readonly ShardBatch[]): Promise<RecordedBatches> {
    return this.#work.run(async (scope) => {
      const recorded = await scope.delivery.record(batches);
      const byProject = Map.groupBy(recorded.changes, (change) => change.projectId);
      for (const projectId of [...byProject.keys()].sort()) {
        const increments = (byProject.get(projectId) ?? []).flatMap(incrementsOf);
        if (increments.length > 0) await scope.analytics.count(projectId, await this.#timeZone(scope, projectId), increments);
      }
      return recorded;
    });
  }

  /** Asked once per project and process: days that were counted keep their zone anyway. */
  async #timeZone(scope: Scope, projectId: Id): Promise<string> {
    const known = this.#timeZones.get(projectId);
    if (known !== undefined) return known;
    const { timeZone } = await scope.access.getProject(projectId);
    this.#timeZones.set(projectId, timeZone);
    return timeZone;
  }
}

/** Summed up by state, domain and minute first: a batch is some hundred outcomes of few kinds. */
function incrementsOf(change: LedgerChange): Increment[] {
  const groups = Map.groupBy(
    change.moved,
    (moved) => `${moved.state} ${Math.floor(moved.at.getTime() / 60_000)} ${moved.domain ?? ''}`,
  );
  const campaign = campaignSubject(change.campaignId);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { state: kind, at, domain } = first;
    const by = group.length;
    return [
      { subject: campaign, kind, at, by },
      { subject: PROJECT, kind, at, by },
      ...(domain === undefined ? [] : [{ subject: domainSubject(change.campaignId, domain), kind, at, by }]),
    ];
  });
}
