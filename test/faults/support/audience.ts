import { randomBytes } from 'node:crypto';
import type { Application, Campaign, ContentInput } from '../../../src/application/application.ts';
import type { LedgerRow } from '../../../src/domain/delivery/index.ts';
import type { Id } from '../../../src/domain/shared/ids.ts';

export const LETTER: ContentInput = {
  kind: 'html',
  source: '<html><body><p>Hello {{ first_name }},</p><p><a href="https://example.com/offer">look at this</a>.</p></body></html>',
  subject: 'Hello {{ first_name }}',
  author: { address: 'hello@news.example.com' },
  defaults: { first_name: 'friend' },
};

export interface Audience {
  readonly projectId: Id;
  readonly listId: Id;
  readonly addresses: readonly string[];
}

/** A project with one list of these people. @param names of attributes, with a value for each address by its index */
export async function invite(
  application: Application,
  addresses: readonly string[],
  attributes: Readonly<Record<string, (index: number) => string>> = {},
): Promise<Audience> {
  const project = await application.projects.create({
    name: `Faults ${randomBytes(4).toString('hex')}`,
    senderDomain: 'news.example.com',
    postalAddress: '1 Road, Town',
  });
  const list = await application.lists.create(project.id, { name: 'Everybody' });
  const names = Object.keys(attributes);
  const rows = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from(`${['email', ...names].join(',')}\r\n`);
    for (const [index, address] of addresses.entries())
      yield Buffer.from(`${[address, ...names.map((name) => attributes[name]?.(index))].join(',')}\r\n`);
  };
  await application.imports.create(project.id, rows(), { lists: [list.id] });
  return { projectId: project.id, listId: list.id, addresses };
}

/** A campaign to them, launched. */
export async function launch(application: Application, audience: Audience, content: ContentInput = LETTER): Promise<Campaign> {
  const { projectId, listId } = audience;
  const campaign = await application.campaigns.create(projectId, {
    name: 'Letter',
    audience: { include: [{ list: listId }] },
    content,
  });
  return application.campaigns.launch(projectId, campaign.id);
}

/** The whole ledger of a campaign, by address. */
export async function ledgerOf(application: Application, projectId: Id, campaignId: Id): Promise<ReadonlyMap<string, LedgerRow>> {
  const addresses = new Map<Id, string>();
  for (let after: string | undefined, more = true; more; ) {
    const page = await application.subscribers.list(projectId, { limit: 500, after });
    for (const { id, address } of page.items) addresses.set(id, address ?? `(erased) ${id}`);
    after = page.next;
    more = page.next !== undefined;
  }
  const ledger = new Map<string, LedgerRow>();
  for (let after: string | undefined, more = true; more; ) {
    const page = await application.campaigns.recipients(projectId, campaignId, { limit: 500, after });
    for (const row of page.items) ledger.set(addresses.get(row.subscriberId) ?? row.subscriberId, row);
    after = page.next;
    more = page.next !== undefined;
  }
  return ledger;
}
