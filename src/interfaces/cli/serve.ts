import type { Command } from 'commander';
import { InvalidInput } from '../../domain/shared/errors.ts';
import type { Server } from '../http/serve.ts';
import { type Cli, example, whole } from './cli.ts';
import { renderFields } from './table.ts';
import { type Instance, LANES, type Lane } from './workbench.ts';

interface ServeOptions {
  readonly host?: string;
  readonly port?: string;
  readonly lanes: string;
}

/** Answers in progress get this long once the process is asked to end. */
const GRACE_MS = 10_000;

export function serveCommand(program: Command, cli: Cli): void {
  const serve = program
    .command('serve')
    .description('run everything: API, pages for recipients, workers, and the development inbox when no SMTP server is set')
    .option('--host <address>', 'where to listen (PENNYPOST_HOST, default 127.0.0.1)')
    .option('--port <number>', 'where to listen (PENNYPOST_PORT, default 8025); 0 takes a free one')
    .option('--lanes <lanes>', `what to work on: ${LANES.join(',')}, or none`, LANES.join(','))
    .action((options: ServeOptions) => serveUntilInterrupted(cli, options));
  example(serve, 'pennypost serve', 'PENNYPOST_SMTP_URL=smtp://relay.example.com:587 pennypost serve --host 0.0.0.0 --port 8080');
}

export function workCommand(program: Command, cli: Cli): void {
  const work = program
    .command('work')
    .description('run workers only, beside or instead of those of "pennypost serve"')
    .option('--lanes <lanes>', 'which, separated by commas', LANES.join(','))
    .action(async (options: { lanes: string }) => {
      const lanes = lanesOf(options.lanes);
      if (lanes.length === 0) throw new InvalidInput(`--lanes wants one or more of ${LANES.join(', ')}.`);
      cli.interruption.heed();
      const instance = await cli.workbench.open({ works: true, log: 'json' });
      await untilInterrupted(cli, instance, async () => {
        await instance.work(lanes);
        cli.output.result({ lanes, description: instance.description }, () =>
          renderFields([
            ['database', instance.description],
            ['lanes', lanes.join(' ')],
          ]),
        );
      });
    });
  example(work, 'pennypost work --lanes bulk', 'pennypost work --lanes transactional,background');
}

async function serveUntilInterrupted(cli: Cli, options: ServeOptions): Promise<void> {
  const lanes = lanesOf(options.lanes);
  const settings = await cli.workbench.settings();
  const host = options.host ?? settings.host;
  const { startServer } = await import('../http/serve.ts');
  const server = await startServer({
    host,
    port: options.port === undefined ? settings.port : whole(options.port, '--port', 0, 65_535),
  });
  cli.interruption.heed();
  let instance: Instance;
  try {
    instance = await cli.workbench.open({ works: lanes.length > 0, ownInbox: true, publicUrl: server.url, log: 'json' });
  } catch (error) {
    await server.close(0);
    throw error;
  }
  await untilInterrupted(
    cli,
    instance,
    () => begin(cli, instance, server, lanes, host),
    () => server.close(GRACE_MS),
  );
}

async function begin(cli: Cli, instance: Instance, server: Server, lanes: readonly Lane[], host: string): Promise<void> {
  const { application, publicUrl, inbox, log } = instance;
  const report = (error: unknown, where: string) => log.error({ where, reason: String(error) }, 'a request failed');
  server.serve({ application, publicUrl, version: await version(), inbox, report });
  if (lanes.length > 0) await instance.work(lanes);
  await instance.announce();
  if (instance.databaseBorrowed)
    cli.output.warn('the database is run by another process and ends with it. Start this again when that one has ended.');
  if (inbox !== undefined && !/^(127\.|localhost$|::1$)/.test(host))
    cli.output.warn(`the development inbox shows every message to whoever reaches ${host}.`);
  const { items } = await application.access.listProjects({ limit: 1 });
  if (items.length === 0)
    cli.output.note(
      'No project yet. In another terminal: pennypost project create --name "My letters" --domain news.example.com',
    );
  const addresses = {
    url: server.url,
    publicUrl,
    reference: `${server.url}/docs/`,
    inbox: inbox === undefined ? null : `${server.url}/inbox`,
    inboxSmtp: inbox?.url ?? null,
    lanes,
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
    ]),
  );
}

/** Runs until the first signal; then `shut` (new requests), then what is on the wire is finished, then everything closes. */
async function untilInterrupted(
  cli: Cli,
  instance: Instance,
  start: () => Promise<void>,
  shut: () => Promise<void> = async () => undefined,
): Promise<void> {
  try {
    await start();
    await Promise.race([cli.interruption.wait(), instance.broken]);
    cli.output.note('Finishing what is under way; a second Ctrl-C ends at once.');
  } finally {
    await shut();
    await instance.close();
  }
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
