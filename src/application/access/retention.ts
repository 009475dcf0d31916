import type { Project } from '../../domain/access/index.ts';
import type { Clock } from '../../domain/shared/clock.ts';
import { removeProjectRows } from '../delivery/jobs.ts';
import type { UnitOfWork } from '../unit-of-work.ts';

const DAY_MS = 86_400_000;
/** A few hundred milliseconds of the database each. */
const MESSAGES = 1_000;
const EVENTS = 5_000;
/** For a repeated request; clients try again for hours, not for weeks. */
const KEEP_BATCHES_DAYS = 7;

/**
 * Removes what is older than a project keeps, once a day: content and variables of transactional messages (default 30 days), and
 * single opens and clicks (default 365 days). Outcomes, counters and engagement per recipient stay.
 */
export class Retention {
  readonly #work: UnitOfWork;
  readonly #clock: Clock;

  constructor(deps: { work: UnitOfWork; clock: Clock }) {
    this.#work = deps.work;
    this.#clock = deps.clock;
  }

  /** Of all projects. Also resumes the removal of deleted projects, should its job have been lost. */
  async run(): Promise<void> {
    for (let after: string | undefined; ; ) {
      const page = await this.#work.run(({ access }) => access.listProjects({ limit: 500, after }));
      for (const project of page.items) await this.#ofProject(project);
      if (page.next === undefined) break;
      after = page.next;
    }
    await this.#work.run(async ({ access, jobs }) => {
      for (const projectId of await access.deletedProjects())
        await jobs.enqueue(removeProjectRows, { projectId }, { key: projectId });
    });
  }

  async #ofProject({ id, keepMessagesDays, keepEventsDays }: Project): Promise<void> {
    const before = (days: number): Date => new Date(this.#clock.now().getTime() - days * DAY_MS);
    await whole(MESSAGES, () =>
      this.#work.run(({ delivery }) => delivery.transactional.stripMessages(id, before(keepMessagesDays), MESSAGES)),
    );
    await this.#work.run(({ delivery }) => delivery.transactional.forgetBatches(id, before(KEEP_BATCHES_DAYS)));
    await whole(EVENTS, () => this.#work.run(({ tracking }) => tracking.removeEvents(id, before(keepEventsDays), EVENTS)));
  }
}

/** In batches, until one is not full. */
async function whole(limit: number, batch: () => Promise<number>): Promise<void> {
  while ((await batch()) === limit);
}
