import { afterEach, describe, expect, it } from 'vitest';
import type { LedgerRow, Pennypost, PennypostOptions, RecipientDataFunction } from '../../../src/interfaces/npm/index.ts';
import { ADA_AND_BO, draft, reaches } from './campaigns.ts';
import { type Host, openHost } from './host.ts';

describe('data of the host for recipients of a campaign', () => {
  let host: Host;
  afterEach(() => host.close());

  /** Launches a campaign to Ada and Bo and waits until everybody has a first outcome. */
  const launched = async (recipientData: RecipientDataFunction, options: PennypostOptions = {}) => {
    host = await openHost({ recipientData, ...options });
    const { pennypost } = host;
    await pennypost.start();
    const { projectId, campaignId } = await draft(pennypost, ADA_AND_BO, { subject: '{{ first_name }}: {{ seats }}' });
    await pennypost.project(projectId).campaigns.launch(campaignId);
    await reaches(pennypost, projectId, campaignId, 'submitted');
    return { pennypost, projectId, campaignId };
  };
  const subjects = ({ inbox }: Pennypost): readonly string[] =>
    (inbox?.list({}).items ?? []).map(({ subject }) => subject).sort();
  const ledger = async (run: Awaited<ReturnType<typeof launched>>): Promise<readonly LedgerRow[]> =>
    (await run.pennypost.project(run.projectId).campaigns.recipients(run.campaignId, {})).items;

  it('stands over their attributes, and is not kept', async () => {
    const asked: { campaign: object; ids: readonly string[] }[] = [];
    let boId = '';
    const run = await launched(async (campaign, ids) => {
      asked.push({ campaign, ids });
      boId = (await host.pennypost.project(campaign.projectId).subscribers.get('bo@example.net')).id;
      return new Map([[boId, { first_name: 'Bodil', seats: 3 }]]);
    });
    expect(asked[0]?.campaign).toEqual({ projectId: run.projectId, id: run.campaignId });
    expect(asked[0]?.ids).toHaveLength(2);
    expect(subjects(run.pennypost)).toEqual(['Ada: no seats', 'Bodil: 3']);
    expect((await run.pennypost.project(run.projectId).subscribers.get(boId)).attributes).toEqual({ first_name: 'Bo' });
  });

  const failures: readonly [string, RecipientDataFunction, string][] = [
    ['is refused', () => Promise.reject(new Error('the shop is closed')), 'recipient data: the shop is closed'],
    [
      'fails at once',
      () => {
        throw new Error('no shop');
      },
      'recipient data: no shop',
    ],
    ['does not come in time', () => new Promise(() => undefined), 'recipient data: no answer within 100 ms'],
    [
      'is no Map',
      async () => ({}) as ReadonlyMap<string, object>,
      'recipient data: recipientData must resolve to a Map from subscriber id to an object',
    ],
    [
      'holds something else than objects',
      async (_, ids) => new Map(ids.map((id) => [id, 5 as unknown as object])),
      'recipient data: recipientData returned no object for ',
    ],
  ];
  it.each(failures)('defers the whole page with the reason when it %s', async (_, recipientData, reason) => {
    const run = await launched(recipientData, { recipientDataTimeoutMs: 100 });
    const rows = await ledger(run);
    expect(rows.map(({ state }) => state)).toEqual(['deferred', 'deferred']);
    for (const row of rows) expect(row.reply).toContain(reason);
    expect(run.pennypost.inbox?.received()).toBe(0);
  });
});

describe('a host that takes its time', () => {
  it.each([
    ['is waited for, though facts about people are never older than three seconds', 3_500, 'submitted'],
    ['defers the page after five seconds', 60_000, 'deferred'],
  ])('%s', async (_, takesMs, state) => {
    let asked = 0;
    const host = await openHost({
      recipientData: (__, ids) =>
        new Promise((resolve) => {
          asked += 1;
          setTimeout(resolve, takesMs, new Map(ids.map((id) => [id, { seats: 2 }]))).unref();
        }),
    });
    try {
      await host.pennypost.start();
      const { projectId, campaignId } = await draft(host.pennypost);
      await host.pennypost.project(projectId).campaigns.launch(campaignId);
      await reaches(host.pennypost, projectId, campaignId, 'submitted');
      const { states } = await host.pennypost.project(projectId).campaigns.report(campaignId);
      expect({ asked, ...states }).toMatchObject({ asked: 1, [state]: 2 });
    } finally {
      await host.close();
    }
  });
});
