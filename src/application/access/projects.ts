import type { NewProject, Project, ProjectChanges, ProjectState } from '../../domain/access/index.ts';
import type { DailySeries } from '../../domain/analytics/index.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { DaysAsked, Reports } from '../analytics/reports.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import type { DeleteProject, ProjectDeleting } from './delete-project.ts';

/** The project, and its first API key where one was asked for: the secret is in this answer and nowhere else. */
export interface CreatedProject extends ProjectState {
  readonly key:
    | { readonly id: Id; readonly name: string; readonly scopes: readonly string[]; readonly secret: string }
    | undefined;
}

/** Projects, by id or slug. */
export interface Projects {
  /** @param options `withKey`: also creates a first API key with the scope `admin` @throws InvalidInput, SlugTaken */
  create(input: NewProject, options?: { readonly withKey?: boolean | undefined }): Promise<CreatedProject>;
  list(page?: PageRequest): Promise<Page<Project>>;
  /** Without a name, the only project of the instance. @throws NotFound, InvalidInput when there are none or several */
  get(project?: string): Promise<Project>;
  /** @throws NotFound, InvalidInput */
  update(project: string, changes: ProjectChanges): Promise<Project>;
  /**
   * Sending stops first; then the project and its keys are gone, and a job removes its rows. Refused while campaigns or messages are
   * not done, unless forced. @throws NotFound, ProjectInUse
   */
  delete(project: string, options?: ProjectDeleting): Promise<Project>;
  /** The figures of every day of a range, in the time zone of the project. @throws NotFound, InvalidInput */
  daily(project: string, days?: DaysAsked): Promise<DailySeries>;
}

export function projectVerbs(deps: {
  readonly work: UnitOfWork;
  readonly reports: Reports;
  readonly deleteProject: DeleteProject;
}): Projects {
  const { work, reports, deleteProject } = deps;
  return {
    create: (input, { withKey = false } = {}) =>
      work.run(async ({ access }) => {
        const project = await access.createProject(input);
        if (!withKey) return { ...project, key: undefined };
        const { key, secret } = await access.createKey(project.id, { name: 'first key', scopes: ['admin'] });
        return { ...project, key: { id: key.id, name: key.name, scopes: key.scopes, secret } };
      }),
    list: (page) => work.run(({ access }) => access.listProjects(page)),
    get: (project) => work.run(({ access }) => (project === undefined ? onlyProject(access) : access.getProject(project))),
    update: (project, changes) => work.run(({ access }) => access.updateProject(project, changes)),
    delete: (project, options) => deleteProject.delete(project, options),
    daily: (project, days) => reports.projectDaily(project, days),
  };
}

async function onlyProject(access: { listProjects(page: PageRequest): Promise<Page<Project>> }): Promise<Project> {
  const { items } = await access.listProjects({ limit: 5 });
  const [first, ...others] = items;
  if (first === undefined)
    throw new InvalidInput(
      'There is no project yet. Create one: pennypost project create --name "My letters" --domain news.example.com',
    );
  if (others.length > 0)
    throw new InvalidInput(
      `There are several projects (${items.map(({ slug }) => slug).join(', ')}${items.length === 5 ? ', ...' : ''}). Name one: --project ${first.slug}`,
    );
  return first;
}
