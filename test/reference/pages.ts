import { Command } from 'commander';
import { SETTINGS, type Setting } from '../../src/infrastructure/known-settings.ts';
import { EXIT_CODES } from '../../src/interfaces/cli/exit-codes.ts';
import { fill } from '../../src/interfaces/cli/program.ts';
import { ERROR_KINDS, ERROR_SECTIONS, ERRORS_INTRODUCTION } from '../../src/interfaces/http/error-catalogue/index.ts';

/** Reference pages by their path, made from the declarations in `src`. `npm run docs` writes them, a test compares them. */
export const referencePages = (): Readonly<Record<string, string>> => ({
  'docs/reference/cli.md': commandLinePage(filledProgram()),
  'docs/reference/settings.md': settingsPage(Object.values(SETTINGS)),
  'docs/reference/errors.md': errorsPage(),
});

/** The whole command line. Its actions are never run, so that nothing needs to be there to run them. */
export function filledProgram(): Command {
  const program = new Command('pennypost');
  fill(program, { projectWish: () => undefined } as Parameters<typeof fill>[1]);
  return program;
}

const generated = (source: string): string => `<!-- Generated from ${source} by \`npm run docs\`. Do not edit. -->`;

const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [row(...head), `|${'---|'.repeat(head.length)}`, ...rows.map((cells) => row(...cells))].join('\n');

/** Angle brackets would be read as HTML tags outside of code spans, bars as the end of a cell. */
const plain = (text: string): string => text.replaceAll('<', '&lt;').replaceAll('|', '\\|').replaceAll('*', '\\*');

function commandLinePage(program: Command): string {
  const groups = program.commands.map((command) =>
    command.commands.length === 0
      ? commandSection(command, '##')
      : [
          `## ${nameOf(command)}\n${plain(command.description())}`,
          ...command.commands.map((inner) => commandSection(inner, '###')),
        ].join('\n\n'),
  );
  return `${[
    '# Command line',
    generated('the commands in src/interfaces/cli'),
    'Every command, its arguments and its options. `pennypost <command> --help` prints the same. [Get started](../get-started.md) shows how to run `pennypost`.',
    '```\npennypost list create --name "Harbour letter"\npennypost campaign list --state sending --json\n```',
    table(
      ['command', 'purpose'],
      leavesOf(program).map((command) => [
        `[\`${nameOf(command)}\`](#${nameOf(command).replaceAll(' ', '-')})`,
        plain(command.description()),
      ]),
    ),
    `## Options of every command\n${optionTable(program)}`,
    `## Exit codes\n${table(
      ['code', 'name', 'meaning'],
      [
        ...EXIT_CODES.map(({ code, name, meaning }): (string | number)[] => [code, name, meaning]),
        ['130, 143', 'interrupted', 'Ctrl-C or SIGTERM ended the command before it was done.'],
      ],
    )}`,
    ...groups,
  ].join('\n\n')}\n`;
}

const leavesOf = (command: Command): readonly Command[] =>
  command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);

const nameOf = (command: Command): string => `${command.parent === null ? '' : `${nameOf(command.parent)} `}${command.name()}`;

function commandSection(command: Command, heading: string): string {
  const parts = [
    `${heading} ${nameOf(command)}\n${plain(command.description())}`,
    fence(`${nameOf(command)} ${command.usage()}`),
  ];
  if (command.registeredArguments.length > 0)
    parts.push(
      table(
        ['argument', 'meaning'],
        command.registeredArguments.map((one) => [`\`<${one.name()}>\``, plain(one.description)]),
      ),
    );
  if (command.options.some(({ hidden }) => !hidden)) parts.push(optionTable(command));
  const examples = examplesOf(command);
  if (examples !== '') parts.push(fence(examples));
  return parts.join('\n\n');
}

const fence = (text: string): string => `\`\`\`\n${text}\n\`\`\``;

const optionTable = (command: Command): string =>
  table(
    ['option', 'meaning'],
    command.options
      .filter(({ hidden }) => !hidden)
      .map(({ flags, description, argChoices, defaultValue, mandatory }) => [
        `\`${flags}\``,
        [
          plain(description),
          argChoices === undefined ? '' : `One of ${argChoices.map((one) => `\`${one}\``).join(', ')}.`,
          mandatory ? 'Required.' : '',
          defaultValue === undefined ? '' : `Default: \`${String(defaultValue)}\`.`,
        ]
          .filter((part) => part !== '')
          .join(' '),
      ]),
  );

/** The lines under `Example:` that `--help` prints, without the prompt. */
function examplesOf(command: Command): string {
  const help: string[] = [];
  command.configureOutput({ writeOut: (text) => void help.push(text) });
  command.outputHelp();
  return [...(help.join('').split(/^Examples?:$/m)[1] ?? '').matchAll(/^ {2}\$ (.*)$/gm)].map((match) => match[1]).join('\n');
}

function settingsPage(settings: readonly Setting[]): string {
  const sections = settings.map(({ name, fallback, unset, range, values, unit, example, meaning, page }) => {
    const facts = [
      `Default: ${fallback === undefined ? (unset ?? '') : `\`${fallback}\``}`,
      ...(range === undefined
        ? []
        : [`Range: ${range.map((end) => end.toLocaleString('en-US')).join(' to ')}${unit ? ` ${unit}` : ''}`]),
      ...(values === undefined ? [] : [`Values: ${values.map((one) => `\`${one}\``).join(', ')}`]),
      `Example: ${example.includes('`') ? example : `\`${example}\``}`,
    ];
    const more = page === undefined ? '' : ` See [${page}](../${page}).`;
    return `## ${name}\n${meaning}${more}\n\n${facts.map((fact) => `- ${fact}`).join('\n')}`;
  });
  return `${[
    '# Settings',
    generated('src/infrastructure/known-settings.ts'),
    'Settings are environment variables. A process reads them once, at its start. `pennypost doctor` checks them and reports variables that are misspelled.',
    fence(
      "export PENNYPOST_SMTP_URL='smtp://user:password@smtp.example.com:587'\nexport PENNYPOST_PUBLIC_URL='https://mail.example.com'\npennypost doctor",
    ),
    table(
      ['setting', 'default', 'meaning'],
      settings.map(({ name, fallback, unset, meaning }) => [
        `[\`${name}\`](#${name.toLowerCase()})`,
        fallback === undefined ? (unset ?? '') : `\`${fallback}\``,
        meaning.split('. ')[0]!.replace(/\.?$/, '.'),
      ]),
    ),
    ...sections,
  ].join('\n\n')}\n`;
}

function errorsPage(): string {
  const sections = ERROR_SECTIONS.map(({ title, about, errors }) =>
    [
      `## ${title}`,
      ...(about === undefined ? [] : [about]),
      table(
        ['code', 'kind', 'meaning', 'what to do'],
        Object.entries(errors).map(([code, { kind, meaning, remedy }]) => [
          `<a id="${code}"></a>\`${code}\``,
          kind,
          meaning,
          remedy,
        ]),
      ),
    ].join('\n\n'),
  );
  return `${[
    '# Errors',
    generated('src/interfaces/http/error-catalogue'),
    ERRORS_INTRODUCTION,
    fence('$ pennypost list get nowhere\nerror: There is no list nowhere in this project. (resource.not_found)\n$ echo $?\n3'),
    table(
      ['kind', 'HTTP status', 'exit code', 'what the caller can do'],
      ERROR_KINDS.map(({ kind, status, exitCode, advice }) => [kind, status, exitCode, advice]),
    ),
    'A status of 429 or 503 comes with `Retry-After`. Other failures are internal faults: status 500, exit code 1.',
    ...sections,
  ].join('\n\n')}\n`;
}
