import type { Project } from '../../domain/access/index.ts';
import type { CampaignFacts } from '../../domain/campaign/index.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { removeProjectRows } from '../delivery/jobs.ts';
import type { Scope, UnitOfWork } from '../unit-of-work.ts';

/** Every row of a project, in whichever table, but for the project itself. */
export interface ProjectRows {
  /** Removes rows of one table in one transaction, `limit` at most. @returns how many; 0 when nothing is left */
  remove(projectId: Id, limit: number): Promise<number>;
}

/** `force`: also while mail is being sent. `dryRun`: answer what would be deleted; change nothing. */
export interface ProjectDeleting {
  readonly force?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

const NAMED = 5;
/** A few hundred milliseconds of the database each. */
const ROWS = 5_000;

export class ProjectInUse extends DomainError {
  readonly code = 'project.in_use';
  readonly kind = 'conflict';
  constructor(project: Project, campaigns: readonly CampaignFacts[], messages: number) {
    const named = campaigns.slice(0, NAMED).map(({ name, state, slug }) => `"${name}" (${state}, ${slug})`);
    const more = campaigns.length > NAMED ? ` and ${campaigns.length - NAMED} more` : '';
    const uses = [
      ...(campaigns.length === 0 ? [] : [`campaigns that are not done: ${named.join(', ')}${more}`]),
      ...(messages === 0 ? [] : [`transactional messages that wait: ${messages}`]),
    ];
    super(
      `The project "${project.name}" has ${uses.join('; ')}. Wait until they are done, or unschedule or cancel the campaigns. ` +
        'With force it is deleted anyway: sending stops first, and what waits is not sent.',
    );
  }
}

/**
 * Deletes a project in three steps. First nothing more is sent: campaigns are cancelled. Then, in one transaction, the project and
 * its API keys are gone for every verb and request. Then a job removes its rows table by table, in transactions of 5,000 rows.
 * Suppressions go with it: an address that was not to be mailed is unknown to a project of the same name that is created later.
 */
export class DeleteProject {
  readonly #work: UnitOfWork;
  readonly #rows: ProjectRows;
  readonly #cancel: (projectId: Id, campaignId: Id) => Promise<unknown>;

  constructor(deps: {
    work: UnitOfWork;
    rows: ProjectRows;
    cancel: (projectId: Id, campaignId: Id) => Promise<unknown>;
  }) {
    this.#work = deps.work;
    this.#rows = deps.rows;
    this.#cancel = deps.cancel;
  }

  /** @throws NotFound, ProjectInUse */
  async delete(idOrSlug: string, { force = false, dryRun = false }: ProjectDeleting = {}): Promise<Project> {
    const { project, campaigns } = await this.#work.run(async (scope) => {
      const found = await scope.access.getProject(idOrSlug);
      const campaigns = await campaignsInUse(scope, found.id);
      const messages = await scope.delivery.transactional.waitingMessages(found.id);
      if (!force && campaigns.length + messages > 0) throw new ProjectInUse(found, campaigns, messages);
      return { project: found, campaigns };
    });
    if (dryRun) return project;
    for (const { id } of campaigns) await this.#cancel(project.id, id);
    return this.#work.run(async (scope) => {
      const deleted = await scope.access.deleteProject(project.id);
      await scope.jobs.enqueue(removeProjectRows, { projectId: deleted.id }, { key: deleted.id });
      return deleted;
    });
  }

  /** Safe to run twice, and to be broken off. */
  async removeRows(projectId: Id): Promise<void> {
    const deleted = await this.#work.run(({ access }) => access.deletedProjects());
    if (!deleted.includes(projectId)) return;
    while ((await this.#rows.remove(projectId, ROWS)) > 0);
    await this.#work.run(({ access }) => access.forgetDeletedProject(projectId));
  }
}

/** Campaigns that have or will have mail to send. */
export async function campaignsInUse({ campaign }: Pick<Scope, 'campaign'>, projectId: Id): Promise<readonly CampaignFacts[]> {
  const found: CampaignFacts[] = [];
  for (const state of ['sending', 'paused', 'scheduled'] as const)
    for (let after: string | undefined; ; ) {
      const page = await campaign.list(projectId, { state, archived: true, limit: 500, after });
      found.push(...page.items);
      if (page.next === undefined) break;
      after = page.next;
    }
  return found;
}
