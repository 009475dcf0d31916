import type { Clock } from '../../domain/shared/clock.ts';
import type { EngagementEvent } from '../../domain/tracking/index.ts';
import { GroupCommit, type GroupCommitStats, type Settlement } from '../group-commit.ts';
import type { Log } from '../log.ts';

export interface EngagementRecorderDeps {
  /** Stores and counts a batch in one transaction: `recordEngagement` inside a unit of work. */
  readonly commit: (batch: readonly EngagementEvent[]) => Promise<void>;
  /** True when the same batch may succeed later: connection, shutdown, resources, deadlock. */
  readonly isTransient: (error: unknown) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Least milliseconds between the starts of two commits. Default 20. */
  readonly floorMs?: number | undefined;
  /** Most events in memory; about 1 kB each. Default 10,000. */
  readonly maxWaiting?: number | undefined;
  /** How long a redirect may wait for its event to become durable (promise D8). Default 250. */
  readonly patienceMs?: number | undefined;
}

export interface EngagementRecorderStats extends GroupCommitStats {
  /** Events that were durable before the answer. */
  readonly recorded: number;
  /** Events answered as lost: no room, too late, or refused. */
  readonly lost: number;
  /** Lost events that became durable later, when the database was back. */
  readonly recovered: number;
  /** Lost events that PostgreSQL refused. */
  readonly refused: number;
}

/**
 * Makes opens and clicks durable before they are answered, many in one commit. An event that is not durable after 250 ms is
 * answered and counted as lost. It stays in memory while there is room, and is written when the database is back. It is
 * really lost only when the process ends before that.
 */
export class EngagementRecorder {
  private readonly group: GroupCommit<EngagementEvent>;
  private readonly log: Log;
  private readonly patienceMs: number;
  private recorded = 0;
  private lost = 0;
  private recovered = 0;
  private refused = 0;

  constructor(deps: EngagementRecorderDeps) {
    this.group = new GroupCommit({ ...deps, maxCommits: 2 });
    this.log = deps.log;
    this.patienceMs = deps.patienceMs ?? 250;
  }

  get stats(): EngagementRecorderStats {
    const { recorded, lost, recovered, refused } = this;
    return { ...this.group.stats, recorded, lost, recovered, refused };
  }

  /** Settles within `patienceMs`, and never rejects. */
  record(event: EngagementEvent): Promise<'durable' | 'lost'> {
    return new Promise((resolve) => {
      let answered = false;
      const answer = (result: 'durable' | 'lost'): void => {
        answered = true;
        clearTimeout(timer);
        if (result === 'durable') this.recorded += 1;
        else this.lost += 1;
        resolve(result);
      };
      const timer = setTimeout(() => answer('lost'), this.patienceMs);
      const taken = this.group.add(event, (settlement) => {
        this.note(event, settlement);
        const durable = settlement.outcome === 'durable';
        if (!answered) answer(durable ? 'durable' : 'lost');
        else if (durable) this.recovered += 1;
      });
      if (!taken) answer('lost');
    });
  }

  /** Accepts no more events and writes those in memory, for at most `withinMs` (default 5,000). */
  close(withinMs?: number): Promise<void> {
    return this.group.close(withinMs);
  }

  private note(event: EngagementEvent, settlement: Settlement): void {
    if (settlement.outcome !== 'refused') return;
    this.refused += 1;
    const { projectId, id, kind } = event;
    this.log.error({ projectId, event: id, kind, reason: settlement.error }, 'an event cannot be stored and was dropped');
  }
}
