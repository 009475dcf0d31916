import type { Application } from '../../application/application.ts';
import { closing } from '../../domain/shared/clean-up.ts';
import type { Cli } from './cli.ts';
import { StuckNews } from './stuck-workers.ts';
import { type Instance, type Lane, NoWayOut } from './workbench.ts';

/** How often a running campaign or message is asked for; each is a few rows by primary key. */
const ASK_MS = 250;
/** How often active workers are looked for: workers report every 5 s, and count as dead after 15 s. */
const LOOK_MS = 2_000;

export async function someoneWorks(application: Application, lane: Lane): Promise<boolean> {
  const { workers } = await application.status.get();
  return workers.some(({ lanes, responds }) => responds && lanes.includes(lane));
}

/** What keeps the workers of the bulk lane from handing over, asked now and then. */
export class TroubleWatch {
  readonly #instance: Instance;
  readonly #clock: { monotonic(): number };
  #lookedAt = Number.NEGATIVE_INFINITY;
  #any = false;
  #told: string | undefined;
  readonly #stuck = new StuckNews();

  constructor(instance: Instance, clock: { monotonic(): number }) {
    this.#instance = instance;
    this.#clock = clock;
  }

  /** @returns `lines`: what other processes have met, once each; this one's own stands in its log */
  async look(): Promise<{ readonly any: boolean; readonly lines: readonly string[] }> {
    const now = this.#clock.monotonic();
    if (now - this.#lookedAt < LOOK_MS) return { any: this.#any, lines: [] };
    this.#lookedAt = now;
    const { workers } = await this.#instance.application.status.get();
    const troubled = workers.filter(({ progress }) => progress.trouble !== undefined);
    this.#any = troubled.length > 0;
    const others = workers.filter(({ id }) => id !== this.#instance.workerId);
    const lines = [...this.#stuck.of(others)];
    const elsewhere = others.find(({ progress }) => progress.trouble !== undefined)?.progress.trouble;
    if (elsewhere !== this.#told && elsewhere !== undefined) lines.push(`Mail is not taken; trying again: ${elsewhere}`);
    this.#told = elsewhere;
    return { any: this.#any, lines };
  }
}

/** Before something is made that this process would then be unable to hand over. @throws NoWayOut */
export async function checkWayOut(instance: Instance, lane: Lane): Promise<void> {
  if (!instance.hasWayOut && !(await someoneWorks(instance.application, lane))) throw new NoWayOut();
}

/**
 * Asks until `done` says so, and meanwhile makes sure that a worker runs for the lane: when no live worker is registered, or
 * the last one dies, this process takes over and says so.
 * @param wait resolves false when the command was interrupted first; what was under way is finished then
 */
export async function untilDone(cli: Cli, instance: Instance, lane: Lane, done: () => Promise<boolean>): Promise<boolean> {
  const signal = cli.interruption.heed();
  let stop: (() => Promise<void>) | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  const watched = async (): Promise<boolean> => {
    while (!(await Promise.race([done(), instance.broken]))) {
      if (stop === undefined && cli.clock.monotonic() - lookedAt >= LOOK_MS) {
        lookedAt = cli.clock.monotonic();
        if (!(await someoneWorks(instance.application, lane))) {
          cli.output.note(`No worker for the ${lane} lane is running: this process works until the command is done.`);
          stop = await instance.work([lane]);
        }
      }
      await pause(ASK_MS, signal);
      if (signal.aborted) return false;
    }
    return true;
  };
  return closing(watched, async () => stop?.());
}

/** Ends early when the signal comes. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end);
  });
}
