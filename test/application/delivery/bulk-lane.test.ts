import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WHOLE_MESSAGES } from '../../../src/infrastructure/transports/whole-messages.ts';
import { anAttempt } from '../../support/builders-delivery.ts';
import { LaneStage } from '../../support/lane-stage.ts';
import type { LaneWorld } from '../../support/lane-world.ts';
import type { TestTime } from '../../support/test-time.ts';

let time: TestTime;
let world: LaneWorld;
let stage: LaneStage;
/** Addresses in the order in which their hand-over began. */
let handed: readonly string[];

beforeEach(() => {
  stage = new LaneStage();
  ({ time, world, handed } = stage);
});
afterEach(() => stage.close());

const open: LaneStage['open'] = (options) => stage.open(options);

const distinct = (addresses: readonly string[]): number => new Set(addresses).size;
const outcomesOf = (person: string) => world.recorded.filter((outcome) => outcome.subscriberId === person);

describe('the bulk lane', () => {
  it('sends everybody once and lets go of what is done', async () => {
    world.campaign(250, { shardSize: 100 });
    const { lane } = open();
    await time.until('everybody to be recorded', () => world.done());
    expect([handed.length, distinct(handed), world.states()]).toEqual([250, 250, { submitted: 250 }]);
    await time.pass(500);
    expect([lane.progress.shards, lane.progress.submitted, lane.progress.unrecorded]).toEqual([0, 250, 0]);
  });

  it('begins with work that comes later, woken by its job', async () => {
    const { lane } = open();
    await time.pass(1_000);
    world.campaign(1);
    lane.wake();
    await time.until('it to be sent', () => world.done(), 200);
  });

  it('claims the next shard before the one at hand is done', async () => {
    world.campaign(400, { shardSize: 200 });
    const [first, second] = [...world.shards.values()];
    open({ maxUnrecorded: 60, takes: 5 });
    await time.until('the second to be claimed', () => second?.owner !== undefined);
    expect(first?.done).toBe(false);
  });

  it('asks for work four times a second when there is none', async () => {
    open();
    await time.pass(1_000);
    const before = world.called('claim');
    await time.pass(10_000);
    expect(world.called('claim') - before).toBeLessThanOrEqual(40);
    expect(world.called('renew') + world.called('runningOf') + world.called('commit')).toBe(0);
  });

  it('works on several campaigns at once, each in turn', async () => {
    const [big, small] = [world.campaign(5_000), world.campaign(50)];
    open({ takes: 10 });
    await time.until(
      'the small one to be done',
      () => [...world.shards.values()].find((shard) => shard.mailingId === small)?.done === true,
    );
    const bigBefore = handed.filter((address) => address.endsWith('@c1.example.com')).length;
    expect(bigBefore).toBeLessThan(400);
    expect([...world.shards.values()].find((shard) => shard.mailingId === big)?.done).toBe(false);
  });

  it('gives a campaign its turn that comes when its hands are full', async () => {
    for (let campaigns = 0; campaigns < 8; campaigns += 1) world.campaign(2_000, { shardSize: 2_000 });
    open({ messagesPerSecond: 200 });
    await time.pass(5_000);
    const small = world.campaign(10);
    const before = handed.length;
    await time.until(
      'the small one to be done',
      () => [...world.shards.values()].find((shard) => shard.mailingId === small)?.done === true,
    );
    expect(handed.length - before).toBeLessThan(2_000);
    await time.until('everybody to be recorded', () => world.done(), 200_000);
    expect([handed.length, distinct(handed)]).toEqual([16_010, 16_010]);
    expect(world.recorded.some((outcome) => outcome.possibleRepeat)).toBe(false);
  });

  it('keeps to a limit of messages per second, also with many shards that have nothing ready', async () => {
    for (let campaigns = 0; campaigns < 6; campaigns += 1) world.campaign(400);
    open({ messagesPerSecond: 40 });
    await time.pass(1_000);
    const before = handed.length;
    await time.pass(20_000);
    expect(handed.length - before).toBeLessThanOrEqual(20 * 40 + 10);
    expect(handed.length - before).toBeGreaterThan(20 * 40 * 0.9);
  });

  it('takes its part of the limit when it shares it', async () => {
    world.campaign(400);
    const { lane } = open({ messagesPerSecond: 40 });
    lane.shareRate(4);
    await time.pass(11_000);
    expect(handed.length).toBeGreaterThan(100);
    expect(handed.length).toBeLessThanOrEqual(122);
  });

  it('hands over no more than its window while nothing can be recorded', async () => {
    world.campaign(1_000);
    const { lane } = open({ maxUnrecorded: 60 });
    await time.until('hand-over to begin', () => handed.length > 0);
    world.away = true;
    await time.pass(5_000);
    expect(handed.length - world.recorded.length).toBeLessThanOrEqual(60);
    expect(lane.progress.unrecorded).toBeLessThanOrEqual(60);
  });

  it('keeps its window also for a shard taken over with more than that to repeat', async () => {
    const campaign = world.campaign(1_000);
    const shard = [...world.shards.values()].find((one) => one.mailingId === campaign)!;
    Object.assign(shard, { claimedThrough: 900, fence: 1 });
    open({ maxUnrecorded: 60 });
    await time.until('hand-over to begin', () => handed.length > 0);
    const before = handed.length;
    world.away = true;
    await time.pass(5_000);
    expect(handed.length - world.recorded.length).toBeLessThanOrEqual(60);
    expect(before).toBeLessThanOrEqual(60);
  });
});

describe('a recipient', () => {
  it.each(['unsubscribed', 'suppressed', 'erased', 'unconfirmed'] as const)(
    'who is %s is skipped, with the reason',
    async (refusal) => {
      const campaign = world.campaign(3);
      world.change(world.personOf(campaign, 1), { refusal });
      open();
      await time.until('all to be recorded', () => world.done());
      expect(outcomesOf(world.personOf(campaign, 1))).toMatchObject([{ state: 'skipped', reply: refusal }]);
      expect(handed).toHaveLength(2);
    },
  );

  it('who is gone is skipped as deleted', async () => {
    const campaign = world.campaign(1);
    world.people.clear();
    open();
    await time.until('all to be recorded', () => world.done());
    expect(outcomesOf(world.personOf(campaign, 0))).toMatchObject([{ state: 'skipped', reply: 'deleted' }]);
  });

  it('whose data break the template fails, and the campaign goes on', async () => {
    const campaign = world.campaign(3);
    world.change(world.personOf(campaign, 0), { attributes: { poison: true } });
    open();
    await time.until('all to be recorded', () => world.done());
    expect(outcomesOf(world.personOf(campaign, 0))).toMatchObject([
      { state: 'failed', reply: 'the template cannot be rendered with this data' },
    ]);
    expect(world.states()).toEqual({ failed: 1, submitted: 2 });
  });

  it('whose data the host does not give is deferred', async () => {
    world.campaign(3);
    world.failure = 'recipient data: no answer within 50 ms';
    open();
    await time.until('all to be recorded', () => world.done());
    expect(world.states()).toEqual({ deferred: 3 });
    expect(handed).toEqual([]);
  });

  it('whom an earlier holder may have reached gets the mark', async () => {
    const campaign = world.campaign(4);
    Object.assign([...world.shards.values()][0]!, { claimedThrough: 2, fence: 1 });
    const { transport } = open();
    await time.until('all to be recorded', () => world.done());
    expect([0, 1, 2, 3].map((index) => outcomesOf(world.personOf(campaign, index))[0]?.possibleRepeat)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    const marks = transport.messages.map((message) => message.content.toString().includes('X-Pennypost-Possible-Repeat: yes'));
    expect(marks.filter(Boolean)).toHaveLength(2);
  });

  it('whom an earlier holder may have reached gets the mark in later runs as well', async () => {
    const campaign = world.campaign(2, { run: 1 });
    world.possiblyReached.add(world.personOf(campaign, 1));
    const { transport } = open();
    await time.until('all to be recorded', () => world.done());
    expect([0, 1].map((index) => outcomesOf(world.personOf(campaign, index))[0]?.possibleRepeat)).toEqual([false, true]);
    const marks = transport.messages.map((message) => message.content.toString().includes('X-Pennypost-Possible-Repeat: yes'));
    expect(marks.filter(Boolean)).toHaveLength(1);
  });

  it('whose acceptance is recorded is not mailed again, in a later run or after a take-over', async () => {
    const [retried, taken] = [world.campaign(2, { run: 1 }), world.campaign(2)];
    Object.assign([...world.shards.values()].find((shard) => shard.mailingId === taken)!, { claimedThrough: 2, fence: 1 });
    for (const campaign of [retried, taken]) world.accepted.add(world.personOf(campaign, 0));
    open();
    await time.until('all to be recorded', () => world.done());
    expect(handed.toSorted()).toEqual(['p1@c1.example.com', 'p1@c2.example.com']);
    expect(outcomesOf(world.personOf(retried, 0))).toMatchObject([{ state: 'skipped', reply: 'accepted before' }]);
  });

  it('who unsubscribes while messages wait is not mailed more than five seconds later', async () => {
    const campaign = world.campaign(200);
    open({ slots: 1, takes: 400 });
    await time.pass(8_000);
    const since = time.clock.monotonic();
    for (let index = 0; index < 200; index += 1) world.change(world.personOf(campaign, index), { refusal: 'unsubscribed' });
    let last = since;
    for (let seen = handed.length; time.clock.monotonic() < since + 20_000; await time.pass(10)) {
      if (handed.length > seen) last = time.clock.monotonic();
      seen = handed.length;
    }
    expect(last - since).toBeLessThan(5_000);
  });
});

describe('a turn that came back unsent', () => {
  it('is read again and sent, however slow the server is', async () => {
    world.campaign(60);
    open({ slots: 1, takes: 2_000 });
    await time.until('everybody to be recorded', () => world.done(), 300_000);
    expect([handed.length, distinct(handed), world.states()]).toEqual([60, 60, { submitted: 60 }]);
  });

  it('is sent with the others when many come back at once', async () => {
    world.campaign(300);
    open({ slots: 10, takes: 5_000 });
    await time.until('everybody to be recorded', () => world.done(), 600_000);
    expect([handed.length, distinct(handed)]).toEqual([300, 300]);
  });
});

describe('a transport that fails', () => {
  const broken = anAttempt('deferred', { code: undefined, reply: 'connect ECONNREFUSED', fault: 'transport' });

  it('pauses the campaign after so many errors without an answer, and says why', async () => {
    const campaign = world.campaign(1_000);
    open({ pauseAfterTransportErrors: 20, answer: () => broken });
    await time.until('the campaign to be paused', () => world.paused.size > 0);
    expect(world.paused.get(campaign)).toBe('20 transport errors in a row, the last: connect ECONNREFUSED');
    await time.pass(2_000);
    expect(handed.length).toBeLessThan(60);
    expect(world.states()).toEqual({ deferred: handed.length });
  });

  it('pauses nothing while answers come between', async () => {
    world.campaign(200);
    open({ pauseAfterTransportErrors: 20, answer: () => (handed.length % 10 === 0 ? anAttempt() : broken) });
    await time.until('everybody to be recorded', () => world.done());
    expect(world.paused.size).toBe(0);
  });

  const refused = anAttempt('rejected', { reply: '550 5.7.26 the sender is unauthenticated', fault: 'sender' });
  const unknown = anAttempt('rejected', { reply: '550 5.1.1 no such user', fault: 'recipient' });

  it('only because we are refused pauses the campaign, before everybody is rejected for good', async () => {
    const campaign = world.campaign(1_000);
    open({ pauseAfterSenderFaults: 30, answer: () => refused });
    await time.until('the campaign to be paused', () => world.paused.size > 0);
    expect(world.paused.get(campaign)).toBe(
      '30 refusals in a row that concern the sender and not the recipients, the last: 550 5.7.26 the sender is unauthenticated',
    );
    await time.pass(2_000);
    expect(world.states()).toEqual({ rejected: handed.length });
    expect(handed.length).toBeLessThan(70);
  });

  it.each([
    ['recipients who do not exist', () => unknown],
    ['refusals of which some are about the recipients', () => (handed.length % 10 === 0 ? unknown : refused)],
    ['refusals for now', () => anAttempt('deferred', { fault: 'sender' })],
  ])('is not what a campaign pauses for that meets %s', async (_, answer) => {
    world.campaign(300);
    open({ pauseAfterSenderFaults: 30, answer });
    await time.until('everybody to be recorded', () => world.done());
    expect(world.paused.size).toBe(0);
  });

  it('and breaks its contract costs a deferral, not the campaign', async () => {
    world.campaign(3);
    const lane = world.lane({
      name: 'broken',
      slots: 1,
      depth: 1,
      capabilities: WHOLE_MESSAGES,
      waits: () => [],
      submit: () => Promise.reject(new Error('a fault of the transport')),
      verify: async () => undefined,
      close: async () => undefined,
    });
    stage.running.push(lane);
    lane.start();
    await time.until('everybody to be recorded', () => world.done());
    expect(world.recorded).toMatchObject([1, 2, 3].map(() => ({ state: 'deferred', reply: 'a fault of the transport' })));
  });
});

describe('signatures', () => {
  it('are made several at once, one per message, while the lane goes on', async () => {
    world.campaign(100);
    const signing = { now: 0, most: 0, made: 0 };
    world.signer = {
      sign: async (content) => {
        signing.now += 1;
        signing.made += 1;
        signing.most = Math.max(signing.most, signing.now);
        await new Promise((resolve) => setTimeout(resolve, 5));
        signing.now -= 1;
        return Buffer.concat([Buffer.from('DKIM-Signature: x\r\n'), content]);
      },
    };
    const contents = new Set<string>();
    open({
      answer: ({ content }) => {
        contents.add(Buffer.from(content).toString().split('\r\n')[0] ?? '');
        return anAttempt();
      },
    });
    await time.until('everybody to be recorded', () => world.done());
    expect([handed.length, distinct(handed), signing.made, [...contents]]).toEqual([100, 100, 100, ['DKIM-Signature: x']]);
    expect(signing.most).toBeGreaterThan(4);
  });

  it.each([
    ['composes messages of its own', { content: 'fields' as const }],
    ['writes a Message-ID of its own', { keepsMessageId: false }],
  ])('are not made for a provider that %s', async (_what, capabilities) => {
    world.campaign(2);
    world.signer = { sign: () => Promise.reject(new Error('nothing is to be signed')) };
    const lane = world.lane({
      name: 'provider',
      slots: 1,
      depth: 1,
      capabilities: { ...WHOLE_MESSAGES, ...capabilities },
      waits: () => [],
      submit: async () => anAttempt(),
      verify: async () => undefined,
      close: async () => undefined,
    });
    stage.running.push(lane);
    lane.start();
    await time.until('everybody to be recorded', () => world.done());
    expect(world.states()).toEqual({ submitted: 2 });
  });

  it('that fail defer the message, which never leaves unsigned', async () => {
    world.campaign(3);
    world.signer = { sign: () => Promise.reject(new Error('the key is unusable')) };
    open();
    await time.until('everybody to be recorded', () => world.done());
    expect(world.recorded).toMatchObject([1, 2, 3].map(() => ({ state: 'deferred', reply: 'the key is unusable' })));
    expect(handed).toEqual([]);
  });
});

describe('a campaign that this process cannot compile', () => {
  it('is paused with the reason, given back, and does not hold up the others', async () => {
    const campaign = world.campaign(10);
    world.broken = new Error('Campaign 1 was launched under key abcdef, which this process does not have.');
    open();
    await time.until('it to be paused', () => world.paused.has(campaign));
    expect(world.paused.get(campaign)).toBe(world.broken.message);
    await time.pass(100);
    expect(world.owned()).toBe(0);
    world.broken = undefined;
    world.campaign(5);
    await time.until('the other to be sent', () => handed.length === 5);
  });
});
