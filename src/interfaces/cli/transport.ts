import type { Command } from 'commander';
import { secretSettings, TRANSPORT_KINDS, type Transports } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import {
  type Cli,
  choice,
  example,
  gather,
  inProject,
  type PageOptions,
  paged,
  pageOf,
  pairs,
  resultPage,
  whole,
} from './cli.ts';
import { EXIT } from './exit-codes.ts';
import { readText } from './read-content.ts';
import { type Display, renderFields, renderTable } from './table.ts';

type Transport = Awaited<ReturnType<Transports['get']>>;

interface SettingOptions {
  readonly setting?: readonly string[];
  readonly settings?: string;
  readonly maxConnections?: string;
  readonly messagesPerSecond?: string;
}

export function transportCommands(program: Command, cli: Cli): void {
  const transport = program
    .command('transport')
    .description('Manage the SMTP servers and providers that the mail of a project leaves by.');

  const create = transport
    .command('create')
    .description('Create a transport. Credentials are stored encrypted and never shown again.')
    .addOption(choice('--kind <kind>', 'Kind of the transport.', TRANSPORT_KINDS).makeOptionMandatory())
    .option('--name <name>', 'Name of the transport. Default: the kind.')
    .option('--slug <slug>', 'Short name for commands. Default: made from the name.');
  settingOptions(create).action(async (options: SettingOptions & { kind: string; name?: string; slug?: string }) => {
    const { kind, name, slug } = options;
    const settings = await settingsOf(cli, options);
    await inProject(cli, async (application, project) => {
      const input = { kind, name, slug, settings, ...limitsOf(options) };
      shown(cli, await application.transports.create(project.id, input));
    });
  });
  example(
    create,
    `pennypost transport create --kind smtp --name "Main relay" --setting host=smtp.example.com --setting user=mailer --settings password.json`,
    `echo '{"apiKey":"..."}' | pennypost transport create --kind resend --settings -`,
  );

  const list = paged(
    transport.command('list').description('List the transports of the project, with their health, oldest first.'),
  ).action(async (options: PageOptions) => {
    await inProject(cli, async (application, project) =>
      resultPage(cli, await application.transports.list(project.id, pageOf(options)), transportShown, (items) =>
        renderTable(
          [
            { title: 'Slug', value: (one) => one.slug },
            { title: 'Name', value: (one) => one.name },
            { title: 'Kind', value: (one) => one.kind.replaceAll('_', ' ') },
            { title: 'State', value: (one) => one.state },
            { title: 'Breaker', value: (one) => one.health.state.replace('_', ' ') },
            { title: 'Reason', value: (one) => (one.health.state === 'closed' ? undefined : one.health.reason) },
          ],
          items,
          cli.output.display,
        ),
      ),
    );
  });
  example(list, 'pennypost transport list');

  const get = transport
    .command('get')
    .description('Show a transport with its settings, its health and which credentials are set.')
    .argument('<transport>', 'Id or slug of the transport.')
    .action(async (named: string) => {
      await inProject(cli, async (application, project) => shown(cli, await application.transports.get(project.id, named)));
    });
  example(get, 'pennypost transport get main-relay');

  const update = transport
    .command('update')
    .description('Change a transport. Settings and credentials that are not given stay as they are.')
    .argument('<transport>', 'Id or slug of the transport.')
    .option('--name <name>', 'New name of the transport.')
    .option('--enable', 'Let messages take this transport again.')
    .option('--disable', 'Let no message take this transport. Its routes stay.');
  settingOptions(update).action(
    async (named: string, options: SettingOptions & { name?: string; enable?: boolean; disable?: boolean }) => {
      if (options.enable === true && options.disable === true) throw new InvalidInput('Give --enable or --disable, not both.');
      await inProject(cli, async (application, project) => {
        const wished = options.disable === true ? ('disabled' as const) : ('active' as const);
        const state = options.enable === true || options.disable === true ? wished : undefined;
        const given = options.setting !== undefined || options.settings !== undefined;
        const settings = given ? await settingsOf(cli, options) : undefined;
        const changes = { name: options.name, state, settings, ...limitsOf(options) };
        shown(cli, await application.transports.update(project.id, named, changes));
      });
    },
  );
  example(update, 'pennypost transport update main-relay --setting port=465 --setting tls=implicit');

  const remove = transport
    .command('delete')
    .description('Delete a transport with its credentials. Refused while a route names it.')
    .argument('<transport>', 'Id or slug of the transport.')
    .option('--yes', 'Confirm the deletion.')
    .action(async (named: string, options: { yes?: boolean }) => {
      await inProject(cli, async (application, project) => {
        const dryRun = options.yes !== true;
        const { id, slug, name } = await application.transports.delete(project.id, named, { dryRun });
        if (dryRun) throw new InvalidInput(`This deletes the transport "${name}" with its credentials. Repeat it with --yes.`);
        cli.output.result({ id, slug, deleted: true }, () => `The transport "${name}" is deleted.`);
      });
    });
  example(remove, 'pennypost transport delete main-relay --yes');

  const verify = transport
    .command('verify')
    .description('Test a transport: connect and authenticate, and send a test message if --to is given.')
    .argument('<transport>', 'Id or slug of the transport.')
    .option('--to <address>', 'Address that gets a real test message.')
    .action(async (named: string, { to }: { to?: string }) => {
      await inProject(cli, async (application, project) => {
        const test = await application.transports.verify(project.id, named, { to });
        if (!test.ok) cli.endWith(EXIT.failed);
        cli.output.result({ ...test, problem: test.problem ?? null, message: test.message ?? null }, () => {
          if (!test.ok) return `The transport does not work: ${test.problem ?? 'unknown reason'}`;
          const end = test.message === undefined ? '' : ` The test message was accepted: ${test.message.reply}`;
          return `The transport works (${test.milliseconds} ms).${end}`;
        });
      });
    });
  example(verify, 'pennypost transport verify main-relay --to ada@example.org');
}

function settingOptions(command: Command): Command {
  return command
    .option('--setting <name=value>', 'Setting of this kind. May be repeated. An empty value removes it.', gather)
    .option('--settings <file>', 'JSON file with settings, or - for standard input. For credentials and certificates.')
    .option('--max-connections <number>', 'Connections of all workers together, 1 to 1,000. Default: 10 per worker.')
    .option('--messages-per-second <number>', 'Messages per second of all workers together. Default: no limit.');
}

/** @throws InvalidInput for a credential among the arguments: other users of the machine can read these */
async function settingsOf(cli: Cli, { setting = [], settings }: SettingOptions) {
  const given = pairs(setting, '--setting');
  const secrets = TRANSPORT_KINDS.flatMap((kind) => secretSettings(kind));
  const exposed = Object.keys(given).find((name) => secrets.includes(name));
  if (exposed !== undefined)
    throw new InvalidInput(
      `"${exposed}" is a credential, and other users of this machine can read arguments. Give it as JSON by --settings <file>, or by --settings - from standard input.`,
    );
  const own = Object.entries(given).map(([name, value]) => [name, value === '' ? null : value] as const);
  const read = settings === undefined ? {} : jsonIn(await readText(cli, settings));
  return { ...read, ...Object.fromEntries(own) };
}

/** No error quotes the text: it holds credentials. @throws InvalidInput */
function jsonIn(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new InvalidInput('--settings needs a JSON object such as {"password":"..."}.');
}

function limitsOf({ maxConnections, messagesPerSecond }: SettingOptions) {
  return {
    maxConnections: maxConnections === undefined ? undefined : whole(maxConnections, '--max-connections', 1, 1_000),
    messagesPerSecond: messagesPerSecond === undefined ? undefined : rateOf(messagesPerSecond),
  };
}

function rateOf(text: string): number {
  if (!/^\d{1,6}(?:\.\d{1,3})?$/.test(text))
    throw new InvalidInput(`--messages-per-second must be a number such as 14 or 0.5, not "${text.slice(0, 40)}".`);
  return Number(text);
}

const shown = (cli: Cli, one: Transport): void =>
  cli.output.result(transportShown(one), () => fieldsOf(transportShown(one), cli.output.display));

const transportShown = ({ id, slug, name, kind, settings, secrets, state, health, ...rest }: Transport) => ({
  id,
  slug,
  name,
  kind,
  settings,
  secrets,
  maxConnections: rest.maxConnections ?? null,
  messagesPerSecond: rest.messagesPerSecond ?? null,
  state,
  health: {
    state: health.state,
    cause: health.cause ?? null,
    reason: health.reason ?? null,
    changedAt: health.changedAt ?? null,
    nextTrialAt: health.nextTrialAt ?? null,
  },
  createdAt: rest.createdAt,
  updatedAt: rest.updatedAt,
});

const fieldsOf = (one: ReturnType<typeof transportShown>, display: Display): string =>
  renderFields(
    [
      ['transport', one.name],
      ['slug', one.slug],
      ['id', one.id],
      ['kind', one.kind.replaceAll('_', ' ')],
      ['state', one.state],
      ['breaker', one.health.state.replace('_', ' ')],
      ['last failure', one.health.reason],
      ['next trial', one.health.nextTrialAt],
      ...Object.entries(one.settings).map(([name, value]) => [name, String(value)] as const),
      ...Object.entries(one.secrets),
      ['connections', one.maxConnections],
      ['messages a second', one.messagesPerSecond],
      ['created', one.createdAt],
      ['updated', one.updatedAt],
    ],
    display,
  );
