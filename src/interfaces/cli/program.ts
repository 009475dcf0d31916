import { Command, CommanderError } from 'commander';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { draftCommands } from './campaign.ts';
import { audienceCommands } from './campaign-audience.ts';
import { reportCommands } from './campaign-report.ts';
import { tryingCommands } from './campaign-try.ts';
import { type Cli, example } from './cli.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand, migrateCommand } from './doctor.ts';
import { domainCommands } from './domain.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { importCommands } from './import.ts';
import type { Interruption } from './interruption.ts';
import { keyCommands } from './key.ts';
import { launchCommands } from './launch.ts';
import { listCommands } from './list.ts';
import { messageCommands } from './message.ts';
import { Output, type TextStream } from './output.ts';
import { projectCommands } from './project.ts';
import { routeCommands } from './route.ts';
import { sendCommand } from './send.ts';
import { sendBatchCommand } from './send-batch.ts';
import { serveCommand, version, workCommand } from './serve.ts';
import { statusCommand } from './status.ts';
import { subscriberCommands } from './subscriber.ts';
import { subscriberRecordCommands } from './subscriber-records.ts';
import { suppressionCommands } from './suppression.ts';
import { templateCommands } from './template.ts';
import { transportCommands } from './transport.ts';
import type { Workbench } from './workbench.ts';

/** What the process gives to the command line. */
export interface Terminal {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly workbench: Workbench;
  readonly interruption: Interruption;
  readonly clock: Cli['clock'];
}

/** Runs one command line, without `node` and the script's name. @returns the exit code; never throws */
export async function runCommandLine(words: readonly string[], terminal: Terminal): Promise<number> {
  const { stdout, stderr, interruption } = terminal;
  // Asked for here and not by the parser, because what the parser itself has to say must be JSON as well.
  const end = words.indexOf('--');
  const output = new Output({ json: words.slice(0, end < 0 ? words.length : end).includes('--json'), stdout, stderr });
  let status: number = EXIT.ok;
  const program = new Command('pennypost');
  const cli: Cli = {
    ...terminal,
    output,
    projectWish: () => program.opts<{ project?: string }>().project,
    endWith: (code) => {
      status = code;
    },
  };
  fill(program, cli);
  settle(program, stdout, output.json ? undefined : stderr);
  try {
    if (words.length === 0) program.outputHelp();
    else if (words.includes('--version')) stdout.write(`${await version()}\n`);
    else await program.parseAsync([...words], { from: 'user' });
    return interruption.status !== undefined && status !== EXIT.ok ? interruption.status : status;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok;
      return error.code === 'commander.help' && !output.json ? EXIT.usage : output.failure(misused(error));
    }
    if (interruption.status !== undefined) {
      output.note(`Interrupted. ${interruption.outcome}`.trim());
      return interruption.status;
    }
    return output.failure(error);
  }
}

/** Every command there is; `--help` lists them in this order. */
export function fill(program: Command, cli: Cli): void {
  program
    .description('Send newsletters and transactional mail from your own server. PostgreSQL is included.')
    .option('--json', 'Print the result as one line of JSON on standard output, and errors as JSON on standard error.')
    .option('--project <project>', 'Id or slug of the project. Not needed when there is only one.')
    .option('--version', 'Print the version of pennypost.')
    .helpOption('-h, --help', 'Explain a command, with examples.');
  demoCommand(program, cli);
  serveCommand(program, cli);
  workCommand(program, cli);
  migrateCommand(program, cli);
  doctorCommand(program, cli);
  statusCommand(program, cli);
  projectCommands(program, cli);
  keyCommands(program, cli);
  domainCommands(program, cli);
  listCommands(program, cli);
  subscriberRecordCommands(subscriberCommands(program, cli), cli);
  suppressionCommands(program, cli);
  importCommands(program, cli);
  const campaign = program.command('campaign').description('Create, launch and follow campaigns.');
  draftCommands(campaign, cli);
  tryingCommands(campaign, cli);
  launchCommands(campaign, cli);
  reportCommands(campaign, cli);
  audienceCommands(campaign, cli);
  templateCommands(program, cli);
  const message = messageCommands(program, cli);
  sendCommand(message, cli);
  sendBatchCommand(message, cli);
  transportCommands(program, cli);
  routeCommands(program, cli);
  example(
    program,
    'pennypost demo',
    'pennypost serve',
    'pennypost import people.csv --list harbour-letter',
    'pennypost campaign create --file november.mjml && pennypost campaign launch "November letter" --watch',
  );
  program.addHelpText(
    'after',
    `\nSettings are environment variables (PENNYPOST_...), see docs/reference/settings.md.\nExit codes: ${EXIT_CODES.map(({ code, name }) => `${code} ${name}`).join(', ')}.`,
  );
}

/** Throws instead of ending the process, says nothing by itself, and shows the global options everywhere. */
function settle(command: Command, stdout: TextStream, stderr: TextStream | undefined): void {
  command.exitOverride();
  command.configureOutput({
    writeOut: (text) => void stdout.write(text),
    // The help of a group that was called without a command; what is wrong is said by `Output.failure`.
    writeErr: (text) => void stderr?.write(text),
    outputError: () => undefined,
  });
  command.configureHelp({ showGlobalOptions: true });
  command.helpCommand(false);
  if (command.commands.length > 0 && command.parent !== null) {
    const names = command.commands.map((one) => one.name());
    example(command, `pennypost ${command.name()} ${names[0]} --help`);
  }
  for (const inner of command.commands) settle(inner, stdout, stderr);
}

function misused(error: CommanderError): InvalidInput {
  if (error.code === 'commander.help') return new InvalidInput('A command is missing. See --help.');
  const message = error.message.replace(/^error: /, '').replace(/\n\(Did you mean (.*)\?\)$/, '. Did you mean $1?');
  return new InvalidInput(`${message}${/[.?!]$/.test(message) ? '' : '.'} See --help.`);
}
