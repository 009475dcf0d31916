import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SendTransactional } from '../../../src/application/delivery/transactional/send-transactional.ts';
import type { UnitOfWork } from '../../../src/application/unit-of-work.ts';
import type { Transport } from '../../../src/domain/delivery/index.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { anAttempt, idOf } from '../../support/builders-delivery.ts';
import { silentLog } from '../../support/instance.ts';
import { TransactionalStage } from '../../support/transactional-stage.ts';

const stage = new TransactionalStage();
beforeAll(() => stage.open());
afterAll(() => stage.close());
beforeEach(() => stage.fresh());

describe('content', () => {
  it('is read outside any transaction when a message is accepted and when it is sent, and by the same plan', async () => {
    const renderer = stage.instance.get(tokens.renderer);
    const compile = renderer.compile.bind(renderer);
    const plans = new Set<unknown>();
    const open: unknown[] = [];
    renderer.compile = async (content, context) => {
      open.push(
        ...(await stage.sql(
          `select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state like 'idle in%'`,
        )),
      );
      const plan = await compile(content, context);
      plans.add(plan);
      return plan;
    };
    try {
      const template = await stage.instance.application.templates.create(stage.projectId, {
        name: 'Code',
        content: TransactionalStage.content,
      });
      for (const name of ['Ada', 'Bob']) {
        const message = await stage.accept({ content: undefined, template: template.id, variables: { name } });
        expect(await stage.send(message)).toMatchObject({ state: 'submitted' });
      }
    } finally {
      renderer.compile = compile;
    }
    expect([open, plans.size]).toEqual([[], 1]);
  });
});

describe('an attempt', () => {
  it('that is submitted ends the message', async () => {
    const message = await stage.accept();
    expect(await stage.send(message)).toMatchObject({ state: 'submitted', attempts: 1, code: 250, nextAttemptAt: undefined });
    expect((await stage.look(message)).tries).toMatchObject([{ number: 1, outcome: 'submitted', code: 250 }]);
    expect(await stage.send(message)).toBeUndefined();
    expect(stage.handed).toHaveLength(1);
  });

  it('is made by one of many who try at once', async () => {
    const message = await stage.accept();
    const sent = await Promise.all(Array.from({ length: 10 }, () => stage.send(message)));
    expect([stage.handed.length, sent.filter((one) => one !== undefined).length]).toEqual([1, 1]);
  });

  it('is committed as started before anything is written', async () => {
    const message = await stage.accept();
    let during: string | undefined;
    stage.answers = [
      async () => {
        during = (await stage.look(message)).state;
        return anAttempt();
      },
    ];
    await stage.send(message);
    expect(during).toBe('attempting');
  });

  it('that is deferred is followed by another, by a job that starts then, with the same Message-ID', async () => {
    const message = await stage.accept();
    await stage.forgetJobs();
    stage.answers = [anAttempt('deferred')];
    const deferred = await stage.send(message);
    expect(deferred).toMatchObject({ state: 'deferred', attempts: 1 });
    const wait = (deferred?.nextAttemptAt?.getTime() ?? 0) - stage.clock.now().getTime();
    expect(wait).toBeGreaterThanOrEqual(15_000);
    expect(wait).toBeLessThanOrEqual(30_000);
    expect((await stage.jobs()).at(-1)?.start_after.getTime()).toBe(deferred?.nextAttemptAt?.getTime());
    expect(await stage.send(message)).toBeUndefined();
    await stage.instance.pass(30_000);
    expect(await stage.send(message)).toMatchObject({ state: 'submitted', attempts: 2 });
    expect(new Set(stage.handed).size).toBe(1);
  });

  it('that is in doubt is followed by another, by policy', async () => {
    const message = await stage.accept();
    stage.answers = [anAttempt('in_doubt')];
    expect(await stage.send(message)).toMatchObject({ state: 'in_doubt' });
    await stage.instance.pass(30_000);
    expect(await stage.send(message)).toMatchObject({ state: 'submitted', attempts: 2 });
    expect(new Set(stage.handed).size).toBe(1);
  });

  it('that is rejected is the last', async () => {
    const message = await stage.accept();
    stage.answers = [anAttempt('rejected')];
    expect(await stage.send(message)).toMatchObject({ state: 'rejected', code: 550, nextAttemptAt: undefined });
    await stage.instance.pass(3_600_000);
    expect(await stage.send(message)).toBeUndefined();
  });

  it('is not made again after 24 hours', async () => {
    const message = await stage.accept();
    await stage.instance.pass(24 * 3_600_000 - 1);
    stage.answers = [anAttempt('deferred'), anAttempt('deferred')];
    expect(await stage.send(message)).toMatchObject({ state: 'deferred' });
    await stage.instance.pass(60_000);
    expect(await stage.send(message)).toMatchObject({ state: 'expired', nextAttemptAt: undefined });
  });

  it('that was withdrawn before a byte was written leaves no trace', async () => {
    const message = await stage.accept();
    const transport = new MemoryTransport();
    await transport.close();
    const sending = new SendTransactional({ ...depsOf(), ways: stage.waysTo(transport) });
    await sending.send(stage.projectId, message.id);
    expect(await stage.look(message)).toMatchObject({ state: 'accepted', attempts: 0, tries: [] });
    expect(await stage.send(message)).toMatchObject({ state: 'submitted', attempts: 1 });
  });

  it('whose end cannot be written is kept until the database is back, and not made again', async () => {
    const message = await stage.accept();
    let failures = 3;
    const flaky = {
      ...depsOf(),
      work: workWith((unit) => (stage.handed.length > 0 && failures-- > 0 ? Promise.reject(new Error('away')) : unit())),
      isTransient: (error: unknown) => error instanceof Error && error.message === 'away',
    };
    const sending = new SendTransactional(flaky);
    expect(await sending.send(stage.projectId, message.id)).toMatchObject({ state: 'submitted' });
    expect([failures, stage.handed.length]).toEqual([-1, 1]);
  });

  it('whose beginning lost its answer is known as begun, and made once', async () => {
    const message = await stage.accept();
    let units = 0;
    const flaky = {
      ...depsOf(),
      work: workWith(async (unit) => {
        const result = await unit();
        units += 1;
        // The first one reads the message.
        if (units === 2) throw new Error('away');
        return result;
      }),
      isTransient: (error: unknown) => error instanceof Error && error.message === 'away',
    };
    expect(await new SendTransactional(flaky).send(stage.projectId, message.id)).toMatchObject({
      state: 'submitted',
      attempts: 1,
    });
    expect([stage.handed.length, stage.marked]).toEqual([1, [false]]);
  });

  it('whose reply PostgreSQL refuses is kept without its words', async () => {
    const message = await stage.accept();
    stage.answers = [{ ...anAttempt('rejected'), reply: '550 \ud800' }];
    let refusals = 1;
    const refusing = workWith((unit) =>
      stage.handed.length > 0 && refusals-- > 0 ? Promise.reject(new Error('refused value')) : unit(),
    );
    const sending = new SendTransactional({ ...depsOf(), work: refusing });
    expect(await sending.send(stage.projectId, message.id)).toMatchObject({
      state: 'rejected',
      reply: '(the reply could not be stored)',
    });
  });

  it('is deferred when the transport breaks its contract', async () => {
    const message = await stage.accept();
    const submit = () => Promise.reject(new TypeError('x is not a function'));
    const transport: Transport = Object.create(stage.instance.get(tokens.transport), { submit: { value: submit } });
    const sending = new SendTransactional({ ...depsOf(), ways: stage.waysTo(transport) });
    expect(await sending.send(stage.projectId, message.id)).toMatchObject({ state: 'deferred', reply: 'x is not a function' });
  });

  const workWith = (around: <T>(unit: () => Promise<T>) => Promise<T>): UnitOfWork => {
    const work = stage.instance.get(tokens.work);
    return {
      run: (does) => work.run(does),
      single: (does) => around(() => work.single(does)),
      bulk: (does) => around(() => work.bulk(does)),
    };
  };

  const depsOf = () => ({
    work: stage.instance.get(tokens.work),
    renderer: stage.instance.get(tokens.renderer),
    ways: stage.waysTo(stage.instance.get(tokens.transport)),
    keys: stage.instance.keys,
    signing: stage.instance.get(tokens.signing),
    clock: stage.clock,
    log: silentLog,
    workerId: stage.instance.get(tokens.workerId),
    isTransient: () => false,
    isGone: async () => false,
  });
});

describe('a message that is not stage.handed over', () => {
  it('is skipped when its recipient is suppressed in the whole project', async () => {
    const message = await stage.accept();
    await stage.instance.application.suppressions.create(stage.projectId, 'ada@example.com', {
      scope: 'project',
      reason: 'hard_bounce',
    });
    expect(await stage.send(message)).toMatchObject({ state: 'skipped', reply: 'suppressed (hard_bounce)', attempts: 0 });
    expect((await stage.look(message)).tries).toEqual([]);
    expect(stage.handed).toEqual([]);
  });

  it('is sent although its recipient left marketing', async () => {
    const message = await stage.accept();
    await stage.instance.application.suppressions.create(stage.projectId, 'ada@example.com', {
      scope: 'marketing',
      reason: 'unsubscribe',
    });
    expect(await stage.send(message)).toMatchObject({ state: 'submitted' });
  });

  it('fails when its data break the template', async () => {
    const message = await stage.accept({
      content: { ...TransactionalStage.content, source: '{{ name | date: format }}', defaults: { format: '%Y' } },
    });
    await stage.sql(
      `update pennypost_delivery.transactional_message set content = jsonb_set(content, '{source}', '"{{ name"') where id = $1`,
      [message.id],
    );
    const failed = await stage.send(message);
    expect(failed).toMatchObject({ state: 'failed', attempts: 0, nextAttemptAt: undefined });
    expect(failed?.reply).toMatch(/name/);
    expect((await stage.look(message)).tries).toEqual([]);
  });
});

describe('a message whose job is lost', () => {
  it('gets one when it is due', async () => {
    const message = await stage.accept();
    await stage.forgetJobs();
    await stage.sender.requeue();
    await stage.sender.requeue();
    expect((await stage.jobs()).map((job) => job.data.messageId)).toEqual([message.id]);
  });
});

describe('the sweep', () => {
  const beat = (id: string) =>
    stage.delivery((service) =>
      service.lanes.saveWorker({
        id,
        host: 'h',
        pid: 1,
        lanes: ['transactional'],
        startedAt: stage.clock.now(),
        progress: { shards: 0, submitted: 0, perSecond: 0, unrecorded: 0 },
      }),
    );

  /** An attempt begun by a worker that does nothing more; this one has watched all the time. */
  const vanish = async (accepted: { readonly id: string }) => {
    const message = await stage.facts(accepted);
    const worker = idOf(stage.made, 0xf);
    await beat(worker);
    await beat(stage.instance.get(tokens.workerId));
    await stage.sql(`update pennypost_delivery.worker set steady_since = clock_timestamp() - interval '1 hour'`);
    const begun = await stage.delivery((service) =>
      service.transactional.beginAttempt(message, { workerId: worker, transport: 'memory' }),
    );
    if (begun === undefined) throw new Error('The message was not waiting.');
    await stage.sql(`update pennypost_delivery.worker set seen_at = clock_timestamp() - interval '1 hour' where id = $1`, [
      worker,
    ]);
    return { worker, begun };
  };

  it('puts an attempt in doubt whose worker is gone, and has it tried again by a job, with the mark', async () => {
    const message = await stage.accept();
    await vanish(message);
    await stage.forgetJobs();
    await stage.sender.sweep();
    const doubtful = await stage.look(message);
    expect(doubtful).toMatchObject({
      state: 'in_doubt',
      reply: 'the worker ended during the attempt',
      tries: [{ number: 1, outcome: 'in_doubt' }],
    });
    expect((await stage.jobs()).map((job) => job.start_after)).toEqual([doubtful.nextAttemptAt]);
    await stage.instance.pass(30_000);
    stage.answers = [anAttempt('deferred')];
    expect(await stage.send(message)).toMatchObject({ state: 'deferred', attempts: 2 });
    await stage.instance.pass(60_000);
    expect(await stage.send(message)).toMatchObject({ state: 'submitted', attempts: 3 });
    expect(stage.marked).toEqual([true, true]);
    expect(new Set(stage.handed).size).toBe(1);
  });

  it('gives jobs to what the worker had taken and not begun', async () => {
    const begun = await stage.accept();
    const taken = await stage.accept({ to: 'bob@example.com' });
    await vanish(begun);
    await stage.forgetJobs();
    await stage.sender.sweep();
    expect((await stage.jobs()).map((job) => job.data.messageId).sort()).toEqual([begun.id, taken.id].sort());
  });

  it('leaves an attempt alone whose worker lives', async () => {
    const message = await stage.accept();
    const { worker } = await vanish(message);
    await stage.instance.pass(24 * 60 * 60_000);
    await beat(worker);
    await stage.sender.sweep();
    expect((await stage.look(message)).state).toBe('attempting');
  });

  it('is taken back by a slow worker that withdraws the message: nothing was sent, and nobody is in doubt', async () => {
    const message = await stage.accept();
    const { begun } = await vanish(message);
    await stage.sender.sweep();
    await stage.delivery((service) => service.transactional.withdrawAttempt(begun));
    expect(await stage.look(message)).toMatchObject({ state: 'accepted', attempts: 0, tries: [] });
    expect(await stage.send(message)).toMatchObject({ state: 'submitted', attempts: 1 });
    expect(stage.marked).toEqual([false]);
  });

  it('does not undo what a slow worker tells in the end', async () => {
    const message = await stage.accept();
    const { begun } = await vanish(message);
    await stage.sender.sweep();
    expect(await stage.delivery((service) => service.transactional.endAttempt(begun, anAttempt('rejected')))).toMatchObject({
      state: 'rejected',
    });
    expect(await stage.look(message)).toMatchObject({ state: 'rejected', tries: [{ outcome: 'rejected' }] });
  });

  it('lets an acceptance told late win over a second attempt, whose failure then changes nothing', async () => {
    const message = await stage.accept();
    const { begun } = await vanish(message);
    await stage.sender.sweep();
    await stage.instance.pass(60_000);
    stage.answers = [
      async () => {
        await stage.delivery((service) => service.transactional.endAttempt(begun, anAttempt('submitted')));
        return anAttempt('deferred');
      },
    ];
    expect(await stage.send(message)).toBeUndefined();
    expect(await stage.look(message)).toMatchObject({ state: 'submitted', attempts: 2, nextAttemptAt: undefined });
  });

  it('does not let a failure told late end a second attempt', async () => {
    const message = await stage.accept();
    const { begun } = await vanish(message);
    await stage.sender.sweep();
    await stage.instance.pass(60_000);
    stage.answers = [
      async () => {
        expect(await stage.delivery((service) => service.transactional.endAttempt(begun, anAttempt('rejected')))).toBeUndefined();
        return anAttempt();
      },
    ];
    expect(await stage.send(message)).toMatchObject({ state: 'submitted', attempts: 2 });
  });
});
