import type { Command } from 'commander';
import type { Application, DomainFacts, Project } from '../../application/application.ts';
import { type Cli, example, inProject, type PageOptions, paged, pageOf, resultPage } from './cli.ts';
import { EXIT } from './exit-codes.ts';
import { type Display, renderFields, renderTable } from './table.ts';

export function domainCommands(program: Command, cli: Cli): void {
  const domain = program.command('domain').description('Manage sending domains, their DKIM keys and DNS records.');

  const create = domain
    .command('create')
    .description('Add a sending domain. Prints the DNS records to set.')
    .argument('<name>', 'Domain name, such as news.example.com.')
    .action((name: string) =>
      told(
        cli,
        (application, project) => application.domains.create(project.id, { name }),
        (made, display) => `${fieldsOf(made, display)}\n\n${recordsOf(made)}\n\nThen run: pennypost domain check ${made.name}`,
      ),
    );
  example(create, 'pennypost domain create news.example.com');

  const list = paged(domain.command('list').description('List the sending domains of the project, oldest first.')).action(
    async (options: PageOptions) => {
      await inProject(cli, async (application, project) =>
        resultPage(
          cli,
          await application.domains.list(project.id, pageOf(options)),
          (item) => item,
          (items) =>
            renderTable(
              [
                { title: 'Domain', value: (one) => one.name },
                { title: 'Status', value: (one) => one.status },
                { title: 'Keys', value: (one) => one.keys.map(({ status }) => status).join(' ') },
                { title: 'Faults', value: (one) => one.findings.filter(({ level }) => level === 'fail').length },
                { title: 'Checked', value: (one) => one.checkedAt },
                { title: 'Id', value: (one) => one.id },
              ],
              items,
              cli.output.display,
            ),
        ),
      );
    },
  );
  example(list, 'pennypost domain list');

  const get = domain
    .command('get')
    .description('Show a sending domain: its keys, DNS records and the last check.')
    .argument('<domain>', 'Name or id of the domain.')
    .action((name: string) => told(cli, (application, project) => application.domains.get(project.id, name), wholeOf));
  example(get, 'pennypost domain get news.example.com');

  const check = domain
    .command('check')
    .description('Check DKIM, DMARC, SPF, MX and PTR records. Keys that are found begin to sign.')
    .argument('<domain>', 'Name or id of the domain.')
    .action((name: string) =>
      told(
        cli,
        async (application, project) => {
          const checked = await application.domains.check(project.id, name);
          if (checked.findings.some(({ level }) => level === 'fail')) cli.endWith(EXIT.conflict);
          return checked;
        },
        (checked, display) => `${fieldsOf(checked, display)}\n\n${findingsOf(checked)}`,
      ),
    );
  example(check, 'pennypost domain check news.example.com');

  const rotate = domain
    .command('rotate')
    .description('Create new DKIM keys. The present keys sign until the new ones are in the DNS.')
    .argument('<domain>', 'Name or id of the domain.')
    .action((name: string) =>
      told(
        cli,
        (application, project) => application.domains.rotate(project.id, name),
        (rotated, display) =>
          `${fieldsOf(rotated, display)}\n\n${recordsOf(rotated)}\n\nThen run: pennypost domain check ${rotated.name}`,
      ),
    );
  example(rotate, 'pennypost domain rotate news.example.com');

  const remove = domain
    .command('delete')
    .description('Delete a sending domain and its keys. Its mail is not signed any more.')
    .argument('<domain>', 'Name or id of the domain.')
    .action((name: string) =>
      told(
        cli,
        (application, project) => application.domains.delete(project.id, name),
        (deleted) => `${deleted.name} was deleted. Its DNS records may be removed in seven days.`,
      ),
    );
  example(remove, 'pennypost domain delete old.example.com');
}

/** One call and its answer. */
async function told(
  cli: Cli,
  call: (application: Application, project: Project) => Promise<DomainFacts>,
  text: (domain: DomainFacts, display: Display) => string,
): Promise<void> {
  await inProject(cli, async (application, project) => {
    const domain = await call(application, project);
    cli.output.result(domain, () => text(domain, cli.output.display));
  });
}

const fieldsOf = (domain: DomainFacts, display: Display): string =>
  renderFields(
    [
      ['domain', domain.name],
      ['id', domain.id],
      ['status', domain.status],
      ['verified', domain.verifiedAt],
      ['checked', domain.checkedAt],
      ...domain.keys.map((key): [string, string] => [`key ${key.selector}`, `${key.algorithm}, ${key.status}`]),
    ],
    display,
  );

/** Whole lines for a zone file: they are not cut to the width of the terminal. */
function recordsOf({ records }: DomainFacts): string {
  const lines = records.map(({ host, type, zoneValue, note }) => `; ${note}\n${host}. ${type} ${zoneValue}`);
  return `DNS records:\n${lines.join('\n')}`;
}

function findingsOf({ findings }: DomainFacts): string {
  if (findings.length === 0) return 'Not checked yet.';
  return findings
    .map(({ about, level, host, found, wanted, advice }) => {
      const lines = [`${level.toUpperCase()}  ${about.replace('_', ' ')}  ${host}`, `      found: ${found}`];
      if (level !== 'pass') lines.push(`      wanted: ${wanted}`);
      if (advice !== '') lines.push(`      to do: ${advice}`);
      return lines.join('\n');
    })
    .join('\n');
}

const wholeOf = (domain: DomainFacts, display: Display): string =>
  [fieldsOf(domain, display), recordsOf(domain), findingsOf(domain)].join('\n\n');
