import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { filledProgram } from '../../reference/pages.ts';
import { languageFaults } from '../../support/plain-language.ts';
import { closedWorkbench, commandLine } from './workshop.ts';

const run = commandLine(closedWorkbench);

/** Every command there is, as the words that name it. */
function commandsUnder(command: Command, words: readonly string[] = []): string[][] {
  return command.commands.flatMap((inner) => {
    const own = [...words, inner.name()];
    return inner.commands.length > 0 ? commandsUnder(inner, own) : [own];
  });
}

const everyCommand = (): string[][] => commandsUnder(filledProgram());

/** Every help text: of groups, commands, arguments and options, each with its place. */
function helpTexts(command: Command, words: readonly string[] = []): [string, string][] {
  const place = ['pennypost', ...words].join(' ');
  return [
    [place, command.description()],
    ...command.registeredArguments.map((one): [string, string] => [`${place} <${one.name()}>`, one.description]),
    ...command.options.map((one): [string, string] => [`${place} ${one.long ?? one.flags}`, one.description]),
    ...command.commands.flatMap((inner) => helpTexts(inner, [...words, inner.name()])),
  ];
}

/** What is wrong with a help text: it is a sentence or a phrase of 100 characters, such as `Id of the key.` */
function helpFaults(text: string): string[] {
  return [
    ...(/^[A-Z]/.test(text) ? [] : ['begins without a capital letter']),
    ...(text.endsWith('.') ? [] : ['ends without a full stop']),
    ...(text.length <= 100 ? [] : [`has ${text.length} characters`]),
    ...languageFaults(text),
  ];
}

describe('the command line', () => {
  it('has the commands that people were promised', () => {
    const names = everyCommand().map((words) => words.join(' '));
    expect(names).toEqual(
      expect.arrayContaining([
        ...['demo', 'serve', 'work', 'migrate', 'doctor', 'status', 'import create', 'message send'],
        ...['project create', 'project list', 'project get', 'project update'],
        ...['key create', 'key list', 'key revoke', 'list create', 'list list', 'list get'],
        ...['subscriber upsert', 'subscriber get', 'subscriber list', 'subscriber unsubscribe', 'suppression create'],
        ...[
          'create',
          'list',
          'get',
          'preview',
          'check',
          'test',
          'launch',
          'pause',
          'resume',
          'cancel',
          'report',
          'recipients',
        ].map((name) => `campaign ${name}`),
      ]),
    );
  });

  it.each(everyCommand())('explains %s %s with an example that names it, without a database', async (...words) => {
    const named = words.filter((word) => word !== undefined);
    const { status, stdout, stderr } = await run([...named, '--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`Usage: pennypost ${named.join(' ')}`);
    expect(stdout.split(/Examples?:\n/)[1]).toContain(`pennypost ${named.join(' ')}`);
    expect(stdout).toContain('--json');
  });

  it('shows what there is when nothing is asked', async () => {
    const { status, stdout } = await run([]);
    expect(status).toBe(0);
    expect(stdout).toContain('Usage: pennypost');
    expect(stdout).toContain('Exit codes: 0 done');
  });

  it('shows what a group has when its command is missing, as a mistake', async () => {
    const { status, stdout, stderr } = await run(['campaign']);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('launch [options] <campaign>');
  });

  it('says its version', async () => {
    expect((await run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('help texts', () => {
  it('are short sentences that begin with a capital letter and end with a full stop', () => {
    const texts = helpTexts(filledProgram());
    expect(texts.length).toBeGreaterThan(150);
    expect(texts.map(([place, text]) => [place, helpFaults(text)]).filter(([, faults]) => faults?.length !== 0)).toEqual([]);
  });

  it.each([
    ['one content sent to many, once', 'begins without a capital letter'],
    ['Send it', 'ends without a full stop'],
    [`Send ${'a'.repeat(100)}.`, 'has 106 characters'],
    ['Send it again to those whom it did not reach.', '"whom": write the noun: recipients, subscribers, the caller'],
  ])('that break a rule are found: %s', (text, fault) => expect(helpFaults(text)).toContain(fault));
});

describe('a command line that is wrong', () => {
  it.each([
    ['an unknown command', ['campain'], "unknown command 'campain'. Did you mean campaign?"],
    ['an unknown option', ['status', '--fast'], "unknown option '--fast'"],
    ['a missing option', ['list', 'create'], "required option '--name <name>' not specified."],
    ['a missing argument', ['campaign', 'get'], "missing required argument 'campaign'."],
    ['too much', ['status', 'now'], "too many arguments for 'status'"],
    ['no number', ['demo', '--recipients', 'many'], '--recipients must be a whole number from 1 to 100,000, not "many".'],
    ['no lane', ['work', '--lanes', 'bulk,fast'], '--lanes: "fast" is not one of transactional, bulk, background.'],
  ])('says so in one line and ends with 2: %s', async (_name, words, message) => {
    const { status, stdout, stderr } = await run(words);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toContain(`error: ${message}`);
    expect(stderr).toContain('(input.invalid)');
  });

  it('says it as JSON when asked to', async () => {
    const { status, stdout, stderr } = await run(['list', 'create', '--json']);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 'input.invalid', kind: 'invalid', message: "required option '--name <name>' not specified. See --help." },
    });
  });

  it('is a fault of ours when something else fails, with the stack to report', async () => {
    const { status, stderr } = await run(['status']);
    expect(status).toBe(1);
    expect(stderr).toContain('error: An instance was opened. (internal.error)');
    expect(stderr).toMatch(/\n\s+at /);
  });
});
