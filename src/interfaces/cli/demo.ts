import type { Command } from 'commander';
import { type Cli, example, whole } from './cli.ts';

export function demoCommand(program: Command, cli: Cli): void {
  const demo = program
    .command('demo')
    .description('Run the whole path from a CSV file to a report, in a temporary instance.')
    .option('--recipients <number>', 'Number of recipients, 1 to 100,000.', '1000')
    .option('--exit', 'Exit when done. Default: serve the pages until Ctrl-C.')
    .action(async (options: { recipients: string; exit?: boolean }) => {
      const { runDemo } = await import('./demo/run.ts');
      await runDemo(cli, whole(options.recipients, '--recipients', 1, 100_000), options.exit !== true);
    });
  example(demo, 'pennypost demo', 'pennypost demo --recipients 2000 --json --exit');
}
