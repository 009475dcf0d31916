import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import type { Application } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { type Cli, choice, example, gather, inProject, type Project, pairs } from './cli.ts';
import { EXIT } from './exit-codes.ts';
import { importRecordCommands, importShown } from './import-records.ts';
import { interruptible } from './interruption.ts';
import { type OutputFile, withOutputFile } from './output-file.ts';
import { Progress } from './progress.ts';
import { renderFields, renderTable } from './table.ts';
import { formatCounted } from './text.ts';

interface ImportOptions {
  readonly list?: readonly string[];
  readonly as?: string;
  readonly map?: readonly string[];
  readonly dryRun?: boolean;
  readonly consentSource?: string;
  readonly consentText?: string;
  readonly rejected?: string;
  readonly format?: string;
  readonly encoding?: string;
  readonly delimiter?: string;
}

type Imported = Awaited<ReturnType<Application['imports']['create']>>;

export function importCommands(program: Command, cli: Cli): void {
  const group = program.command('import').description('Import subscribers from files, and show past imports.');
  const create = group
    .command('create', { isDefault: true })
    .description('Import subscribers from a CSV or JSON Lines file.')
    .argument('<file>', 'File to read, or - for standard input.')
    .option('--list <list>', 'Id or slug of a list to subscribe all subscribers in the file to. May be repeated.', gather)
    .addOption(
      choice('--as <state>', 'How to import subscribers that unsubscribed, bounced or complained elsewhere.', [
        'stated',
        'unsubscribed',
        'suppressed',
        'subscribed',
      ]),
    )
    .option(
      '--map <column=name>',
      'Meaning of a column (name, or position from 1): a field, an attribute, or - to ignore it.',
      gather,
    )
    .option('--dry-run', 'Validate the file and report; change nothing.')
    .option('--consent-source <text>', 'Where all subscribers in the file agreed. Also confirms them on double opt-in lists.')
    .option('--consent-text <text>', 'Wording of the consent.')
    .option('--rejected <file>', 'Write rejected rows to this file as CSV, with line and reason.')
    .addOption(choice('--format <format>', 'Format of the file. Default: detected.', ['csv', 'jsonl']))
    .option('--encoding <label>', 'Encoding, such as windows-1252 or macintosh. Default: detected.')
    .option('--delimiter <character>', 'Column delimiter: one character, or tab. Default: detected.')
    .action(async (file: string, options: ImportOptions) => {
      await withOutputFile(options.rejected, '--rejected', [file], (rejected) =>
        inProject(cli, (application, project) => importFile(cli, application, project, file, options, rejected)),
      );
    });
  example(
    create,
    'pennypost import create people.csv --list harbour-letter --consent-source "trade fair 2026, signed sheets"',
    'gunzip -c export.jsonl.gz | pennypost import - --list harbour-letter --dry-run --rejected rejected.csv',
  );
  importRecordCommands(group, cli);
}

async function importFile(
  cli: Cli,
  application: Application,
  project: Project,
  file: string,
  options: ImportOptions,
  rejectedFile: OutputFile | undefined,
): Promise<void> {
  if (options.consentText !== undefined && options.consentSource === undefined)
    throw new InvalidInput('--consent-text needs --consent-source, which says where the subscribers agreed.');
  const lists = options.list ?? [];
  if (lists.length === 0 && options.dryRun !== true && (options.as === undefined || options.as === 'subscribed'))
    cli.output.warn('no --list is given: these subscribers join no list, and no campaign reaches them.');
  const source = await sourceOf(cli, file, options.dryRun === true);
  const progress = new Progress({
    stream: cli.output.progressStream,
    clock: cli.clock,
    label: options.dryRun === true ? 'dry run' : 'import',
  });
  const imported = await application.imports
    .create(
      project.id,
      source.bytes,
      {
        lists,
        as: wayOf(options.as),
        map: pairs(options.map ?? [], '--map'),
        dryRun: options.dryRun,
        consent: options.consentSource === undefined ? undefined : { source: options.consentSource, text: options.consentText },
        fileName: file === '-' ? undefined : basename(file),
        format: formatOf(options.format),
        encoding: options.encoding,
        delimiter: options.delimiter,
      },
      ({ rows, rejected, bytes }) => {
        const part =
          source.size === undefined ? '' : `${Math.min(100, Math.round((bytes / Math.max(source.size, 1)) * 100))} % of the file`;
        progress.update(rows, {
          note: [part, rejected === 0 ? '' : `${rejected} rejected`].filter((text) => text !== '').join(', '),
        });
      },
    )
    .finally(() => progress.finish());
  cli.interruption.heed('The file was imported.');
  await rejectedFile?.write(application.imports.rejectionsCsv(project.id, imported.id));
  tell(cli, imported, options.rejected);
  const { rows, rejected } = imported.totals;
  if (rows === 0 || rejected < rows) return;
  cli.output.warn('no row could be imported. Check that this is the right file; name its columns with --map.');
  cli.endWith(EXIT.usage);
}

function tell(cli: Cli, imported: Imported, rejectedFile: string | undefined): void {
  const { totals } = imported;
  for (const warning of imported.warnings) cli.output.warn(warningText(warning));
  const items = imported.firstRejections;
  cli.output.result(importShown(imported), () => {
    const figures = renderFields([
      [imported.dryRun ? 'dry run' : 'import', imported.id],
      ['rows', totals.rows],
      [
        'imported',
        `${totals.imported.toLocaleString('en-US')} (${totals.created.toLocaleString('en-US')} new, ${totals.updated.toLocaleString('en-US')} known)`,
      ],
      ['duplicates', totals.duplicates],
      ['rejected', totals.rejected],
      ['protected', totals.protected],
      ['encoding', imported.encoding],
      ['as', imported.as],
    ]);
    if (items.length === 0) return figures;
    const table = renderTable(
      [
        { title: 'Line', value: (row) => row.line },
        { title: 'Not imported because', value: (row) => row.reason },
      ],
      items,
      cli.output.display,
    );
    const rest = totals.rejected - items.length;
    const more = rest > 0 ? [`... and ${rest.toLocaleString('en-US')} more.`] : [];
    const where =
      rejectedFile === undefined
        ? 'Write all of them to a file: --rejected rejected.csv'
        : `All rejected rows with their cells: ${rejectedFile}`;
    return [figures, '', table, ...more, where].join('\n');
  });
}

function warningText({ column, message, rows, line }: Imported['warnings'][number]): string {
  const where = column === null ? '' : `column "${column}": `;
  const which = rows === null ? '' : ` (${formatCounted(rows, 'row', 'rows')}, ${rows === 1 ? 'on' : 'first on'} line ${line})`;
  return `${where}${message}${which}`;
}

interface Source {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Undefined for a pipe. */
  readonly size: number | undefined;
}

async function sourceOf(cli: Cli, file: string, dryRun: boolean): Promise<Source> {
  // Ctrl-C stops reading the file. The import is then recorded as failed and changes no subscriber.
  const signal = cli.interruption.heed(
    dryRun ? 'A dry run changes nothing.' : 'No subscriber was changed; the import is recorded as failed. Run it again.',
  );
  if (file === '-') return { bytes: interruptible(cli.stdin, signal), size: undefined };
  try {
    const found = await stat(file);
    if (found.isDirectory()) throw new InvalidInput(`${file} is a directory. Name a file.`);
    return { bytes: interruptible(createReadStream(file), signal), size: found.isFile() ? found.size : undefined };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw new InvalidInput(`There is no file ${file}.`);
    throw error;
  }
}

function wayOf(text: string | undefined): NonNullable<Imported['as']> | undefined {
  if (text === undefined || text === 'subscribed' || text === 'unsubscribed' || text === 'suppressed' || text === 'stated')
    return text;
  throw new InvalidInput('--as must be subscribed, unsubscribed, suppressed or stated.');
}

function formatOf(text: string | undefined): 'csv' | 'jsonl' | undefined {
  if (text === undefined || text === 'csv' || text === 'jsonl') return text;
  throw new InvalidInput('--format must be csv or jsonl.');
}
