import type { Command } from 'commander';
import type { Imports } from '../../application/application.ts';
import { type Cli, example, inProject, type PageOptions, paged, pageOf, resultPage } from './cli.ts';
import { type Display, renderFields, renderTable } from './table.ts';

type Import = Awaited<ReturnType<Imports['get']>>;

/** Past imports: what they read, and the rows that they rejected. */
export function importRecordCommands(group: Command, cli: Cli): void {
  const list = paged(group.command('list').description('List imports, newest first.')).action(async (options: PageOptions) => {
    await inProject(cli, async (application, project) =>
      resultPage(cli, await application.imports.list(project.id, pageOf(options)), importShown, (items) =>
        renderTable(
          [
            { title: 'Created', value: (one) => one.createdAt },
            { title: 'File', value: (one) => one.fileName },
            { title: 'State', value: (one) => one.state },
            { title: 'Rows', value: (one) => one.totals.rows },
            { title: 'Imported', value: (one) => one.totals.imported },
            { title: 'Rejected', value: (one) => one.totals.rejected },
            { title: 'Id', value: (one) => one.id },
          ],
          items,
          cli.output.display,
        ),
      ),
    );
  });
  example(list, 'pennypost import list');

  const get = group
    .command('get')
    .description('Show an import with its totals.')
    .argument('<import>', 'Id of the import.')
    .action(async (id: string) => {
      await inProject(cli, async (application, project) => {
        const found = await application.imports.get(project.id, id);
        cli.output.result(importShown(found), () => fieldsOf(found, cli.output.display));
      });
    });
  example(get, `pennypost import get ${EXAMPLE_ID}`);

  const rejections = paged(group.command('rejections').description('List the rows that an import rejected, by line.'))
    .argument('<import>', 'Id of the import.')
    .action(async (id: string, options: PageOptions) => {
      await inProject(cli, async (application, project) =>
        resultPage(
          cli,
          await application.imports.rejections(project.id, id, pageOf(options)),
          (row) => row,
          (items) =>
            renderTable(
              [
                { title: 'Line', value: (row) => row.line },
                { title: 'Not imported because', value: (row) => row.reason },
              ],
              items,
              cli.output.display,
            ),
        ),
      );
    });
  example(rejections, `pennypost import rejections ${EXAMPLE_ID}`);

  const csv = group
    .command('rejections-csv')
    .description('Print the rows that an import rejected as CSV, with line and reason.')
    .argument('<import>', 'Id of the import.')
    .action(async (id: string) => {
      await inProject(cli, async (application, project) => {
        for await (const part of application.imports.rejectionsCsv(project.id, id)) cli.output.raw(part);
      });
    });
  example(csv, `pennypost import rejections-csv ${EXAMPLE_ID} > rejected.csv`);
}

const EXAMPLE_ID = '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b';

/** With the names that the HTTP API gives. */
export function importShown(imported: Import & { readonly firstRejections?: unknown }) {
  const { projectId: _project, map: _map, consent: _consent, firstRejections: _rejections, ...shown } = imported;
  return shown;
}

const fieldsOf = (imported: Import, display: Display): string =>
  renderFields(
    [
      ['import', imported.id],
      ['file', imported.fileName],
      ['state', imported.state],
      ['failure', imported.failure],
      ['rows', imported.totals.rows],
      ['imported', imported.totals.imported],
      ['duplicates', imported.totals.duplicates],
      ['rejected', imported.totals.rejected],
      ['protected', imported.totals.protected],
      ['created', imported.createdAt],
      ['ended', imported.endedAt],
    ],
    display,
  );
