/** One vocabulary: the same `resource.verb` in the HTTP API, the command line and the npm package; a face calls one verb. */
import { readdirSync, readFileSync } from 'node:fs';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { verbsOfProject } from '../src/application/application.ts';
import { VERB_INPUTS } from '../src/application/verb-inputs.ts';
import { fill } from '../src/interfaces/cli/program.ts';
import { routes } from '../src/interfaces/http/routes/index.ts';
import { actionsIn, type Place, routesIn } from './support/called-verbs.ts';
import { root } from './support/imports.ts';

const verbs = Object.entries(VERB_INPUTS).flatMap(([resource, inputs]) =>
  Object.keys(inputs).map((verb) => `${resource}.${verb}`),
);

/** Verbs that a face lacks, and why. */
const WITHOUT_ROUTE: Readonly<Record<string, string>> = {
  'projects.create': 'an API key belongs to a project, and none exists yet',
  'projects.list': 'an API key sees one project',
  'projects.delete': 'an API key cannot delete the project that it belongs to',
  'keys.authenticate': 'every request calls it first',
  'recipients.click': 'the page /c',
  'recipients.open': 'the image /o',
  'recipients.openUnsubscribe': 'the page /u',
  'recipients.unsubscribe': 'the page /u',
  'recipients.resubscribe': 'the page /u',
};
const WITHOUT_COMMAND: Readonly<Record<string, string>> = {
  'keys.authenticate': 'the command line has the database, and needs no key',
  'campaigns.progress': 'campaign watch asks for it until the campaign is done',
  'recipients.click': 'recipients have no terminal here',
  'recipients.open': 'recipients have no terminal here',
  'recipients.openUnsubscribe': 'recipients have no terminal here',
  'recipients.unsubscribe': 'recipients have no terminal here',
  'recipients.resubscribe': 'recipients have no terminal here',
};
/** Commands that are named otherwise than `<resource> <verb>`. */
const COMMANDS: Readonly<Record<string, string>> = { 'status.get': 'status' };
/** Commands that are no verb: they run processes, or look at what an instance stands on. */
const NO_VERB = ['demo', 'serve', 'work', 'migrate', 'doctor', 'campaign watch'];

/** Routes whose method and path do not follow from their verb. */
const PATHS: Readonly<Record<string, string>> = {
  'subscribers.upsert': 'POST /v1/subscribers',
  'subscribers.export': 'GET /v1/subscribers.csv',
  'subscribers.subscribe': 'PUT /v1/lists/{}/subscribers/{}',
  'subscribers.unsubscribe': 'DELETE /v1/lists/{}/subscribers/{}',
  'subscribers.confirm': 'POST /v1/lists/{}/subscribers/{}/confirm',
  'subscribers.consents': 'GET /v1/subscribers/{}/consents',
  'imports.rejections': 'GET /v1/imports/{}/rejections',
  'imports.rejectionsCsv': 'GET /v1/imports/{}/rejections.csv',
  // Addresses do not belong into URLs, which end up in logs.
  'suppressions.lookup': 'POST /v1/suppressions/lookup',
  'suppressions.lift': 'POST /v1/suppressions/lift',
  'routes.explain': 'POST /v1/routes/explain',
  'campaigns.recipientsCsv': 'GET /v1/campaigns/{}/recipients.csv',
  // It keeps what it finds, and new keys begin to sign.
  'domains.check': 'POST /v1/domains/{}/check',
  // What is sent is made.
  'messages.send': 'POST /v1/messages',
  'messages.sendBatch': 'POST /v1/messages/batch',
  'status.get': 'GET /v1/status',
  // The project of the key.
  'projects.get': 'GET /v1/project',
  'projects.update': 'PATCH /v1/project',
  'projects.daily': 'GET /v1/project/daily',
};
/** Verbs of one object that only read: their route is a GET. */
const READS = ['check', 'explain', 'excluded', 'recipients', 'report', 'progress', 'daily'];

function expectedPath(name: string): string {
  const [resource = '', verb = ''] = name.split('.');
  const known: Readonly<Record<string, string>> = {
    create: `POST /v1/${resource}`,
    list: `GET /v1/${resource}`,
    get: `GET /v1/${resource}/{}`,
    update: `PATCH /v1/${resource}/{}`,
    delete: `DELETE /v1/${resource}/{}`,
    erase: `DELETE /v1/${resource}/{}`,
  };
  return PATHS[name] ?? known[verb] ?? `${READS.includes(verb) ? 'GET' : 'POST'} /v1/${resource}/{}/${verb}`;
}

function expectedCommand(name: string): string {
  const [resource = '', verb = ''] = name.split('.');
  return COMMANDS[name] ?? `${resource.replace(/s$/, '')} ${verb.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function commandsUnder(command: Command, words: readonly string[] = []): string[] {
  return command.commands.flatMap((inner) => {
    const own = [...words, inner.name()];
    return inner.commands.length > 0 ? commandsUnder(inner, own) : [own.join(' ')];
  });
}

describe('every verb', () => {
  it('has its route, whose method and path follow from its name', () => {
    const found = routes.map(({ verb, method, path }) => `${verb}: ${method.toUpperCase()} ${path.replace(/\{\w+\}/g, '{}')}`);
    const expected = verbs.filter((name) => WITHOUT_ROUTE[name] === undefined).map((name) => `${name}: ${expectedPath(name)}`);
    expect(found.toSorted()).toEqual(expected.toSorted());
  });

  it('has its command', () => {
    const program = new Command('pennypost');
    fill(program, { projectWish: () => undefined } as Parameters<typeof fill>[1]);
    const expected = verbs.filter((name) => WITHOUT_COMMAND[name] === undefined).map(expectedCommand);
    expect(commandsUnder(program).toSorted()).toEqual([...expected, ...NO_VERB].toSorted());
  });

  it('of a project is bound to one by the npm face, and gets its id first', async () => {
    const { projects: _, keys: __, status: ___, recipients: ____, ...inProject } = VERB_INPUTS;
    const calls: unknown[][] = [];
    const resources = Object.fromEntries(
      Object.entries(inProject).map(([resource, inputs]) => [
        resource,
        Object.fromEntries(
          Object.keys(inputs).map((verb) => [
            verb,
            (...args: unknown[]) => {
              calls.push([`${resource}.${verb}`, ...args]);
              return [];
            },
          ]),
        ),
      ]),
    );
    const bound = verbsOfProject(resources as unknown as Parameters<typeof verbsOfProject>[0], async () => 'the id');
    const called: string[] = [];
    for (const [resource, found] of Object.entries<object>(bound))
      for (const [verb, call] of Object.entries(found as Record<string, (...args: unknown[]) => unknown>)) {
        called.push(`${resource}.${verb}`);
        const answer = (await call('first')) as AsyncIterable<unknown> | unknown[];
        if (!Array.isArray(answer)) for await (const _ of answer) break;
        expect(calls.at(-1)).toEqual([`${resource}.${verb}`, 'the id', 'first']);
      }
    expect(called.toSorted()).toEqual(verbs.filter((name) => name.split('.')[0]! in inProject).toSorted());
  });
});

/** Functions that follow what a verb has begun, by asking again and again, or only look who works. */
const FOLLOWERS = new Set(['follow', 'followMessages', 'untilDone']);
/** Commands of several verbs, and why. */
const SEVERAL: Readonly<Record<string, string>> = {
  'imports.create imports.rejectionsCsv': 'import create --rejected writes the file when the import is done',
};

describe('a face', () => {
  const filesIn = (folder: string): readonly string[] =>
    readdirSync(root + folder)
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name}`);
  const read = (path: string): string => readFileSync(root + path, 'utf8');
  const severalIn = (places: readonly Place[]) =>
    places.filter((place) => place.verbs.length > 1 && SEVERAL[place.verbs.toSorted().join(' ')] === undefined);

  it('calls in each route the one verb that the route names', () => {
    const places = filesIn('src/interfaces/http/routes').flatMap((path) => routesIn(path, read(path)));
    expect(places.length).toBe(routes.length);
    expect(places.filter(({ name, verbs }) => verbs.length !== 1 || verbs[0] !== name)).toEqual([]);
  });

  it('calls in each command at most one verb', () => {
    const places = filesIn('src/interfaces/cli').flatMap((path) => actionsIn(path, read(path), FOLLOWERS));
    expect(places.filter(({ verbs }) => verbs.length === 1).length).toBeGreaterThan(40);
    expect(severalIn(places)).toEqual([]);
  });

  it.each([
    ['two verbs', 'x.action(async () => { await application.lists.get(1); await application.lists.delete(1); });'],
    [
      'a verb of the instance’s',
      'x.action(async ({ application }) => { f(await i.application.lists.get(1)); await application.lists.delete(1); });',
    ],
    [
      'one of them in a function',
      'const g = () => application.lists.get(1); x.action(async () => { g(); await application.lists.delete(1); });',
    ],
    [
      'a resource taken out',
      'const { lists } = i.application; x.action(async () => { await lists.get(1); await lists.delete(1); });',
    ],
  ])('that chains verbs is caught: %s', (_, text) => {
    expect(severalIn(actionsIn('x.ts', text, FOLLOWERS))).toHaveLength(1);
  });
});
