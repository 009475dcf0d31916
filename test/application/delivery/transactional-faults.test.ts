import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { SendTransactional } from '../../../src/application/delivery/transactional/send-transactional.ts';
import type { Renderer } from '../../../src/domain/campaign/index.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { anAttempt } from '../../support/builders-delivery.ts';
import { silentLog } from '../../support/instance.ts';
import { TransactionalStage } from '../../support/transactional-stage.ts';

const stage = new TransactionalStage();
beforeAll(() => stage.open());
afterAll(() => stage.close());
beforeEach(() => stage.fresh());

describe('a fault that nobody foresaw', () => {
  const failing = (error: unknown) => {
    const { get } = stage.instance;
    const renderer: Renderer = Object.create(get(tokens.renderer), { compile: { value: () => Promise.reject(error) } });
    const deps = {
      signing: get(tokens.signing),
      ways: stage.waysTo(get(tokens.transport)),
      keys: stage.instance.keys,
      work: get(tokens.work),
      clock: stage.clock,
    };
    return new SendTransactional({
      ...deps,
      renderer,
      log: silentLog,
      workerId: get(tokens.workerId),
      isTransient: (thrown) => thrown instanceof RangeError,
      isGone: async () => false,
    });
  };

  it.each([
    new TypeError('cannot read properties of undefined'),
    Object.assign(new Error('worker terminated: out of memory'), { code: 'ERR_WORKER_OUT_OF_MEMORY' }),
    'a thrown text',
  ])('in composing is tried again some times and then failed with its reason: %s', async (error) => {
    const message = await stage.accept();
    const sending = failing(error);
    const states: (string | undefined)[] = [];
    for (let time = 0; time < 7; time += 1) {
      await stage.forgetJobs();
      states.push((await sending.send(stage.projectId, message.id))?.state);
      const { nextAttemptAt } = await stage.look(message);
      expect((await stage.jobs()).map((job) => job.start_after)).toEqual(nextAttemptAt === undefined ? [] : [nextAttemptAt]);
      await stage.instance.pass(3_600_000);
    }
    expect(states).toEqual(['deferred', 'deferred', 'deferred', 'deferred', 'failed', undefined, undefined]);
    const failed = await stage.look(message);
    expect(failed).toMatchObject({ state: 'failed', attempts: 0, tries: [], nextAttemptAt: undefined });
    expect(failed.reply).toBe(error instanceof Error ? error.message : error);
    await stage.sender.requeue();
    expect(await stage.jobs()).toEqual([]);
  });

  it('that is over the next time costs nothing but the wait', async () => {
    const message = await stage.accept();
    await failing(new TypeError('once')).send(stage.projectId, message.id);
    expect(await stage.send(message)).toBeUndefined();
    await stage.instance.pass(60_000);
    expect(await stage.send(message)).toMatchObject({ state: 'submitted', attempts: 1 });
    expect(stage.marked).toEqual([false]);
  });

  it('is not counted while the database is away', async () => {
    const message = await stage.accept();
    await expect(failing(new RangeError('away')).send(stage.projectId, message.id)).rejects.toThrow('away');
    expect(
      await stage.sql('select state, faults from pennypost_delivery.transactional_message where id = $1', [message.id]),
    ).toEqual([{ state: 'accepted', faults: 0 }]);
  });

  it('of a project that is gone ends the message', async () => {
    const message = await stage.accept();
    await stage.sql('delete from pennypost_access.project where id = $1', [stage.projectId]);
    await stage.send(message);
    expect(await stage.sql('select state from pennypost_delivery.transactional_message where id = $1', [message.id])).toEqual([
      { state: 'failed' },
    ]);
  });
});

describe('an attempt of this worker that it does not hold any more', () => {
  it('is in doubt after two looks, and made again with the mark; one that it holds is left alone', async () => {
    const own = stage.instance.get(tokens.workerId);
    const [stray, held] = [await stage.accept(), await stage.accept({ to: 'bob@example.com' })];
    const waiting = await stage.facts(stray);
    await stage.delivery((service) => service.transactional.beginAttempt(waiting, { workerId: own, transport: 'memory' }));
    const answer = Promise.withResolvers<ReturnType<typeof anAttempt>>();
    stage.answers = [() => answer.promise];
    const sending = stage.send(held);
    await vi.waitFor(async () => expect((await stage.look(held)).state).toBe('attempting'));
    await stage.sender.sweepOwn();
    expect((await stage.look(stray)).state).toBe('attempting');
    await stage.sender.sweepOwn();
    expect(await stage.look(stray)).toMatchObject({
      state: 'in_doubt',
      reply: 'the outcome of the attempt could not be recorded',
    });
    expect((await stage.look(held)).state).toBe('attempting');
    answer.resolve(anAttempt());
    expect(await sending).toMatchObject({ state: 'submitted', attempts: 1 });
    await stage.instance.pass(60_000);
    expect(await stage.send(stray)).toMatchObject({ state: 'submitted', attempts: 2 });
    expect(stage.marked).toEqual([false, true]);
  });
});

describe('a process that works on the lane', () => {
  const settled = (state: string, message: Awaited<ReturnType<typeof stage.accept>>) =>
    vi.waitFor(async () => expect((await stage.look(message)).state).toBe(state));

  it('hands over at once what it accepts, and removes the job that was for the case of its end', async () => {
    const answer = Promise.withResolvers<ReturnType<typeof anAttempt>>();
    stage.answers = [() => answer.promise];
    stage.sender.start();
    const message = await stage.accept();
    await settled('attempting', message);
    const [job] = await stage.jobs();
    expect(Number(job?.start_after) - message.acceptedAt.getTime()).toBe(5_000);
    const stopped = stage.sender.stop();
    answer.resolve(anAttempt());
    await stopped;
    expect(await stage.look(message)).toMatchObject({ state: 'submitted', attempts: 1 });
    expect(await stage.jobs()).toEqual([]);
    expect(stage.marked).toEqual([false]);
  });

  it('leaves a message that is deferred to a job at its time', async () => {
    stage.answers = [anAttempt('deferred')];
    stage.sender.start();
    const message = await stage.accept();
    await settled('deferred', message);
    await stage.sender.stop();
    expect((await stage.jobs()).map((job) => job.start_after)).toEqual([(await stage.look(message)).nextAttemptAt]);
  });

  it('leaves new messages to their jobs once it stops', async () => {
    stage.sender.start();
    await stage.sender.stop();
    const message = await stage.accept();
    expect((await stage.look(message)).state).toBe('accepted');
    expect(await stage.jobs()).toHaveLength(1);
    expect(await stage.send(message)).toMatchObject({ state: 'submitted' });
  });
});
