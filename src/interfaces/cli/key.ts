import type { Command } from 'commander';
import { type Keys, SCOPES } from '../../application/application.ts';
import {
  type Cli,
  choice,
  example,
  gather,
  inProject,
  moment,
  type PageOptions,
  paged,
  pageOf,
  resultPage,
  whole,
} from './cli.ts';
import { type Display, renderFields, renderTable } from './table.ts';

type Key = Awaited<ReturnType<Keys['revoke']>>;

export function keyCommands(program: Command, cli: Cli): void {
  const key = program.command('key').description('Manage the API keys of a project.');

  const create = key
    .command('create')
    .description('Create a key. Its secret is shown once.')
    .requiredOption('--name <name>', 'Name that says what the key is for.')
    .addOption(
      choice('--scope <scope>', 'Scope that the key has. May be repeated.', SCOPES).argParser(gather).makeOptionMandatory(),
    )
    .option('--expires <time>', 'Expiry time, such as 2027-01-01 or 2027-01-01T00:00:00Z. Default: never.')
    .option('--rate <number>', 'Requests per second, 1 to 10,000. Default: 50.')
    .action(async (options: { name: string; scope: readonly string[]; expires?: string; rate?: string }) => {
      await inProject(cli, async (application, project) => {
        const made = await application.keys.create(project.id, {
          name: options.name,
          scopes: options.scope.flatMap((scope) => scope.split(',')),
          expiresAt:
            options.expires === undefined
              ? undefined
              : moment(options.expires, '--expires').in(project.timeZone, cli.clock.now()),
          requestsPerSecond: options.rate === undefined ? undefined : whole(options.rate, '--rate', 1, 10_000),
        });
        const shown = keyShown(made.key, cli.clock.now());
        cli.output.result(
          { ...shown, secret: made.secret },
          () => `${fieldsOf(shown, cli.output.display)}\n\nSecret, shown once: ${made.secret}`,
        );
      });
    });
  example(create, 'pennypost key create --name "shop" --scope message.send --scope audience.write');

  const list = paged(key.command('list').description('List the keys of the project, oldest first.')).action(
    async (options: PageOptions) => {
      await inProject(cli, async (application, project) =>
        resultPage(
          cli,
          await application.keys.list(project.id, pageOf(options)),
          (item) => keyShown(item, cli.clock.now()),
          (items) =>
            renderTable(
              [
                { title: 'Name', value: (one) => one.name },
                { title: 'Status', value: (one) => one.status },
                { title: 'Scopes', value: (one) => one.scopes.join(' ') },
                { title: 'Last used', value: (one) => one.lastUsedAt },
                { title: 'Expires', value: (one) => one.expiresAt },
                { title: 'Id', value: (one) => one.id },
              ],
              items,
              cli.output.display,
            ),
        ),
      );
    },
  );
  example(list, 'pennypost key list');

  const revoke = key
    .command('revoke')
    .description('Revoke a key. All servers refuse it at once.')
    .argument('<id>', 'Id of the key.')
    .action(async (id: string) => {
      await inProject(cli, async (application, project) => {
        const shown = keyShown(await application.keys.revoke(project.id, id), cli.clock.now());
        cli.output.result(shown, () => fieldsOf(shown, cli.output.display));
      });
    });
  example(revoke, 'pennypost key revoke 0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b');
}

/** Never the hash of the secret. */
const keyShown = (key: Key, now: Date) => ({
  id: key.id,
  name: key.name,
  scopes: key.scopes,
  status: key.status(now),
  requestsPerSecond: key.requestsPerSecond,
  createdAt: key.createdAt,
  expiresAt: key.expiresAt,
  revokedAt: key.revokedAt,
  lastUsedAt: key.lastUsedAt,
});

const fieldsOf = (key: ReturnType<typeof keyShown>, display: Display): string =>
  renderFields(
    [
      ['key', key.name],
      ['id', key.id],
      ['status', key.status],
      ['scopes', key.scopes.join(' ')],
      ['requests per second', key.requestsPerSecond],
      ['created', key.createdAt],
      ['expires', key.expiresAt],
      ['revoked', key.revokedAt],
    ],
    display,
  );
