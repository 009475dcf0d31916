import { domainSubject, type Increment, mailingSubject, PROJECT } from '../../../domain/analytics/index.ts';
import type { LedgerChange, LedgerState, MovedState, RecordedBatches, ShardBatch } from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import type { UnitOfWork } from '../../unit-of-work.ts';

/** Outcomes are recorded some fifty times a second; a project is asked for its time zone this often. */
const FRESH_MS = 5_000;

/** Writes a recorder's batch: ledger, shards and counters in one transaction, so that no figure ever disagrees with the ledger. */
export class RecordOutcomes {
  readonly #work: UnitOfWork;
  readonly #clock: Clock;
  readonly #known = new Map<Id, { readonly timeZone: string; readonly askedAt: number }>();

  constructor(deps: { work: UnitOfWork; clock: Clock }) {
    this.#work = deps.work;
    this.#clock = deps.clock;
  }

  async record(batches: readonly ShardBatch[]): Promise<RecordedBatches> {
    const timeZones = await this.#timeZones(batches);
    return this.#work.bulk(async (scope) => {
      const recorded = await scope.delivery.lanes.record(batches);
      for (const [projectId, timeZone] of timeZones) {
        const increments = incrementsOf(recorded.changes.filter((change) => change.projectId === projectId));
        if (increments.length > 0) await scope.analytics.count(projectId, timeZone, increments);
      }
      return recorded;
    });
  }

  /** In the order of projects. A changed zone is used here within `FRESH_MS`; days that were counted stay as they are. */
  async #timeZones(batches: readonly ShardBatch[]): Promise<(readonly [Id, string])[]> {
    const projects = [...new Set(batches.map((batch) => batch.projectId))].sort();
    return Promise.all(
      projects.map(async (projectId) => {
        const known = this.#known.get(projectId);
        const askedAt = this.#clock.monotonic();
        if (known !== undefined && askedAt - known.askedAt < FRESH_MS) return [projectId, known.timeZone] as const;
        const { timeZone } = await this.#work.run((scope) => scope.access.getProject(projectId));
        this.#known.set(projectId, { timeZone, askedAt });
        return [projectId, timeZone] as const;
      }),
    );
  }
}

const MINUTE_MS = 60_000;

/** Summed up here by state and minute, and within those by domain: a batch is some hundred outcomes of few kinds. */
function incrementsOf(changes: readonly LedgerChange[]): Increment[] {
  const increments: Increment[] = [];
  for (const { mailingId, moved } of changes) {
    const mailing = mailingSubject(mailingId);
    for (const group of byStateAndMinute(moved)) {
      const { state: kind, at, by } = group;
      increments.push({ subject: mailing, kind, at, by }, { subject: PROJECT, kind, at, by });
      for (const [domain, times] of group.domains) {
        increments.push({ subject: domainSubject(mailingId, domain), kind, at, by: times });
      }
    }
  }
  return increments;
}

interface Group {
  readonly state: LedgerState;
  readonly minute: number;
  readonly at: Date;
  by: number;
  readonly domains: Map<string, number>;
}

function byStateAndMinute(moved: readonly MovedState[]): Group[] {
  const groups: Group[] = [];
  let group: Group | undefined;
  for (const { state, at, domain } of moved) {
    const minute = Math.floor(at.getTime() / MINUTE_MS);
    if (group === undefined || group.state !== state || group.minute !== minute) {
      group = groups.find((known) => known.state === state && known.minute === minute) ?? {
        state,
        minute,
        at,
        by: 0,
        domains: new Map(),
      };
      if (group.by === 0) groups.push(group);
    }
    group.by += 1;
    if (domain !== undefined) group.domains.set(domain, (group.domains.get(domain) ?? 0) + 1);
  }
  return groups;
}
