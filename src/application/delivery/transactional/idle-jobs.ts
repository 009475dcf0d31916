import type { Log } from '../../log.ts';
import type { UnitOfWork } from '../../unit-of-work.ts';
import { Background } from '../background.ts';
import { sendMessage } from '../jobs.ts';

/** Several in one statement, and long before they are due. */
const DISCARD_MS = 500;

/** Jobs of messages that were handed over at once and are over. Where one is not removed, it runs and finds nothing to do. */
export class IdleJobs {
  readonly #work: UnitOfWork;
  readonly #background: Background;
  #timer: { end(): void } | undefined;
  #ids: string[] = [];

  constructor({ work, log }: { work: UnitOfWork; log: Log }) {
    this.#work = work;
    this.#background = new Background((error) => log.warn({ reason: error }, 'jobs of messages that are over were not removed'));
  }

  start(): void {
    this.#timer ??= this.#background.every(DISCARD_MS, () => this.#discard());
  }

  add(jobId: string): void {
    this.#ids.push(jobId);
  }

  async stop(): Promise<void> {
    this.#timer?.end();
    this.#timer = undefined;
    await this.#background.settled();
    await this.#background.guard(() => this.#discard());
  }

  async #discard(): Promise<void> {
    const ids = this.#ids;
    if (ids.length === 0) return;
    this.#ids = [];
    await this.#work.bulk(({ jobs }) => jobs.discard(sendMessage, ids));
  }
}
