/**
 * Watches the event loop of this process from a thread beside it, for what no timer of the loop can notice: that the loop is blocked.
 * The loop counts up one number in shared memory; the thread looks at it as often, and does nothing else until it stands still.
 */
import { Session } from 'node:inspector/promises';
import { Worker } from 'node:worker_threads';
import type { ProcessWatcher, RecordedProfile } from '../../application/delivery/status/stuck-watch.ts';
import type { Log } from '../../application/log.ts';
import type { ConnectionSettings } from '../postgres/connection.ts';
import { type Absence, ATTENDANT, type Heartbeat } from './blocked-loop.ts';
import { type ProfilePlace, recordCpuProfile } from './cpu-profile.ts';

const BEAT_MS = 1_000;

/**
 * What the thread runs. A text, because a module in its place would cost each process that runs from sources 18 MB for a TypeScript
 * loader of its own, and because no compiler or bundler changes it. What it needs in trouble it loads in trouble.
 */
const WATCH_HEARTBEAT = `
  const { parentPort, workerData: heartbeat } = require('node:worker_threads');
  const beats = new Int32Array(heartbeat.memory);
  let heard = Atomics.load(beats, 0);
  let lookedAt = performance.now();
  let silentMs = 0;
  let attended = false;
  setInterval(() => {
    const now = performance.now();
    // A process that was stopped, or a machine that slept: then this thread slept as well.
    silentMs += Math.min(now - lookedAt, 2 * heartbeat.everyMs);
    lookedAt = now;
    const beat = Atomics.load(beats, 0);
    if (beat !== heard) silentMs = 0;
    heard = beat;
    if (silentMs < heartbeat.afterMs || attended) return;
    attended = true;
    import(heartbeat.attendant)
      .then(({ attend }) => attend(heartbeat, silentMs))
      .then((absence) => parentPort.postMessage(absence))
      .finally(() => {
        attended = false;
      });
  }, heartbeat.everyMs);
`;

export interface WatcherSettings {
  readonly workerId: string;
  /** Where the worker's row is. */
  readonly connection: ConnectionSettings;
  readonly place: ProfilePlace;
  /** Milliseconds after which a loop that does not turn is blocked. */
  readonly afterMs: number;
  /** The thread writes to standard error itself: the loop could not. */
  readonly logLevel: string;
  readonly log: Log;
}

export class ThreadWatcher implements ProcessWatcher {
  readonly #settings: WatcherSettings;
  #beating: NodeJS.Timeout | undefined;
  #thread: Worker | undefined;

  constructor(settings: WatcherSettings) {
    this.#settings = settings;
  }

  start(): void {
    const { workerId, connection, place, afterMs, logLevel, log } = this.#settings;
    const everyMs = Math.min(BEAT_MS, afterMs / 4);
    const memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    const beats = new Int32Array(memory);
    this.#beating = setInterval(() => Atomics.add(beats, 0, 1), everyMs);
    this.#beating.unref();
    const { profileDir, dataDir } = place;
    const workerData: Heartbeat = {
      memory,
      everyMs,
      afterMs,
      attendant: ATTENDANT,
      workerId,
      connection,
      logLevel,
      profileDir,
      dataDir,
    };
    // Without the options of this process: a profiler or a loader of its own is nothing that this thread needs.
    const thread = new Worker(WATCH_HEARTBEAT, { eval: true, workerData, execArgv: [], name: 'pennypost-watcher' });
    thread.unref();
    thread.on('message', ({ forMs, reason, profile }: Absence) =>
      log.warn({ forMs, reason, profile }, 'the event loop of this worker was blocked and continues'),
    );
    thread.on('error', (error) => log.warn({ reason: error }, 'the event loop of this worker is not watched any more'));
    this.#thread = thread;
  }

  async recordProfile(): Promise<RecordedProfile> {
    const session = new Session();
    session.connect();
    try {
      return await recordCpuProfile(this.#settings.place, session);
    } finally {
      session.disconnect();
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#beating);
    await this.#thread?.terminate();
  }
}
