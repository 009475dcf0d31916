import type { Command } from 'commander';
import { type Routes, SENDING_LANES, type SendingLane } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { type Cli, choice, example, inProject, type PageOptions, paged, pageOf, resultPage, whole } from './cli.ts';
import { type Display, renderFields, renderTable } from './table.ts';

type ShownRoute = Awaited<ReturnType<Routes['get']>>;

interface OrderOptions {
  readonly priority?: string;
  readonly weight?: string;
}

export function routeCommands(program: Command, cli: Cli): void {
  const route = program
    .command('route')
    .description('Manage routes: which transport takes which messages, and which one takes over.');

  const create = route
    .command('create')
    .description('Create a route. Without routes, transports are used in the order in which they were created.')
    .argument('<transport>', 'Id or slug of the transport.')
    .addOption(choice('--lane <lane>', 'Only messages of this lane. Default: both.', SENDING_LANES))
    .option('--receiving-group <group>', 'Only recipients at gmail, microsoft, yahoo, apple or a domain. Default: all.');
  orderOptions(create).action(async (named: string, options: OrderOptions & { lane?: string; receivingGroup?: string }) => {
    const lane = options.lane === undefined ? undefined : laneOf(options.lane);
    await inProject(cli, async (application, project) => {
      const input = { transport: named, lane, receivingGroup: options.receivingGroup, ...orderOf(options) };
      shown(cli, await application.routes.create(project.id, input));
    });
  });
  example(create, 'pennypost route create main-relay --lane bulk --weight 3', 'pennypost route create reserve --priority 20');

  const list = paged(route.command('list').description('List the routes of the project, oldest first.')).action(
    async (options: PageOptions) => {
      await inProject(cli, async (application, project) =>
        resultPage(cli, await application.routes.list(project.id, pageOf(options)), routeShown, (items) =>
          renderTable(
            [
              { title: 'Transport', value: (one) => one.transport },
              { title: 'Lane', value: (one) => one.lane ?? 'both' },
              { title: 'Recipients', value: (one) => one.receivingGroup ?? 'all' },
              { title: 'Priority', value: (one) => one.priority },
              { title: 'Weight', value: (one) => one.weight },
              { title: 'Id', value: (one) => one.id },
            ],
            items,
            cli.output.display,
          ),
        ),
      );
    },
  );
  example(list, 'pennypost route list');

  const get = route
    .command('get')
    .description('Show a route.')
    .argument('<route>', 'Id of the route.')
    .action(async (id: string) => {
      await inProject(cli, async (application, project) => shown(cli, await application.routes.get(project.id, id)));
    });
  example(get, 'pennypost route get 0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b');

  const update = route
    .command('update')
    .description('Change the priority or the weight of a route.')
    .argument('<route>', 'Id of the route.');
  orderOptions(update).action(async (id: string, options: OrderOptions) => {
    await inProject(cli, async (application, project) =>
      shown(cli, await application.routes.update(project.id, id, orderOf(options))),
    );
  });
  example(update, 'pennypost route update 0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b --weight 1');

  const remove = route
    .command('delete')
    .description('Delete a route. Its transport stays.')
    .argument('<route>', 'Id of the route.')
    .action(async (routeId: string) => {
      await inProject(cli, async (application, project) => {
        const { id, transport } = await application.routes.delete(project.id, routeId);
        cli.output.result({ id, deleted: true }, () => `The route to "${transport}" is deleted.`);
      });
    });
  example(remove, 'pennypost route delete 0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b');

  const explain = route
    .command('explain')
    .description('Explain which way a message to an address would go, and why.')
    .argument('<address>', 'E-mail address of the recipient.')
    .addOption(choice('--lane <lane>', 'Lane of the message.', SENDING_LANES).default('transactional'))
    .action(async (address: string, options: { lane: string }) => {
      const lane = laneOf(options.lane);
      await inProject(cli, async (application, project) => {
        const found = await application.routes.explain(project.id, address, { lane });
        const ways = found.ways.map(({ transport, share, usable, health, why }) => ({
          transport,
          share,
          usable,
          breaker: health.state,
          why,
        }));
        const { domain, receivingGroup = null } = found;
        cli.output.result({ domain, receivingGroup, lane, ways, why: found.why }, () =>
          [
            found.why,
            ...(ways.length === 0
              ? []
              : [
                  '',
                  renderTable(
                    [
                      { title: 'Transport', value: (one) => one.transport },
                      { title: 'Usable', value: (one) => one.usable },
                      { title: 'Breaker', value: (one) => one.breaker.replace('_', ' ') },
                      { title: 'Why', value: (one) => one.why },
                    ],
                    ways,
                    cli.output.display,
                  ),
                ]),
          ].join('\n'),
        );
      });
    });
  example(explain, 'pennypost route explain ada@example.org --lane bulk');
}

function orderOptions(command: Command): Command {
  return command
    .option('--priority <number>', 'Order, 0 to 1,000: the lowest comes first, the next one takes over. Default: 10.')
    .option('--weight <number>', 'Share among routes of the same priority, 1 to 1,000. Default: 1.');
}

const orderOf = ({ priority, weight }: OrderOptions) => ({
  priority: priority === undefined ? undefined : whole(priority, '--priority', 0, 1_000),
  weight: weight === undefined ? undefined : whole(weight, '--weight', 1, 1_000),
});

function laneOf(text: string): SendingLane {
  const lane = SENDING_LANES.find((known) => known === text);
  if (lane === undefined) throw new InvalidInput(`--lane must be one of ${SENDING_LANES.join(', ')}.`);
  return lane;
}

const shown = (cli: Cli, one: ShownRoute): void =>
  cli.output.result(routeShown(one), () => fieldsOf(routeShown(one), cli.output.display));

const routeShown = ({ id, transport, lane, receivingGroup, priority, weight, createdAt }: ShownRoute) => ({
  id,
  transport,
  lane: lane ?? null,
  receivingGroup: receivingGroup ?? null,
  priority,
  weight,
  createdAt,
});

const fieldsOf = (one: ReturnType<typeof routeShown>, display: Display): string =>
  renderFields(
    [
      ['transport', one.transport],
      ['lane', one.lane ?? 'both'],
      ['recipients', one.receivingGroup ?? 'all'],
      ['priority', one.priority],
      ['weight', one.weight],
      ['id', one.id],
      ['created', one.createdAt],
    ],
    display,
  );
