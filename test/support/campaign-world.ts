import type { Application, WrittenCampaign } from '../../src/application/application.ts';
import type { CampaignInput, ContentInput, FrozenContent } from '../../src/domain/campaign/index.ts';
import type { Run } from '../../src/domain/delivery/index.ts';
import { tokens } from '../../src/infrastructure/container.ts';
import type { OpenOptions } from '../../src/infrastructure/open.ts';
import { inTransaction } from '../../src/infrastructure/postgres/session.ts';
import { anAudience } from './audiences.ts';
import { openTestInstance, type TestInstance } from './instance.ts';

/** A whole instance with what specifications of campaigns set up: a project, lists of people, campaigns. */
export class CampaignWorld {
  static readonly content: ContentInput = {
    kind: 'html',
    source: '<p>Hello, <a href="https://example.com/offer">look</a></p>',
    subject: 'Hello',
    author: { address: 'hello@news.example.com' },
  };

  readonly instance: TestInstance;
  readonly application: Application;
  projectId = '';
  #made = 0;

  private constructor(instance: TestInstance) {
    this.instance = instance;
    this.application = instance.application;
  }

  static async open(options: Partial<Omit<OpenOptions, 'config'>> & { stillTime?: boolean } = {}): Promise<CampaignWorld> {
    return new CampaignWorld(await openTestInstance(options));
  }

  static over(instance: TestInstance): CampaignWorld {
    return new CampaignWorld(instance);
  }

  close(): Promise<void> {
    return this.instance.close();
  }

  /** A fresh project, and no job of an earlier specification. */
  async project(): Promise<void> {
    this.#made += 1;
    const name = `World ${this.#made}`;
    const project = await this.application.projects.create({
      name,
      senderDomain: 'news.example.com',
      postalAddress: '1 Road, Town',
    });
    this.projectId = project.id;
    await this.sql('delete from pennypost_jobs.job where state = $1', ['created']);
  }

  sql<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return inTransaction(this.instance.get(tokens.orm), (session) => session.sql.query<Row>(text, values));
  }

  /** A list with so many confirmed people of its own. */
  async list(people: number): Promise<string> {
    this.#made += 1;
    const list = await this.application.lists.create(this.projectId, { name: `List ${this.#made}` });
    const rows = Array.from({ length: people }, (_, index) => `p${index}-${this.#made}@example.net\r\n`);
    const csv = Buffer.from(`email\r\n${rows.join('')}`);
    const bytes = async function* () {
      yield csv;
    };
    if (people > 0) await this.application.imports.create(this.projectId, bytes(), { lists: [list.id] });
    return list.id;
  }

  async peopleOf(listId: string): Promise<string[]> {
    const rows = await this.sql<{ id: string }>(
      'select subscriber_id as id from pennypost_audience.subscription where project_id = $1 and list_id = $2 order by 1',
      [this.projectId, listId],
    );
    return rows.map((row) => row.id);
  }

  async join(subscriberId: string, listId: string): Promise<void> {
    await this.application.subscribers.subscribe(this.projectId, subscriberId, listId);
  }

  async addressOf(subscriberId: string): Promise<string> {
    return (await this.application.subscribers.get(this.projectId, subscriberId)).address ?? '';
  }

  /** A campaign to these lists, by id or slug. */
  campaign({
    lists,
    excludeLists,
    ...given
  }: Partial<CampaignInput> & {
    readonly lists: readonly string[];
    readonly excludeLists?: readonly string[];
  }): Promise<WrittenCampaign> {
    return this.application.campaigns.create(this.projectId, {
      name: 'Spring',
      content: CampaignWorld.content,
      audience: anAudience(lists, excludeLists),
      ...given,
    });
  }

  get(campaignId: string): Promise<WrittenCampaign> {
    return this.application.campaigns.get(this.projectId, campaignId);
  }

  /** Ids of a launched campaign's mailings. */
  async mailings(campaignId: string): Promise<string[]> {
    const found = await this.instance.get(tokens.work).run((scope) => scope.campaign.mailings.of(this.projectId, campaignId));
    return found.map(({ mailingId }) => mailingId);
  }

  /** Of a campaign with one. */
  async mailing(campaignId: string): Promise<string> {
    const [mailingId, ...others] = await this.mailings(campaignId);
    if (mailingId === undefined || others.length > 0) throw new Error(`Campaign ${campaignId} has not one mailing.`);
    return mailingId;
  }

  async frozen(campaignId: string): Promise<FrozenContent> {
    const mailingId = await this.mailing(campaignId);
    return this.instance.get(tokens.work).run((scope) => scope.campaign.mailings.frozen(this.projectId, mailingId));
  }

  async runs(campaignId: string): Promise<readonly Run[]> {
    const [mailingId] = await this.mailings(campaignId);
    if (mailingId === undefined) return [];
    return this.instance.get(tokens.work).run((scope) => scope.delivery.runs.of(this.projectId, mailingId));
  }

  async shards(
    campaignId: string,
  ): Promise<{ run: number; number: number; size: number; recipients: string[]; state: string; owner: string | null }[]> {
    return this.sql(
      'select run, number, size, recipients, state, owner from pennypost_delivery.shard where mailing_id = any($1::uuid[]) order by run, number',
      [await this.mailings(campaignId)],
    );
  }

  async jobs(name: string): Promise<unknown[]> {
    const rows = await this.sql<{ data: unknown }>(
      `select data from pennypost_jobs.job where name = $1 and state = 'created' order by created_on`,
      [name],
    );
    return rows.map((row) => row.data);
  }
}
