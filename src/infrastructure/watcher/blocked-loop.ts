import { Session } from 'node:inspector/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Stuck } from '../../domain/delivery/index.ts';
import { createLogger } from '../logger.ts';
import { tellBlocked } from '../postgres/blocked-worker.ts';
import type { ConnectionSettings } from '../postgres/connection.ts';
import { type ProfilePlace, recordCpuProfile } from './cpu-profile.ts';
import { stackOf } from './inspection.ts';

/** What the watching thread is given: all of it is copied but the memory of the heartbeat. */
export interface Heartbeat extends ProfilePlace {
  /** One Int32 that the event loop counts up. */
  readonly memory: SharedArrayBuffer;
  /** Milliseconds between two beats. */
  readonly everyMs: number;
  /** Milliseconds without a beat. */
  readonly afterMs: number;
  /** `ATTENDANT`. */
  readonly attendant: string;
  readonly workerId: string;
  readonly connection: ConnectionSettings;
  readonly logLevel: string;
}

/** What the event loop hears of its absence once it is back. */
export interface Absence {
  readonly forMs: number;
  readonly reason: string;
  readonly profile: string | undefined;
}

/** This module, for the thread that loads it when it is needed. */
export const ATTENDANT = import.meta.url;

/** Workers say that they live as often. */
const TELL_MS = 5_000;

/**
 * Runs in the watching thread while the event loop does not turn: logs it, profiles the main thread and tells the database, whose
 * row of this worker the loop itself cannot write. Ends with the first beat.
 * @param silentMs how long it has not turned already
 */
export async function attend(heartbeat: Heartbeat, silentMs: number): Promise<Absence> {
  const { connection, workerId, everyMs } = heartbeat;
  const log = createLogger(heartbeat.logLevel);
  const beats = new Int32Array(heartbeat.memory);
  const [heard, since] = [Atomics.load(beats, 0), performance.now() - silentMs];
  const blocked = (): boolean => Atomics.load(beats, 0) === heard;
  const forMs = (): number => Math.round(performance.now() - since);
  let told: Omit<Stuck, 'forMs'> = { at: 'its event loop is blocked' };
  let toldAt = Number.NEGATIVE_INFINITY;
  const learned = (more: Partial<Stuck>, message: string): void => {
    told = { ...told, ...more };
    toldAt = Number.NEGATIVE_INFINITY;
    log.warn({ forMs: forMs(), reason: told.at, profile: told.profile }, message);
  };
  const failed = (what: string) => (error: unknown) => log.warn({ reason: error }, what);
  const inspect = async (session: Session): Promise<void> => {
    session.connectToMainThread();
    const stack = await stackOf(session);
    learned(
      { at: stack === undefined ? `${told.at} in a call that is not JavaScript` : `${told.at} in ${stack}` },
      'this worker is stuck',
    );
    if (stack === undefined) return;
    learned({ profile: (await recordCpuProfile(heartbeat, session)).path }, 'recorded a CPU profile of the blocked event loop');
  };
  const session = new Session();
  const inspecting = inspect(session)
    .catch(failed('the event loop is blocked and could not be inspected'))
    .finally(() => session.disconnect());
  for (; blocked(); await delay(everyMs)) {
    if (performance.now() - toldAt < TELL_MS) continue;
    toldAt = performance.now();
    await tellBlocked(connection, workerId, { ...told, forMs: forMs() }).catch(
      failed('could not record in the database that the event loop is blocked'),
    );
  }
  const absence = { forMs: forMs() };
  await inspecting;
  return { ...absence, reason: told.at, profile: told.profile };
}
