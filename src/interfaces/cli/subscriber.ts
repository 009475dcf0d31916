import type { Command } from 'commander';
import type { SubscriberDetails, Subscribers } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
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

type Subscriber = Awaited<ReturnType<Subscribers['list']>>['items'][number];
type Subscription = Awaited<ReturnType<Subscribers['subscribe']>>;
type Search = NonNullable<Parameters<Subscribers['list']>[1]>;

export const SUBSCRIPTION_STATES: readonly NonNullable<Search['state']>[] = ['unconfirmed', 'confirmed', 'unsubscribed'];

export function subscriberCommands(program: Command, cli: Cli): Command {
  const subscriber = program.command('subscriber').description('Manage subscribers: addresses, attributes and subscriptions.');
  upsertCommand(subscriber, cli);
  updateCommand(subscriber, cli);
  listCommand(subscriber, cli);

  const get = subscriber
    .command('get')
    .description('Show a subscriber with subscriptions and suppressions.')
    .argument('<subscriber>', 'Address or id of the subscriber.')
    .action(async (who: string) => {
      await inProject(cli, async (application, project) =>
        showPerson(cli, project, await application.subscribers.get(project.id, who)),
      );
    });
  example(get, 'pennypost subscriber get ada@example.org');

  const subscribe = subscriber
    .command('subscribe')
    .description('Subscribe a subscriber to a list.')
    .argument('<subscriber>', 'Address or id of the subscriber.')
    .argument('<list>', 'Id or slug of the list.')
    .option('--consent-source <text>', "Where the subscriber agreed, such as 'signup form /spring'.")
    .option('--confirmed', 'Record that the consent was already confirmed by e-mail.')
    .action(async (who: string, list: string, options: { consentSource?: string; confirmed?: boolean }) => {
      await inProject(cli, async (application, project) => {
        const consent = options.consentSource === undefined ? undefined : { source: options.consentSource };
        const joining = { consent, confirmed: options.confirmed };
        showSubscription(cli, await application.subscribers.subscribe(project.id, who, list, joining));
      });
    });
  example(subscribe, 'pennypost subscriber subscribe ada@example.org harbour-letter --consent-source "trade fair 2026"');

  const confirm = subscriber
    .command('confirm')
    .description('Confirm a subscription to a double opt-in list.')
    .argument('<subscriber>', 'Address or id of the subscriber.')
    .argument('<list>', 'Id or slug of the list.')
    .requiredOption('--consent-source <text>', "Where the subscriber confirmed, such as 'link in the confirmation mail'.")
    .action(async (who: string, list: string, options: { consentSource: string }) => {
      await inProject(cli, async (application, project) => {
        const evidence = { source: options.consentSource };
        showSubscription(cli, await application.subscribers.confirm(project.id, who, list, evidence));
      });
    });
  example(confirm, 'pennypost subscriber confirm ada@example.org harbour-letter --consent-source "answer by mail"');

  const unsubscribe = subscriber
    .command('unsubscribe')
    .description('Unsubscribe a subscriber. Only the subscriber can subscribe again.')
    .argument('<subscriber>', 'Address or id of the subscriber.')
    .option('--list <list>', 'Id or slug of a list. Default: all lists of the subscriber. May be repeated.', gather)
    .action(async (who: string, options: { list?: readonly string[] }) => {
      await inProject(cli, async (application, project) => {
        const leaving = { lists: options.list, evidence: { source: 'command line' } };
        showPerson(cli, project, await application.subscribers.unsubscribe(project.id, who, leaving));
      });
    });
  example(unsubscribe, 'pennypost subscriber unsubscribe ada@example.org --list harbour-letter');

  const erase = subscriber
    .command('erase')
    .description('Erase a subscriber permanently. No import can add the address again.')
    .argument('<subscriber>', 'Address or id of the subscriber.')
    .option('--yes', 'Confirm the erasure.')
    .action(async (who: string, options: { yes?: boolean }) => {
      await inProject(cli, async (application, project) => {
        const dryRun = options.yes !== true;
        const found = await application.subscribers.erase(project.id, who, { dryRun });
        if (dryRun) throw new InvalidInput(`This forgets ${found.address ?? found.id} for good. Repeat it with --yes.`);
        cli.output.result({ id: found.id, status: 'erased' }, () => `${found.id} is erased.`);
      });
    });
  example(erase, 'pennypost subscriber erase ada@example.org --yes');
  return subscriber;
}

function showSubscription(cli: Cli, { projectId: _, ...subscription }: Subscription): void {
  const { state, at } = subscription;
  cli.output.result(subscription, () =>
    renderFields(
      [
        ['state', state],
        ['since', at],
      ],
      cli.output.display,
    ),
  );
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
        const { created, ...known } = await application.subscribers.upsert(project.id, {
          email: address,
          attributes: { ...objectOf(options.attributes), ...pairs(options.attribute ?? [], '--attribute') },
          locale: options.locale,
          timeZone: options.timeZone,
          lists: options.list,
          consent: options.consentSource === undefined ? undefined : { source: options.consentSource },
          confirmed: options.confirmed,
        });
        cli.output.note(created ? 'Created.' : 'Changed.');
        showPerson(cli, project, known);
      });
    });
  example(
    upsert,
    'pennypost subscriber upsert ada@example.org --attribute first_name=Ada --list harbour-letter --consent-source "signup form"',
  );
}

function updateCommand(subscriber: Command, cli: Cli): void {
  const update = subscriber
    .command('update')
    .description('Change the address, attributes, language or time zone of a subscriber.')
    .argument('<subscriber>', 'Address or id of the subscriber.')
    .option('--email <address>', 'New e-mail address.')
    .option('--attribute <name=value>', 'Text attribute. May be repeated.', gather)
    .option('--attributes <json>', 'Attributes as a JSON object. null removes an attribute.')
    .option('--locale <tag>', 'BCP 47 language, such as de-AT.')
    .option('--time-zone <name>', 'IANA time zone, such as Europe/Vienna.')
    .action(async (who: string, options: UpsertOptions & { email?: string }) => {
      await inProject(cli, async (application, project) => {
        const changed = await application.subscribers.update(project.id, who, {
          ...(options.email !== undefined && { email: options.email }),
          attributes: { ...objectOf(options.attributes), ...pairs(options.attribute ?? [], '--attribute') },
          locale: options.locale,
          timeZone: options.timeZone,
        });
        showPerson(cli, project, changed);
      });
    });
  example(update, 'pennypost subscriber update ada@example.org --email ada@example.com');
}

function listCommand(subscriber: Command, cli: Cli): void {
  const list = paged(subscriber.command('list').description('Search subscribers, newest first.'))
    .option('--text <text>', 'Part of the address or of an attribute.')
    .option('--list <list>', 'Only subscribers that are or were on this list (id or slug).')
    .addOption(choice('--state <state>', 'With --list: only subscriptions in this state.', SUBSCRIPTION_STATES))
    .action(async (options: PageOptions & { text?: string; list?: string; state?: string }) => {
      await inProject(cli, async (application, project) => {
        const page = await application.subscribers.list(project.id, {
          ...pageOf(options),
          text: options.text,
          list: options.list,
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

function showPerson(cli: Cli, project: Project, subscriber: SubscriberDetails): void {
  const named = subscriber.subscriptions.map(({ list, listId, state, at }) => ({ list, listId, state, at }));
  const shown = {
    ...subscriberShown(subscriber),
    subscriptions: named,
    suppressions: subscriber.suppressions.map(({ scope, reason, evidence, at }) => ({ scope, reason, evidence, at })),
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
export function stateOf(text: string | undefined): Search['state'] {
  const state = SUBSCRIPTION_STATES.find((known) => known === text);
  if (text !== undefined && state === undefined) throw new InvalidInput(`--state is one of ${SUBSCRIPTION_STATES.join(', ')}.`);
  return state;
}

const subscriberShown = (subscriber: Subscriber | SubscriberDetails) => ({
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
