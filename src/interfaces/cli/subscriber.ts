import type { Command } from 'commander';
import type { Application } from '../../application/application.ts';
import { InvalidInput, NotFound } from '../../domain/shared/errors.ts';
import {
  type Cli,
  choice,
  example,
  gather,
  inProject,
  type PageOptions,
  type Project,
  paged,
  pageOf,
  pairs,
  resultPage,
} from './cli.ts';
import { renderFields, renderTable } from './table.ts';
import { formatDay } from './text.ts';

type Subscriber = Awaited<ReturnType<Application['audience']['getSubscriber']>>;
type Search = NonNullable<Parameters<Application['audience']['searchSubscribers']>[1]>;

export function subscriberCommands(program: Command, cli: Cli): Command {
  const subscriber = program.command('subscriber').description('Manage subscribers: addresses, attributes and subscriptions.');
  upsertCommand(subscriber, cli);
  listCommand(subscriber, cli);

  const show = subscriber
    .command('show')
    .description('Show a subscriber with subscriptions and suppressions.')
    .argument('<subscriber>', 'Address or id of the subscriber.')
    .action(async (who: string) => {
      await inProject(cli, async (application, project) =>
        showPerson(cli, application, project, await subscriberOf(application, project, who)),
      );
    });
  example(show, 'pennypost subscriber show ada@example.org');

  const unsubscribe = subscriber
    .command('unsubscribe')
    .description('Unsubscribe a subscriber. Only the subscriber can subscribe again.')
    .argument('<subscriber>', 'Address or id of the subscriber.')
    .option('--list <list>', 'Id or slug of a list. Default: all lists of the subscriber. May be repeated.', gather)
    .action(async (who: string, options: { list?: readonly string[] }) => {
      await inProject(cli, async (application, project) => {
        const found = await subscriberOf(application, project, who);
        const lists =
          options.list === undefined
            ? (await application.audience.subscriptionsOf(project.id, [found.id])).map(({ listId }) => listId)
            : await listIds(application, project, options.list);
        await application.audience.unsubscribe(project.id, lists, found.id, { source: 'command line' });
        await showPerson(cli, application, project, found);
      });
    });
  example(unsubscribe, 'pennypost subscriber unsubscribe ada@example.org --list harbour-letter');

  const suppress = subscriber
    .command('suppress')
    .description('Suppress an address, whether or not a subscriber has it.')
    .argument('<address>', 'E-mail address.')
    .option('--scope <scope>', 'What is suppressed: project (all mail), marketing, or list:<id>.', 'project')
    .addOption(
      choice('--reason <reason>', 'Reason of the suppression.', ['manual', 'unsubscribe', 'hard_bounce', 'complaint']).default(
        'manual',
      ),
    )
    .option('--note <text>', 'Note that is stored as evidence.')
    .action(async (address: string, options: { scope: string; reason: string; note?: string }) => {
      await inProject(cli, async (application, project) => {
        const { scope, reason, note } = options;
        const changed = await application.audience.suppress(project.id, address, {
          scope,
          reason,
          evidence: note === undefined ? {} : { note },
        });
        const text = changed
          ? `${address} is suppressed (${scope}, ${reason}).`
          : `${address} was suppressed before, for as grave a reason.`;
        cli.output.result({ address, scope, reason, changed }, () => text);
      });
    });
  example(suppress, 'pennypost subscriber suppress ada@example.org --note "asked by telephone"');

  const unsuppress = subscriber
    .command('unsuppress')
    .description('Remove a suppression. Do so only at the request of the owner of the address.')
    .argument('<address>', 'E-mail address.')
    .option('--scope <scope>', 'Scope of the suppression to remove: project, marketing, or list:<id>.', 'project')
    .action(async (address: string, { scope }: { scope: string }) => {
      await inProject(cli, async (application, project) => {
        const changed = await application.audience.unsuppress(project.id, address, scope);
        cli.output.result({ address, scope, changed }, () =>
          changed ? `${address} may be mailed again (${scope}).` : `Nothing stood against ${address} (${scope}).`,
        );
      });
    });
  example(unsuppress, 'pennypost subscriber unsuppress ada@example.org');

  const erase = subscriber
    .command('erase')
    .description('Erase a subscriber permanently. No import can add the address again.')
    .argument('<subscriber>', 'Address or id of the subscriber.')
    .option('--yes', 'Confirm the erasure.')
    .action(async (who: string, options: { yes?: boolean }) => {
      await inProject(cli, async (application, project) => {
        const found = await subscriberOf(application, project, who);
        if (options.yes !== true)
          throw new InvalidInput(`This forgets ${found.address ?? found.id} for good. Repeat it with --yes.`);
        await application.audience.deleteSubscriber(project.id, found.id);
        cli.output.result({ id: found.id, status: 'erased' }, () => `${found.id} is erased.`);
      });
    });
  example(erase, 'pennypost subscriber erase ada@example.org --yes');
  return subscriber;
}

interface UpsertOptions {
  readonly attribute?: readonly string[];
  readonly attributes?: string;
  readonly locale?: string;
  readonly timeZone?: string;
  readonly list?: readonly string[];
  readonly consentSource?: string;
  readonly confirmed?: boolean;
}

function upsertCommand(subscriber: Command, cli: Cli): void {
  const upsert = subscriber
    .command('upsert')
    .description('Create a subscriber, or update the one with this address.')
    .argument('<address>', 'E-mail address.')
    .option('--attribute <name=value>', 'Text attribute. May be repeated.', gather)
    .option('--attributes <json>', 'Attributes as a JSON object. null removes an attribute.')
    .option('--locale <tag>', 'BCP 47 language, such as de-AT.')
    .option('--time-zone <name>', 'IANA time zone, such as Europe/Vienna.')
    .option('--list <list>', 'Id or slug of a list to subscribe to. May be repeated.', gather)
    .option('--consent-source <text>', "Where the subscriber agreed, such as 'signup form /spring'.")
    .option('--confirmed', 'Record that the consent was already confirmed by e-mail.')
    .action(async (address: string, options: UpsertOptions) => {
      await inProject(cli, async (application, project) => {
        const lists = await listIds(application, project, options.list ?? []);
        const { subscriber: known, created } = await application.audience.upsertSubscriber(project.id, {
          email: address,
          attributes: { ...objectOf(options.attributes), ...pairs(options.attribute ?? [], '--attribute') },
          locale: options.locale,
          timeZone: options.timeZone,
        });
        const consent = options.consentSource === undefined ? undefined : { source: options.consentSource };
        for (const listId of lists)
          await application.audience.subscribe(project.id, listId, known.id, { consent, confirmed: options.confirmed });
        cli.output.note(created ? 'Created.' : 'Changed.');
        await showPerson(cli, application, project, known);
      });
    });
  example(
    upsert,
    'pennypost subscriber upsert ada@example.org --attribute first_name=Ada --list harbour-letter --consent-source "signup form"',
  );
}

function listCommand(subscriber: Command, cli: Cli): void {
  const list = paged(subscriber.command('list').description('Search subscribers, newest first.'))
    .option('--text <text>', 'Part of the address or of an attribute.')
    .option('--list <list>', 'Only subscribers that are or were on this list (id or slug).')
    .addOption(choice('--state <state>', 'With --list: only subscriptions in this state.', SUBSCRIPTION_STATES))
    .action(async (options: PageOptions & { text?: string; list?: string; state?: string }) => {
      await inProject(cli, async (application, project) => {
        const listId = options.list === undefined ? undefined : (await application.audience.getList(project.id, options.list)).id;
        const page = await application.audience.searchSubscribers(project.id, {
          ...pageOf(options),
          text: options.text,
          listId,
          state: stateOf(options.state),
        });
        resultPage(cli, page, subscriberShown, (items) =>
          renderTable(
            [
              { title: 'Address', value: (one) => one.email ?? '(erased)' },
              { title: 'Attributes', value: (one) => attributesText(one.attributes) },
              { title: 'Locale', value: (one) => one.locale },
              { title: 'Created', value: (one) => one.createdAt },
              { title: 'Id', value: (one) => one.id },
            ],
            items,
            cli.output.display,
          ),
        );
      });
    });
  example(
    list,
    'pennypost subscriber list --list harbour-letter --state confirmed',
    'pennypost subscriber list --text example.org --json',
  );
}

async function showPerson(cli: Cli, application: Application, project: Project, subscriber: Subscriber): Promise<void> {
  const subscriptions = await application.audience.subscriptionsOf(project.id, [subscriber.id]);
  const suppressions =
    subscriber.address === null ? [] : await application.audience.suppressionsOf(project.id, subscriber.address);
  const named = await Promise.all(
    subscriptions.map(async ({ listId, state, at }) => ({
      list: (await application.audience.getList(project.id, listId)).slug,
      listId,
      state,
      at,
    })),
  );
  const shown = {
    ...subscriberShown(subscriber),
    subscriptions: named,
    suppressions: suppressions.map(({ scope, reason, evidence, at }) => ({ scope, reason, evidence, at })),
  };
  cli.output.result(shown, () =>
    renderFields(
      [
        ['subscriber', shown.email ?? '(erased)'],
        ['id', shown.id],
        ['locale', shown.locale],
        ['time zone', shown.timeZone],
        ['attributes', attributesText(shown.attributes)],
        ['created', shown.createdAt],
        ...named.map(({ list, state, at }) => [`list ${list}`, `${state} since ${formatDay(at, project.timeZone)}`] as const),
        ...shown.suppressions.map(
          ({ scope, reason, at }) => ['suppressed', `${scope}, ${reason}, since ${formatDay(at, project.timeZone)}`] as const,
        ),
      ],
      cli.output.display,
    ),
  );
}

/** By address or id. @throws NotFound */
export async function subscriberOf(application: Application, project: Project, who: string): Promise<Subscriber> {
  if (!who.includes('@')) return application.audience.getSubscriber(project.id, who);
  const found = await application.audience.findByAddress(project.id, who);
  if (found === undefined) throw new NotFound('subscriber', who);
  return found;
}

/** Ids of lists that were named by id or slug. @throws NotFound */
export async function listIds(application: Application, project: Project, named: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const idOrSlug of named) ids.push((await application.audience.getList(project.id, idOrSlug)).id);
  return ids;
}

/** @throws InvalidInput unless the text is a JSON object */
export function objectOf(text: string | undefined): Readonly<Record<string, unknown>> {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidInput(`The JSON cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidInput('A JSON object such as {"first_name":"Ada"} is expected.');
  return value as Readonly<Record<string, unknown>>;
}

/** @throws InvalidInput */
export const SUBSCRIPTION_STATES: readonly NonNullable<Search['state']>[] = ['unconfirmed', 'confirmed', 'unsubscribed'];

export function stateOf(text: string | undefined): Search['state'] {
  const state = SUBSCRIPTION_STATES.find((known) => known === text);
  if (text !== undefined && state === undefined) throw new InvalidInput(`--state is one of ${SUBSCRIPTION_STATES.join(', ')}.`);
  return state;
}

const subscriberShown = (subscriber: Subscriber) => ({
  id: subscriber.id,
  email: subscriber.address,
  status: subscriber.status,
  locale: subscriber.locale,
  timeZone: subscriber.timeZone,
  attributes: subscriber.attributes,
  createdAt: subscriber.createdAt,
  updatedAt: subscriber.updatedAt,
});

const attributesText = (attributes: object): string =>
  Object.entries(attributes)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
