import type { Command } from 'commander';
import type { Status } from '../../application/application.ts';
import { type Cli, example, withInstance } from './cli.ts';
import { stuckText } from './stuck-workers.ts';
import { type Display, renderTable } from './table.ts';
import { formatSeconds } from './text.ts';

export function statusCommand(program: Command, cli: Cli): void {
  const status = program
    .command('status')
    .description('Show queue depth, oldest job and active workers per lane.')
    .action(async () => {
      await withInstance(cli, async ({ application, database }) => {
        const found = await application.status.get();
        cli.output.result(found, () => `${database}\n\n${renderStatus(found, cli.clock.now(), cli.output.display)}`);
      });
    });
  example(status, 'pennypost status', 'pennypost status --json');
}

export function renderStatus(
  { databaseEnds, lanes, publicUrl, campaigns, workers, failingTransports }: Status,
  now: Date,
  display: Display | undefined,
): string {
  const age = (milliseconds: number): string => (milliseconds <= 0 ? '–' : formatSeconds(milliseconds / 1_000));
  const waiting = renderTable(
    [
      { title: 'Lane', value: (row) => row.lane },
      { title: 'Waiting', value: (row) => row.waiting },
      { title: 'Active', value: (row) => row.active },
      { title: 'Oldest', value: (row) => row.age, align: 'right' },
    ],
    [
      ...lanes.map((lane) => ({ ...lane, age: age(lane.oldestAgeMs) })),
      { lane: 'campaign recipients', waiting: campaigns.recipients, active: null, age: age(campaigns.oldestAgeMs) },
    ],
    display,
  );
  const ended = [
    ...(databaseEnds === undefined || databaseEnds.count === 0 ? [] : [endedText(databaseEnds)]),
    ...differingText(publicUrl),
    ...failingTransports.map(failingText),
  ];
  if (workers.length === 0)
    return [...ended, waiting, 'No worker is running. Start one with "pennypost serve" or "pennypost work".'].join('\n\n');
  const working = renderTable(
    [
      { title: 'Worker', value: (row) => `${row.host}:${row.pid}` },
      { title: 'Lanes', value: (row) => row.lanes.join(' ') },
      { title: 'Running', value: (row) => formatSeconds((now.getTime() - row.startedAt.getTime()) / 1_000), align: 'right' },
      { title: 'Shards', value: (row) => row.progress.shards },
      { title: 'Submitted', value: (row) => row.progress.submitted },
      { title: 'Per second', value: (row) => row.progress.perSecond },
      { title: 'Unrecorded', value: (row) => row.progress.unrecorded },
    ],
    workers,
    display,
  );
  const troubles = workers.flatMap(({ host, pid, progress }) =>
    progress.trouble === undefined ? [] : [`${host}:${pid} cannot hand over and keeps trying: ${progress.trouble}`],
  );
  return [...ended, waiting, working, ...troubles, ...workers.flatMap(stuckText)].join('\n\n');
}

const failingText = ({ projectId, transport, cause, reason, state, nextTrialAt }: Status['failingTransports'][number]): string =>
  `The transport "${transport}" of the project ${projectId} fails (${cause ?? 'unknown'}: ${reason ?? 'no reason'}). ` +
  (state === 'half_open' ? 'A message is being tried.' : `Next trial: ${nextTrialAt?.toISOString() ?? 'soon'}.`);

function differingText({ stored, here }: Status['publicUrl']): readonly string[] {
  if (stored === undefined || here === undefined || stored === here) return [];
  return [
    `PENNYPOST_PUBLIC_URL is ${here} here, but ${stored} for this instance: links begin with ${stored}. Set the same value everywhere.`,
  ];
}

function endedText({ count, lastAt, lastReason }: NonNullable<Status['databaseEnds']>): string {
  const times = count === 1 ? 'once' : `${count} times`;
  return `The embedded database ended by itself ${times} and was started again, last at ${lastAt?.toISOString()}: ${lastReason}.`;
}
