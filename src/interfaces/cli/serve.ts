import { type Command, Option } from 'commander';
import { cleanUp, closing } from '../../domain/shared/clean-up.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import type { Server } from '../http/serve.ts';
import { hostsOf } from '../web/local-access.ts';
import { type Cli, example, whole } from './cli.ts';
import { type Fleet, processesFor, startFleet } from './fleet.ts';
import { reportToSupervisor } from './supervisor.ts';
import { renderFields } from './table.ts';
import { type Instance, LANES, type Lane } from './workbench.ts';

interface ServeOptions {
  readonly host?: string;
  readonly port?: string;
  readonly lanes: string;
  readonly processes?: string;
  readonly showInbox?: boolean;
}

interface WorkOptions {
  readonly lanes: string;
  readonly processes?: string;
  readonly oneOf?: string;
}

const PROCESSES = 'Worker processes for the bulk lane. Default: one per core.';

/** Answers in progress get this long once the process is asked to end. */
const GRACE_MS = 10_000;
/** A process that cannot go on gets this long to close: outcomes wait for a database that may never come back. */
const BROKEN_MS = 30_000;
/** A worker process without its parent gets this long to drain. */
const ORPHAN_MS = 30_000;

export function serveCommand(program: Command, cli: Cli): void {
  const serve = program
    .command('serve')
    .description('Run the API, the public pages, the workers and, without an SMTP server, the inbox.')
    .option('--host <address>', 'Address to listen on. Default: PENNYPOST_HOST, or 127.0.0.1.')
    .option('--port <number>', 'Port to listen on; 0 takes a free one. Default: PENNYPOST_PORT, or 8025.')
    .option('--lanes <lanes>', 'Lanes to work on, separated by commas, or none.', LANES.join(','))
    .option('--processes <number>', PROCESSES)
    .option('--show-inbox', 'Serve the development inbox also with a public URL or a non-loopback host.')
    .action((options: ServeOptions) => serveUntilInterrupted(cli, options));
  example(serve, 'pennypost serve', 'PENNYPOST_SMTP_URL=smtp://relay.example.com:587 pennypost serve --host 0.0.0.0 --port 8080');
}

export function workCommand(program: Command, cli: Cli): void {
  const work = program
    .command('work')
    .description('Run only workers, in addition to those of "pennypost serve" or instead of them.')
    .option('--lanes <lanes>', 'Lanes to work on, separated by commas.', LANES.join(','))
    .option('--processes <number>', PROCESSES)
    .addOption(new Option('--one-of <number>', 'Number of worker processes under the same parent.').hideHelp())
    .action((options: WorkOptions) => workUntilInterrupted(cli, options));
  example(work, 'pennypost work --lanes bulk', 'pennypost work --lanes transactional,background');
}

async function workUntilInterrupted(cli: Cli, options: WorkOptions): Promise<void> {
  const lanes = lanesOf(options.lanes);
  if (lanes.length === 0) throw new InvalidInput(`--lanes must name one or more of ${LANES.join(', ')}.`);
  const oneOf = options.oneOf === undefined ? undefined : whole(options.oneOf, '--one-of', 1, 1_000);
  const processes = oneOf === undefined ? await processesFor(cli, options.processes) : 1;
  cli.interruption.heed();
  const instance = await cli.workbench.open({ works: true, oneOf, log: 'json' });
  await untilInterrupted(cli, instance, async () => {
    const fleet = await startFleet(cli, instance, lanes, processes);
    if (oneOf !== undefined) {
      cli.interruption.obeyParent();
      reportToSupervisor(instance.workerId, () => {
        cli.interruption.parentGone();
        // The database may have ended with the parent: then there is nothing to wait for.
        setTimeout(() => cli.interruption.parentGone(), ORPHAN_MS).unref();
      });
    }
    cli.output.result({ lanes, processes, description: instance.description }, () =>
      renderFields([
        ['database', instance.description],
        ['lanes', lanes.join(' ')],
        ['processes', String(processes)],
      ]),
    );
    return fleet;
  });
}

async function serveUntilInterrupted(cli: Cli, options: ServeOptions): Promise<void> {
  const lanes = lanesOf(options.lanes);
  const settings = await cli.workbench.settings();
  const processes = await processesFor(cli, options.processes);
  const { startServer } = await import('../http/serve.ts');
  const server = await startServer({
    host: options.host ?? settings.host,
    port: options.port === undefined ? settings.port : whole(options.port, '--port', 0, 65_535),
  });
  cli.interruption.heed();
  const local = server.loopback && settings.publicUrl === undefined;
  const showInbox = local || options.showInbox === true;
  const instance = await cli.workbench
    .open({
      works: lanes.length > 0,
      ownInbox: true,
      publicUrl: server.url,
      log: 'json',
      createsDatabase: true,
      inheritsDatabase: true,
    })
    .catch((error: unknown) => cleanUp(error, () => server.close(0)));
  await untilInterrupted(
    cli,
    instance,
    () => begin(cli, instance, server, { lanes, processes, local, showInbox }),
    () => server.close(GRACE_MS),
  );
}

interface Wish {
  readonly lanes: readonly Lane[];
  readonly processes: number;
  /** Reached by this machine alone, and no public URL is set. */
  readonly local: boolean;
  readonly showInbox: boolean;
}

async function begin(cli: Cli, instance: Instance, server: Server, wish: Wish): Promise<Fleet> {
  const { lanes, processes, local, showInbox } = wish;
  const { application, publicUrl, ready, log } = instance;
  const inbox = showInbox ? instance.inbox : undefined;
  const names = hostsOf(publicUrl, server.url);
  const report = (error: unknown, where: string) => log.error({ where, reason: error }, 'a request failed');
  server.serve({ application, publicUrl, version: await version(), inbox, names, local, ready, report });
  // Worker processes look for the inbox where it is announced.
  await instance.announce();
  const fleet = await startFleet(cli, instance, lanes, processes);
  if (instance.databaseBorrowed)
    cli.output.note('Another process runs the database. If that process ends, this one takes it over within seconds.');
  if (inbox !== undefined && !local)
    cli.output.warn(`the development inbox shows every message to everyone who reaches ${server.url}.`);
  if (inbox === undefined && instance.inbox !== undefined)
    cli.output.warn(
      'mail goes to the development inbox, which is not shown with a public URL or a non-loopback host. Set PENNYPOST_SMTP_URL to send to real recipients, or add --show-inbox.',
    );
  const { items } = await application.projects.list({ limit: 1 });
  if (items.length === 0)
    cli.output.note(
      'No project yet. In another terminal: pennypost project create --name "My letters" --domain news.example.com',
    );
  const addresses = {
    url: server.url,
    publicUrl,
    reference: `${server.url}/docs/`,
    inbox: inbox === undefined ? null : `${server.url}/inbox`,
    inboxSmtp: instance.inbox?.url ?? null,
    lanes,
    processes,
  };
  cli.output.result(addresses, () =>
    renderFields([
      ['listening', server.url],
      ['public URL', publicUrl === server.url ? undefined : publicUrl],
      ['API reference', addresses.reference],
      ['inbox', addresses.inbox],
      ['SMTP of the inbox', addresses.inboxSmtp],
      ['database', instance.description],
      ['lanes', lanes.length === 0 ? 'none' : lanes.join(' ')],
      ['processes', lanes.includes('bulk') ? String(processes) : undefined],
    ]),
  );
  return fleet;
}

/**
 * Runs until the first signal; then `shut` (new requests), then what is on the wire of worker processes and of this one is
 * finished, then everything closes.
 */
async function untilInterrupted(
  cli: Cli,
  instance: Instance,
  start: () => Promise<Fleet>,
  shut: () => Promise<void> = async () => undefined,
): Promise<void> {
  let fleet: Fleet | undefined;
  const untilSignal = async (): Promise<void> => {
    fleet = await start();
    await Promise.race([cli.interruption.wait(), instance.broken]);
    if (!cli.interruption.underParent) cli.output.note('Finishing work in progress; a second Ctrl-C ends at once.');
  };
  instance.broken.catch((error: unknown) => {
    const end = (): void => {
      cli.output.note(
        'The process did not close in time and ends now. Campaigns continue at the next start, and possible repeats are marked.',
      );
      cli.interruption.end(cli.output.failure(error));
    };
    setTimeout(end, BROKEN_MS).unref();
  });
  // Every step is taken, whatever becomes of the one before; the first fault is the one to tell.
  const served = (): Promise<void> => closing(untilSignal, shut);
  const drained = (): Promise<void> => closing(served, async () => fleet?.stop());
  await closing(drained, () => instance.close());
}

function lanesOf(text: string): readonly Lane[] {
  if (text.trim() === 'none') return [];
  return text.split(',').map((name) => {
    const lane = LANES.find((known) => known === name.trim());
    if (lane === undefined) throw new InvalidInput(`--lanes: "${name.trim().slice(0, 40)}" is not one of ${LANES.join(', ')}.`);
    return lane;
  });
}

/** Of this package. */
export async function version(): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  const { version: own } = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return own;
}
