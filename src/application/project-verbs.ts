import type { Id } from '../domain/shared/ids.ts';
import type { Domains } from './access/domains.ts';
import type { Imports } from './audience/imports.ts';
import type { Lists } from './audience/lists.ts';
import type { Subscribers } from './audience/subscribers.ts';
import type { Suppressions } from './audience/suppressions.ts';
import type { Campaigns } from './campaign/campaigns.ts';
import type { Templates } from './campaign/templates.ts';
import type { Routes } from './delivery/routing/routes.ts';
import type { Transports } from './delivery/routing/transports.ts';
import type { Messages } from './delivery/transactional/messages.ts';
import { STREAMS } from './verb-input.ts';

/** Verbs inside one project: each takes the project's id first. */
export interface ProjectResources {
  readonly subscribers: Subscribers;
  readonly lists: Lists;
  readonly imports: Imports;
  readonly suppressions: Suppressions;
  readonly templates: Templates;
  readonly campaigns: Campaigns;
  readonly messages: Messages;
  readonly domains: Domains;
  readonly transports: Transports;
  readonly routes: Routes;
}

/** The verbs of a resource without the project's id in front. */
export type InProject<Resource> = {
  readonly [Verb in keyof Resource]: Resource[Verb] extends (projectId: Id, ...rest: infer Rest) => infer Result
    ? (...rest: Rest) => Result
    : never;
};

/** Everything inside one project. */
export type ProjectVerbs = { readonly [Name in keyof ProjectResources]: InProject<ProjectResources[Name]> };

type Verb = (projectId: Id, ...args: unknown[]) => unknown;

/** The verbs of one project, without its id in front. @param projectId asked for with every call */
export function verbsOfProject(resources: ProjectResources, projectId: () => Promise<Id>): ProjectVerbs {
  const bound = <Name extends keyof ProjectResources>(name: Name): ProjectVerbs[Name] => {
    const verbs = Object.entries<Verb>(resources[name] as unknown as Record<string, Verb>).map(([verb, call]) => [
      verb,
      STREAMS.has(`${name}.${verb}`) ? streamed(call, projectId) : async (...args: unknown[]) => call(await projectId(), ...args),
    ]);
    return Object.freeze(Object.fromEntries(verbs)) as ProjectVerbs[Name] & InProject<ProjectResources[Name]>;
  };
  return {
    subscribers: bound('subscribers'),
    lists: bound('lists'),
    imports: bound('imports'),
    suppressions: bound('suppressions'),
    templates: bound('templates'),
    campaigns: bound('campaigns'),
    messages: bound('messages'),
    domains: bound('domains'),
    transports: bound('transports'),
    routes: bound('routes'),
  };
}

function streamed(call: Verb, projectId: () => Promise<Id>) {
  return async function* (...args: unknown[]) {
    yield* call(await projectId(), ...args) as AsyncIterable<unknown>;
  };
}
