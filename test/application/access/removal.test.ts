import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eraseTracesOf } from '../../../src/application/audience/erase-subscriber.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { CampaignWorld } from '../../support/campaign-world.ts';

let world: CampaignWorld;
beforeAll(async () => {
  world = await CampaignWorld.open({ stillTime: true });
});
afterAll(() => world.close());
beforeEach(() => world.project());

const DAY_MS = 86_400_000;
const now = () => world.instance.get(tokens.clock).now();
const request = (to: string | readonly string[]) => ({
  to,
  content: { kind: 'text', source: 'Hello {{ name }}', subject: 'Hello', author: { address: 'hello@news.example.com' } } as const,
  variables: { name: 'Ada' },
});
const send = (to: string) => world.application.messages.send(world.projectId, request(to));
/** As a worker leaves them: handed over, and accepted by the next hop. */
const handedOver = (id: string) =>
  world.sql(`update pennypost_delivery.transactional_message set state = 'submitted', next_attempt_at = null where id = $1`, [
    id,
  ]);
const contentOf = (id: string) =>
  world.sql('select recipient, content, variables, state from pennypost_delivery.transactional_message where id = $1', [id]);
const opened = (at: Date, subscriberId: string) =>
  world.sql(
    `insert into pennypost_tracking.event (project_id, at, last_at, id, kind, mailing_id, subscriber_id, method, user_agent, network)
     values ($1, $2, $2, gen_random_uuid(), 'open', gen_random_uuid(), $3, 'GET', 'Mail/1.0', '192.0.2.0/24')`,
    [world.projectId, at, subscriberId],
  );
const events = () =>
  world.sql<{ userAgent: string | null; network: string | null }>(
    'select user_agent as "userAgent", network from pennypost_tracking.event where project_id = $1 order by at',
    [world.projectId],
  );

describe('an erased subscriber', () => {
  it('is blanked in transactional messages, whose outcomes stay, and leaves no trace in events', async () => {
    const { subscribers, messages } = world.application;
    const { id } = await subscribers.upsert(world.projectId, { email: 'Ada@example.com' });
    const [sent, waiting, other] = [await send('ada@EXAMPLE.com'), await send('Ada@example.com'), await send('bo@example.com')];
    await handedOver(sent.id);
    await opened(now(), id);
    await subscribers.erase(world.projectId, 'ada@example.com');

    const blank = { recipient: '', content: {}, variables: {} };
    expect(await contentOf(sent.id)).toEqual([{ ...blank, state: 'submitted' }]);
    expect(await contentOf(waiting.id)).toEqual([{ ...blank, state: 'skipped' }]);
    expect(await contentOf(other.id)).toMatchObject([{ recipient: 'bo@example.com', variables: { name: 'Ada' } }]);
    expect(
      (await messages.list(world.projectId)).items
        .flatMap(({ recipients }) => recipients.map(({ address }) => address))
        .toSorted(),
    ).toEqual(['', '', 'bo@example.com']);
    expect(await world.instance.get(tokens.transactional).send(world.projectId, waiting.id)).toBeUndefined();

    const traces = { projectId: world.projectId, subscriberId: id };
    expect(await world.jobs('background.erase-traces')).toEqual([traces]);
    await eraseTracesOf(world.instance.get(tokens.work), traces.projectId, traces.subscriberId);
    expect(await events()).toEqual([{ userAgent: null, network: null }]);
  });

  it('is blanked in a message to several, whose files go and whose others are not mailed: its header named the address', async () => {
    const { messages } = world.application;
    await world.application.subscribers.upsert(world.projectId, { email: 'ada@example.com' });
    const file = { name: 'a.pdf', type: 'application/pdf', content: 'JVBERg==' };
    const { id } = await messages.send(world.projectId, {
      ...request(['bo@example.com', 'Ada Lee <ada@example.com>']),
      attachments: [file],
    });
    await world.application.subscribers.erase(world.projectId, 'ada@example.com');
    expect((await messages.get(world.projectId, id)).recipients).toMatchObject([
      { address: 'bo@example.com', state: 'skipped', reply: 'erased' },
      { address: '', name: undefined, state: 'skipped' },
    ]);
    expect(await world.sql('select from pennypost_delivery.attachment where message_id = $1', [id])).toEqual([]);
    expect(await contentOf(id)).toMatchObject([{ content: {}, variables: {} }]);
  });

  it('is skipped when a message was under way meanwhile and has to be sent again', async () => {
    await world.application.subscribers.upsert(world.projectId, { email: 'ada@example.com' });
    const message = await send('ada@example.com');
    await world.sql(`update pennypost_delivery.transactional_message set state = 'attempting', attempts = 1 where id = $1`, [
      message.id,
    ]);
    await world.application.subscribers.erase(world.projectId, 'ada@example.com');
    await world.sql(
      `update pennypost_delivery.transactional_message set state = 'deferred', next_attempt_at = accepted_at where id = $1`,
      [message.id],
    );
    await world.instance.get(tokens.transactional).send(world.projectId, message.id);
    expect(await contentOf(message.id)).toMatchObject([{ state: 'skipped', recipient: '' }]);
  });
});

describe('a project', () => {
  /** Rows that are left, by table. */
  async function rowsOf(projectId: string): Promise<Readonly<Record<string, number>>> {
    const tables = await world.sql<{ name: string }>(
      `select distinct table_schema || '.' || table_name as name from information_schema.columns
       where column_name = 'project_id' and table_schema like 'pennypost\\_%' and table_schema <> 'pennypost_jobs'`,
    );
    const left: Record<string, number> = {};
    for (const { name } of tables) {
      const [row] = await world.sql<{ count: number }>(`select count(*)::int as count from ${name} where project_id = $1`, [
        projectId,
      ]);
      if (row !== undefined && row.count > 0) left[name] = row.count;
    }
    return left;
  }

  it('is deleted with every row, and nothing of another', async () => {
    const other = world.projectId;
    await world.list(3);
    await send('bo@example.com');
    const rowsOfOther = await rowsOf(other);
    await world.project();
    const { projectId } = world;
    const list = await world.list(7);
    const campaign = await world.campaign({ lists: [list] });
    await world.application.campaigns.launch(projectId, campaign.id);
    await send('ada@example.com');
    await world.application.suppressions.create(projectId, 'x@example.com');
    await world.application.templates.create(projectId, { name: 'Receipt', content: CampaignWorld.content });
    const { secret } = await world.application.keys.create(projectId, { name: 'k', scopes: ['admin'] });
    await opened(now(), campaign.id);

    const { projects } = world.application;
    await expect(projects.delete(projectId)).rejects.toMatchObject({
      code: 'project.in_use',
      message: expect.stringMatching(/"Spring" \(sending, spring.*\); transactional messages that wait: 1\./),
    });
    expect(await projects.delete(projectId, { force: true, dryRun: true })).toMatchObject({ id: projectId });
    expect((await world.get(campaign.id)).state).toBe('sending');

    await projects.delete(projectId, { force: true });
    await expect(projects.get(projectId)).rejects.toMatchObject({ code: 'resource.not_found' });
    await expect(world.application.keys.authenticate(secret)).rejects.toMatchObject({ code: 'access.unauthenticated' });
    expect(await world.jobs('background.remove-project-rows')).toEqual([{ projectId }]);
    const removal = world.instance.get(tokens.deleteProject);
    await removal.removeRows(other);
    await removal.removeRows(projectId);
    await removal.removeRows(projectId);
    expect(await rowsOf(projectId)).toEqual({});
    expect(await world.sql('select id from pennypost_access.deleted_project')).toEqual([]);
    expect(await rowsOf(other)).toEqual(rowsOfOther);
  });

  it('keeps the instants of its schedules and the days that were counted when its time zone changes', async () => {
    const at = new Date(now().getTime() + DAY_MS);
    const campaign = await world.campaign({ lists: [await world.list(1)] });
    await world.application.campaigns.schedule(world.projectId, campaign.id, at);
    const analytics = world.instance.get(tokens.work);
    const count = async (timeZone: string) =>
      analytics.run((scope) =>
        scope.analytics.count(world.projectId, timeZone, [
          { subject: 'project', kind: 'submitted', at: new Date('2026-03-01T23:30:00Z') },
        ]),
      );
    await count('UTC');
    await world.application.projects.update(world.projectId, { timeZone: 'Asia/Tokyo' });
    await count('Asia/Tokyo');
    expect((await world.get(campaign.id)).scheduledAt).toEqual(at);
    const days = await world.application.projects.daily(world.projectId, { from: '2026-03-01', to: '2026-03-02' });
    expect(days.days.map(({ day, counts }) => [day, counts.submitted])).toEqual([
      ['2026-03-01', 1],
      ['2026-03-02', 1],
    ]);
  });

  it('keeps messages and events for as many days as it says', async () => {
    await world.application.projects.update(world.projectId, { keepMessagesDays: 30, keepEventsDays: 60 });
    const old = await send('old@example.com');
    const waiting = await send('waiting@example.com');
    await handedOver(old.id);
    await opened(now(), world.projectId);
    const retention = world.instance.get(tokens.retention);
    await world.instance.pass(31 * DAY_MS);
    const recent = await send('recent@example.com');
    await handedOver(recent.id);
    await opened(now(), world.projectId);
    await retention.run();
    expect(await contentOf(old.id)).toEqual([{ recipient: 'old@example.com', content: {}, variables: {}, state: 'submitted' }]);
    expect(await contentOf(waiting.id)).toMatchObject([{ variables: { name: 'Ada' } }]);
    expect(await contentOf(recent.id)).toMatchObject([{ variables: { name: 'Ada' } }]);
    expect(await events()).toHaveLength(2);
    await world.instance.pass(30 * DAY_MS);
    await retention.run();
    expect(await events()).toHaveLength(1);
  });

  it.each([0, 1.5, 3_651, Number.NaN])('refuses to keep messages for %s days', async (keepMessagesDays) => {
    await expect(world.application.projects.update(world.projectId, { keepMessagesDays })).rejects.toMatchObject({
      code: 'input.invalid',
    });
  });
});
