import type { Id } from '../shared/ids.ts';
import type { MailingKey } from './mailing-key.ts';
import type { Run, RunKey } from './run.ts';
import type { ShardKey } from './shard.ts';

type NumberedRun = Pick<Run, 'projectId' | 'mailingId' | 'number'>;

/** Runs, and the shards that they are cut into. */
export interface RunStore {
  add(run: Run): Promise<void>;
  /** `recipients` is a PostgreSQL array literal of `size` uuids, as read: a million ids never become objects here. */
  addShard(key: ShardKey, launchedOn: string, recipients: string, size: number): Promise<void>;
  /** Sets the run's audience: the number of recipients in its shards. */
  close(run: NumberedRun): Promise<number>;
  of(projectId: Id, mailingId: Id): Promise<readonly Run[]>;
  /** Moves every run of a mailing that is in one of `from`. */
  setState(projectId: Id, mailingId: Id, from: readonly Run['state'][], to: Run['state'], at: Date): Promise<number>;
  /** `running` to `done`; false when the run was not running any more or has an open shard after all. */
  end(run: NumberedRun, at: Date): Promise<boolean>;
  /** Whether `due` looks for this mailing's deferrals: not while it is paused, not once it is over. True for a new run. */
  watch(projectId: Id, mailingId: Id, watched: boolean): Promise<void>;
  /** From now on `cancelling` names this mailing, until `cancelRest` finds no recipient left. */
  beginCancelling(projectId: Id, mailingId: Id): Promise<void>;
  /** Cancelled mailings with recipients that have no final state yet. */
  cancelling(limit: number): Promise<readonly MailingKey[]>;
  /**
   * Records `cancelled` for some thousand recipients without an outcome or with a deferral, in bounded statements.
   * `held`: another process is doing it, or a live worker still has a shard.
   */
  cancelRest(mailing: MailingKey, at: Date): Promise<{ readonly cancelled: number; readonly left: 'more' | 'held' | 'nothing' }>;
  /** Names (`runName`) of those of these runs that are running. */
  running(runs: readonly RunKey[]): Promise<ReadonlySet<string>>;
  /** Runs that are `running` and have no open shard left. */
  finished(limit: number): Promise<readonly Run[]>;
  /** Watched mailings with a deferral that is due, by the clock of the database, and no run open but the first. */
  due(limit: number): Promise<readonly MailingKey[]>;
  /** Makes sure that rows of this launch date have a partition to go to. */
  ensurePartition(launchedOn: string): Promise<void>;
}
