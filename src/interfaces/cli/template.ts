import type { Command } from 'commander';
import type { Template } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { type Cli, example, inProject, type PageOptions, paged, pageOf, resultPage } from './cli.ts';
import { readContent } from './read-content.ts';
import { renderFields, renderTable } from './table.ts';

export function templateCommands(program: Command, cli: Cli): void {
  const template = program.command('template').description('Manage stored content for transactional messages and campaigns.');

  const create = template
    .command('create')
    .description('Store the content of a file as a template.')
    .requiredOption('--name <name>', 'Name of the template.')
    .requiredOption('--file <file>', 'Content file with front matter (subject, author), or - for standard input.')
    .option('--slug <slug>', 'Short name for programs. Default: made from the name.')
    .action(async (options: { name: string; file: string; slug?: string }) => {
      const { content } = await readContent(cli, options.file);
      await inProject(cli, async (application, project) =>
        shown(cli, await application.templates.create(project.id, { name: options.name, content, slug: options.slug })),
      );
    });
  example(create, 'pennypost template create --name Receipt --file receipt.mjml');

  const list = paged(template.command('list').description('List templates.')).action(async (options: PageOptions) => {
    await inProject(cli, async (application, project) =>
      resultPage(
        cli,
        await application.templates.list(project.id, pageOf(options)),
        (one) => one,
        (items) =>
          renderTable(
            [
              { title: 'Name', value: (one) => one.name },
              { title: 'Slug', value: (one) => one.slug },
              { title: 'Kind', value: (one) => one.kind },
              { title: 'Subject', value: (one) => one.subject },
              { title: 'Changed', value: (one) => one.updatedAt },
              { title: 'Id', value: (one) => one.id },
            ],
            items,
            cli.output.display,
          ),
      ),
    );
  });
  example(list, 'pennypost template list');

  const get = template
    .command('get')
    .description('Show a template with its content.')
    .argument('<template>', 'Id, slug or name of the template.')
    .action(async (id: string) => {
      await inProject(cli, async (application, project) => shown(cli, await application.templates.get(project.id, id)));
    });
  example(get, `pennypost template get ${EXAMPLE_ID}`);

  const update = template
    .command('update')
    .description('Change the name or the content of a template.')
    .argument('<template>', 'Id, slug or name of the template.')
    .option('--name <name>', 'New name.')
    .option('--file <file>', 'File with the new content, or - for standard input.')
    .action(async (id: string, options: { name?: string; file?: string }) => {
      if (options.name === undefined && options.file === undefined)
        throw new InvalidInput('Nothing to change. Give --name or --file.');
      const content = options.file === undefined ? undefined : (await readContent(cli, options.file)).content;
      await inProject(cli, async (application, project) =>
        shown(cli, await application.templates.update(project.id, id, { name: options.name, content })),
      );
    });
  example(update, `pennypost template update ${EXAMPLE_ID} --file receipt.mjml`);

  const remove = template
    .command('delete')
    .description('Delete a template. Messages that were accepted with it are still sent.')
    .argument('<template>', 'Id, slug or name of the template.')
    .action(async (wanted: string) => {
      await inProject(cli, async (application, project) => {
        const { id, name } = await application.templates.delete(project.id, wanted);
        cli.output.result({ id, deleted: true }, () => `The template "${name}" is deleted.`);
      });
    });
  example(remove, `pennypost template delete ${EXAMPLE_ID}`);
}

const EXAMPLE_ID = '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b';

function shown(cli: Cli, template: Template): void {
  cli.output.result(template, () =>
    [
      renderFields(
        [
          ['template', template.name],
          ['slug', template.slug],
          ['id', template.id],
          ['kind', template.content.kind],
          ['subject', template.content.subject],
          ['author', template.content.author.address],
          ['created', template.createdAt],
          ['changed', template.updatedAt],
        ],
        cli.output.display,
      ),
      '',
      template.content.source,
    ].join('\n'),
  );
}
