import type { Command } from 'commander';
import { type Cli, example, withInstance } from './cli.ts';
import { EXIT } from './exit-codes.ts';
import { renderTable } from './table.ts';

export function migrateCommand(program: Command, cli: Cli): void {
  const migrate = program
    .command('migrate')
    .description('Update the database schema. Every other command does so too.')
    .action(async () => {
      await withInstance(cli, async ({ migrated, database }) =>
        cli.output.result({ migrated }, () =>
          migrated.length === 0 ? `The schema is up to date (${database}).` : `Applied: ${migrated.join(', ')} (${database}).`,
        ),
      );
    });
  example(migrate, 'pennypost migrate');
}

export function doctorCommand(program: Command, cli: Cli): void {
  const doctor = program
    .command('doctor')
    .description('Check the database, settings, clock, disk and SMTP connection. Exit code 5 on a fault.')
    .action(async () => {
      const findings = await cli.workbench.examine();
      cli.output.result({ findings }, () => {
        const table = renderTable(
          [
            { title: '', value: (finding) => finding.verdict },
            { title: 'What', value: (finding) => finding.what },
            { title: 'Found', value: (finding) => finding.found },
          ],
          findings,
          cli.output.display,
        );
        const advice = findings.flatMap(({ what, advice: todo }) => (todo === undefined ? [] : [`${what}: ${todo}`]));
        return advice.length === 0 ? table : `${table}\n\nWhat to do\n${advice.map((line) => `- ${line}`).join('\n')}`;
      });
      if (findings.some(({ verdict }) => verdict === 'fail')) cli.endWith(EXIT.unavailable);
    });
  example(doctor, 'pennypost doctor', 'pennypost doctor --json');
}
