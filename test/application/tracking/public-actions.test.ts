import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { issueLinkToken, issueTransactionalTokens, MessageTokens } from '../../../src/domain/tracking/index.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { anAudience } from '../../support/audiences.ts';
import { CampaignWorld } from '../../support/campaign-world.ts';

const REQUEST = {
  method: 'POST',
  userAgent: 'Mozilla/5.0',
  ip: '203.0.113.7',
  secFetchSite: undefined,
  secFetchMode: undefined,
  secFetchDest: undefined,
  purpose: undefined,
};

let world: CampaignWorld;
beforeAll(async () => {
  world = await CampaignWorld.open();
});
afterAll(() => world.close());
beforeEach(() => world.project());

const recipients = () => world.application.recipients;

function tokensOf(mailingId: string, subscriberId: string) {
  const keys = world.instance.get(tokens.keys);
  const key = keys.tokenKey(world.projectId, keys.keyId)!;
  return new MessageTokens({ projectId: world.projectId, mailingId, key, keyId: keys.keyId }).issue(subscriberId);
}

/** A campaign to so many lists, and somebody who is on the first of them. */
async function mailed(lists = 1) {
  const listIds = [await world.list(1)];
  while (listIds.length < lists) listIds.push(await world.list(0));
  const [subscriberId = ''] = await world.peopleOf(listIds[0]!);
  const { campaignId, mailingId } = await launched(listIds);
  const { unsubscribe: token } = tokensOf(mailingId, subscriberId);
  return { listIds, subscriberId, campaignId, mailingId, token };
}

async function launched(lists: readonly string[]) {
  const { id: campaignId } = await world.campaign({ lists });
  await world.application.campaigns.launch(world.projectId, campaignId);
  return { campaignId, mailingId: await world.mailing(campaignId) };
}

const statesOf = async (subscriberId: string): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries(
    (await world.application.subscribers.get(world.projectId, subscriberId)).subscriptions.map(({ listId, state }) => [
      listId,
      state,
    ]),
  );

const refusalsOf = async (subscriberId: string) =>
  (await world.application.suppressions.lookup(world.projectId, await world.addressOf(subscriberId))).map(
    ({ scope, reason }) => `${scope} ${reason}`,
  );

/** What every campaign asks about a person at the last moment. */
async function isMailable(subscriberId: string, listIds: readonly string[]): Promise<boolean> {
  return world.instance.get(tokens.work).run(async ({ audience }) => {
    const facts = await audience.recipients.read(world.projectId, [subscriberId], anAudience(listIds));
    return facts.get(subscriberId)?.refusal === undefined;
  });
}

describe('an unsubscribe by a link', () => {
  it('leaves the lists of the campaign, archived ones too, and nothing else', async () => {
    const { listIds, subscriberId, token } = await mailed(2);
    const other = await world.list(0);
    await world.join(subscriberId, other);
    await world.application.lists.archive(world.projectId, listIds[1]!, { force: true });
    expect(await recipients().unsubscribe(token, REQUEST)).toBe(true);
    expect(await statesOf(subscriberId)).toEqual({
      [listIds[0]!]: 'unsubscribed',
      [listIds[1]!]: 'unsubscribed',
      [other]: 'confirmed',
    });
    expect(await refusalsOf(subscriberId)).toEqual([]);
    expect(await recipients().openUnsubscribe(token)).toMatchObject({ alreadyUnsubscribed: true, undoable: true });
  });

  it.each([
    ['all lists of the campaign were deleted', async ({ listIds }: { listIds: readonly string[] }) => deleteLists(listIds)],
    [
      'the campaign is gone',
      async ({ campaignId }: { campaignId: string }) =>
        void (await world.sql('delete from pennypost_campaign.campaign where id = $1', [campaignId])),
    ],
    [
      'the list that brought the mail was deleted, and the person is on none of the others',
      async ({ listIds }: { listIds: readonly string[] }) => deleteLists(listIds.slice(0, 1)),
    ],
    [
      'that list was deleted, and the person had left the other one before',
      async ({ listIds, subscriberId }: { listIds: readonly string[]; subscriberId: string }) => {
        await world.application.subscribers.unsubscribe(world.projectId, subscriberId, {
          lists: listIds.slice(1),
          evidence: { source: 'support' },
        });
        await deleteLists(listIds.slice(0, 1));
      },
    ],
  ])('refuses marketing to the person when %s', async (_name, happens) => {
    const campaign = await mailed(2);
    const { subscriberId, token } = campaign;
    const next = await world.list(0);
    await world.join(subscriberId, next);
    await happens(campaign);
    expect(await recipients().openUnsubscribe(token)).toMatchObject({ alreadyUnsubscribed: false });
    expect(await isMailable(subscriberId, [next])).toBe(true);
    for (let press = 0; press < 3; press += 1) expect(await recipients().unsubscribe(token, REQUEST)).toBe(true);
    expect(await refusalsOf(subscriberId)).toEqual(['marketing unsubscribe']);
    expect(await isMailable(subscriberId, [next])).toBe(false);
    expect(await recipients().openUnsubscribe(token)).toMatchObject({ alreadyUnsubscribed: true, undoable: true });
    const consents = await world.application.subscribers.consents(world.projectId, subscriberId);
    expect(
      consents.filter(({ source }) => source.includes(campaign.campaignId) || source.includes(campaign.mailingId)),
    ).toHaveLength(1);
  });

  it('ends with the later word of the person, and with no word of others', async () => {
    const { listIds, subscriberId, token } = await mailed();
    await deleteLists(listIds);
    await recipients().unsubscribe(token, REQUEST);
    const next = await world.list(0);
    await world.application.subscribers.subscribe(world.projectId, subscriberId, next, {});
    expect(await isMailable(subscriberId, [next])).toBe(false);
    await world.application.subscribers.subscribe(world.projectId, subscriberId, next, { consent: { source: 'signup form' } });
    expect(await refusalsOf(subscriberId)).toEqual([]);
    expect(await isMailable(subscriberId, [next])).toBe(true);

    const address = await world.addressOf(subscriberId);
    await world.application.suppressions.create(world.projectId, address, { scope: 'marketing', reason: 'complaint' });
    await world.application.subscribers.subscribe(world.projectId, subscriberId, next, { consent: { source: 'signup form' } });
    expect(await refusalsOf(subscriberId)).toEqual(['marketing complaint']);
  });

  it('is kept when the person gets another address', async () => {
    const { listIds, subscriberId, token } = await mailed();
    await deleteLists(listIds);
    await recipients().unsubscribe(token, REQUEST);
    await world.application.subscribers.update(world.projectId, subscriberId, { email: 'moved@example.org' });
    expect(await refusalsOf(subscriberId)).toEqual(['marketing unsubscribe']);
  });

  it('is kept though support lifts a bounce of the same address afterwards', async () => {
    const { listIds, subscriberId, token } = await mailed();
    const address = await world.addressOf(subscriberId);
    await world.application.suppressions.create(world.projectId, address, { reason: 'hard_bounce' });
    await deleteLists(listIds);
    await recipients().unsubscribe(token, REQUEST);
    await world.application.suppressions.lift(world.projectId, address);
    expect(await refusalsOf(subscriberId)).toEqual(['marketing unsubscribe']);
  });

  it('of an erased person keeps nothing, and finds nothing left to do', async () => {
    const { subscriberId, token } = await mailed();
    await world.application.subscribers.erase(world.projectId, subscriberId);
    expect(await recipients().unsubscribe(token, REQUEST)).toBe(true);
    expect(await statesOf(subscriberId)).toEqual({});
    expect(await recipients().openUnsubscribe(token)).toMatchObject({
      alreadyUnsubscribed: true,
      undoable: false,
      maskedAddress: '',
    });
  });

  it('that is repeated 200 times is one event, one consent and one in the report', async () => {
    const { campaignId, mailingId, subscriberId, token } = await mailed();
    for (let press = 0; press < 200; press += 1) await recipients().unsubscribe(token, REQUEST);
    const events = await world.sql('select 1 from pennypost_tracking.event where mailing_id = $1', [mailingId]);
    expect(events).toHaveLength(1);
    const consents = await world.application.subscribers.consents(world.projectId, subscriberId);
    expect(consents.filter(({ action }) => action === 'unsubscribe')).toHaveLength(1);
    expect(await world.application.campaigns.report(world.projectId, campaignId)).toMatchObject({ unsubscribed: 1 });
  });

  it('leaves the lists that the launch fixed, whatever the audience of the campaign says later', async () => {
    const { listIds, subscriberId, campaignId, token } = await mailed(2);
    const later = await world.list(0);
    await world.join(subscriberId, later);
    await world.sql('update pennypost_campaign.campaign set audience = $2 where id = $1', [
      campaignId,
      JSON.stringify(anAudience([later])),
    ]);
    await world.application.lists.delete(world.projectId, listIds[1]!, { force: true });
    expect((await recipients().openUnsubscribe(token)) as object).toMatchObject({ listNames: [expect.any(String)] });
    expect(await recipients().unsubscribe(token, REQUEST)).toBe(true);
    expect(await statesOf(subscriberId)).toEqual({ [listIds[0]!]: 'unsubscribed', [later]: 'confirmed' });
    expect(await isMailable(subscriberId, [listIds[0]!])).toBe(false);
  });

  it('is no work of the links of tests, of transactional mail, of other purposes and of other projects', async () => {
    const { listIds, mailingId, subscriberId, token } = await mailed();
    const keys = world.instance.get(tokens.keys);
    const key = keys.tokenKey(world.projectId, keys.keyId)!;
    const ids = { projectId: world.projectId, messageId: randomUUID(), key, keyId: keys.keyId };
    const { click, open } = tokensOf(mailingId, subscriberId);
    for (const other of [issueTransactionalTokens(ids).unsubscribe, click, open, token.slice(0, -1), 'test', '']) {
      expect(await recipients().unsubscribe(other, REQUEST)).toBe(false);
      expect(await recipients().resubscribe(other, REQUEST)).toBe(false);
      expect(await recipients().openUnsubscribe(other)).toBe(other === 'test' ? 'test' : undefined);
    }
    expect(await isMailable(subscriberId, listIds)).toBe(true);
  });
});

describe('taking an unsubscribe back', () => {
  it('gives each list the state from before, and stores the consent', async () => {
    const { listIds, subscriberId, token } = await mailed(3);
    await world.sql(`update pennypost_audience.list set double_opt_in = true where id = $1`, [listIds[1]]);
    await world.join(subscriberId, listIds[1]!);
    const before = await statesOf(subscriberId);
    expect(before).toEqual({ [listIds[0]!]: 'confirmed', [listIds[1]!]: 'unconfirmed' });
    await recipients().unsubscribe(token, REQUEST);
    expect(await recipients().resubscribe(token, REQUEST)).toBe(true);
    expect(await statesOf(subscriberId)).toEqual(before);
    const consent = (await world.application.subscribers.consents(world.projectId, subscriberId)).at(-1);
    expect(consent).toMatchObject({
      action: 'resubscribe',
      source: expect.stringContaining('unsubscribe reverted'),
      userAgent: 'Mozilla/5.0',
    });
    expect([...consent!.listIds].toSorted()).toEqual(listIds.slice(0, 2).toSorted());
    expect(await recipients().openUnsubscribe(token)).toMatchObject({ alreadyUnsubscribed: false, undoable: false });
    expect(await recipients().resubscribe(token, REQUEST)).toBe(false);
  });

  it('lifts the refusal of marketing that the link made, and no other one', async () => {
    const { listIds, subscriberId, token } = await mailed();
    await deleteLists(listIds);
    await recipients().unsubscribe(token, REQUEST);
    expect(await recipients().resubscribe(token, REQUEST)).toBe(true);
    expect(await refusalsOf(subscriberId)).toEqual([]);
    const address = await world.addressOf(subscriberId);
    await world.application.suppressions.create(world.projectId, address, { scope: 'marketing', reason: 'manual' });
    await recipients().unsubscribe(token, REQUEST);
    expect(await recipients().resubscribe(token, REQUEST)).toBe(false);
    expect(await refusalsOf(subscriberId)).toEqual(['marketing manual']);
  });

  it('is not for what was wished in another way', async () => {
    const { listIds, subscriberId, token } = await mailed();
    const { mailingId: other } = await launched(listIds);
    await world.application.subscribers.unsubscribe(world.projectId, subscriberId, {
      lists: listIds,
      evidence: { source: 'support' },
    });
    await recipients().unsubscribe(token, REQUEST);
    await recipients().unsubscribe(tokensOf(other, subscriberId).unsubscribe, REQUEST);
    expect(await recipients().resubscribe(token, REQUEST)).toBe(false);
    expect(await statesOf(subscriberId)).toEqual({ [listIds[0]!]: 'unsubscribed' });
  });

  it('ends after 30 days, and after five times', async () => {
    const { subscriberId, token } = await mailed();
    for (let time = 0; time < 5; time += 1) {
      await recipients().unsubscribe(token, REQUEST);
      expect(await recipients().resubscribe(token, REQUEST)).toBe(true);
    }
    await recipients().unsubscribe(token, REQUEST);
    expect(await recipients().openUnsubscribe(token)).toMatchObject({ undoable: false });
    expect(await recipients().resubscribe(token, REQUEST)).toBe(false);
    const late = await mailed();
    await recipients().unsubscribe(late.token, REQUEST);
    await world.sql(`update pennypost_audience.subscription set at = at - interval '31 days' where left_by is not null`);
    expect(await recipients().openUnsubscribe(late.token)).toMatchObject({ alreadyUnsubscribed: true, undoable: false });
    expect(await recipients().resubscribe(late.token, REQUEST)).toBe(false);
    expect(Object.values(await statesOf(subscriberId))).toEqual(['unsubscribed']);
  });

  it('is not for an erased person', async () => {
    const { subscriberId, token } = await mailed();
    await recipients().unsubscribe(token, REQUEST);
    await world.application.subscribers.erase(world.projectId, subscriberId);
    expect(await recipients().resubscribe(token, REQUEST)).toBe(false);
    expect(await statesOf(subscriberId)).toEqual({});
  });
});

describe('a click token that is replayed', () => {
  it('is one event a minute, and every hit is in the report', async () => {
    const { campaignId, mailingId, subscriberId } = await mailed();
    const keys = world.instance.get(tokens.keys);
    const key = keys.tokenKey(world.projectId, keys.keyId)!;
    const scope = { kind: 'mailing', projectId: world.projectId, subjectId: mailingId, key } as const;
    const link = issueLinkToken(scope, 0, 'https://example.com/offer');
    const { click } = tokensOf(mailingId, subscriberId);
    for (let hit = 0; hit < 200; hit += 1)
      expect(await recipients().click(click, link, { ...REQUEST, method: 'GET' })).toBe('https://example.com/offer');
    const events = await world.sql<{ requests: number; minute: string }>(
      `select requests, date_trunc('minute', at)::text as minute from pennypost_tracking.event where mailing_id = $1`,
      [mailingId],
    );
    expect(events.reduce((sum, { requests }) => sum + requests, 0)).toBe(200);
    expect(events).toHaveLength(new Set(events.map(({ minute }) => minute)).size);
    expect(await world.application.campaigns.report(world.projectId, campaignId)).toMatchObject({
      clicked: { unique: 1, total: 200 },
    });
  });
});

describe('HEAD', () => {
  it('is told where a link leads, and is neither a click nor an open', async () => {
    const { mailingId, subscriberId } = await mailed();
    const keys = world.instance.get(tokens.keys);
    const key = keys.tokenKey(world.projectId, keys.keyId)!;
    const scope = { kind: 'mailing', projectId: world.projectId, subjectId: mailingId, key } as const;
    const link = issueLinkToken(scope, 0, 'https://example.com/offer');
    const { click, open } = tokensOf(mailingId, subscriberId);
    for (const method of ['HEAD', 'GET']) {
      expect(await recipients().click(click, link, { ...REQUEST, method })).toBe('https://example.com/offer');
      await recipients().open(open, { ...REQUEST, method });
    }
    expect(
      await world.sql('select kind, method, requests from pennypost_tracking.event where mailing_id = $1 order by kind', [
        mailingId,
      ]),
    ).toEqual([
      { kind: 'click', method: 'GET', requests: 1 },
      { kind: 'open', method: 'GET', requests: 1 },
    ]);
  });
});

async function deleteLists(listIds: readonly string[]): Promise<void> {
  for (const id of listIds) await world.application.lists.delete(world.projectId, id, { force: true });
}
