import type { LeasedShard } from '../bulk/leased-shard.ts';
import type { Lines } from '../bulk/line.ts';
import type { OutcomeRecorder } from '../bulk/outcome-recorder.ts';

/** What a sender does at present, to tell whether it makes progress. */
export interface LaneActivity {
  /** It has something to do now: a sender that only waits for its rate limit has not. */
  readonly busy: boolean;
  /** Changes with every outcome that becomes known or is recorded, and with every shard taken or let go. */
  readonly mark: string;
  /** What it waits for, in words. */
  readonly waits: () => readonly string[];
}

interface Parts {
  readonly held: readonly LeasedShard[];
  readonly lines: Lines;
  readonly recorder: OutcomeRecorder;
  /** Monotonic. */
  readonly now: number;
}

/** Asked about once a second: it reads what the parts know anyway, and changes none of it. */
export function activityOf(parts: Parts): LaneActivity {
  const { held, lines, recorder, now } = parts;
  const settled = held.reduce((sum, { shard }) => sum + shard.settled, 0);
  return {
    busy:
      recorder.handedOver > 0 ||
      (lines.all.some(({ pace }) => pace.ready(now)) &&
        held.some(({ mailing }) => lines.blocked(mailing.projectId) === undefined)),
    mark: `${held.map(({ name }) => name).join()} ${settled}`,
    waits: () => waitsOf(parts),
  };
}

function waitsOf({ held, lines, recorder, now }: Parts): readonly string[] {
  const seconds = (since: number): string => `${Math.round((now - since) / 1_000)} s`;
  const words = lines.all.flatMap((line) => line.waits());
  const { underway } = recorder;
  if (underway !== undefined)
    words.push(`${underway.outcomes} outcomes wait for the database to commit them (for ${seconds(underway.since)})`);
  const readings = held.flatMap(({ reader }) => reader.loadingSince ?? []);
  if (readings.length > 0)
    words.push(
      `${readings.length} shards wait for the data of their next recipients (longest ${seconds(Math.min(...readings))})`,
    );
  const overdue = held.filter(({ deadline, fenced }) => !fenced && now > deadline);
  if (overdue.length > 0)
    words.push(`${overdue.length} shards wait for the database to renew their leases (longest ${seconds(overdue[0]!.deadline)})`);
  if (words.length > 0) return words;
  const left = held.reduce((sum, { shard }) => sum + shard.remaining, 0);
  return [`nothing known, with ${left} recipients left and ${recorder.handedOver} messages handed over: a fault of pennypost`];
}
