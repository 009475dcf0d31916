import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SendTransactional } from '../../../src/application/delivery/send-transactional.ts';
import { type Attempt, DeliveryService, type TransactionalMessage } from '../../../src/domain/delivery/index.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { PostgresDeliveryStore } from '../../../src/infrastructure/postgres/delivery-store.ts';
import { inTransaction } from '../../../src/infrastructure/postgres/session.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { anAttempt, idOf } from '../../support/builders-delivery.ts';
import { aHandClock } from '../../support/hand-clock.ts';
import { openTestInstance, type TestInstance } from '../../support/instance.ts';

const content = {
  kind: 'text',
  source: 'Hello {{ name }}',
  subject: 'Your code',
  author: { address: 'hello@news.example.com' },
} as const;

let instance: TestInstance;
let projectId: string;
let made = 0;
const clock = aHandClock();
/** What the next attempts come to; submitted when there is nothing more. */
let answers: (Attempt | (() => Promise<Attempt>))[] = [];
let handed: string[] = [];

beforeAll(async () => {
  const transport = new MemoryTransport({
    answer: async (message) => {
      handed.push(/^Message-ID: (.*)\r$/im.exec(Buffer.from(message.content).toString())?.[1] ?? 'no Message-ID');
      const answer = answers.shift() ?? anAttempt();
      return typeof answer === 'function' ? answer() : answer;
    },
  });
  instance = await openTestInstance({ transport, clock });
});
afterAll(() => instance.close());
beforeEach(async () => {
  answers = [];
  handed = [];
  made += 1;
  const project = await instance.application.access.createProject({
    name: `P${made}`,
    senderDomain: 'news.example.com',
    postalAddress: '1 Road',
  });
  projectId = project.id;
  await sql('truncate pennypost_delivery.transactional_message cascade');
  await sql('delete from pennypost_jobs.job where name = $1', ['transactional.send']);
});

const sender = () => instance.get(tokens.transactional);
const sql = <Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> =>
  inTransaction(instance.get(tokens.surroundings).orm, (session) => session.sql.query<Row>(text, values));
const accept = (given: object = {}): Promise<TransactionalMessage> =>
  instance.application.messages.send(projectId, { to: 'ada@example.com', content, variables: { name: 'Ada' }, ...given });
const send = (message: TransactionalMessage) => sender().send(projectId, message.id);
const look = (message: TransactionalMessage) => instance.application.messages.get(projectId, message.id);
const jobs = () =>
  sql<{ data: { messageId: string }; start_after: Date }>(
    `select data, start_after from pennypost_jobs.job where name = 'transactional.send' and state = 'created' order by created_on`,
  );
const delivery = <T>(work: (service: DeliveryService) => Promise<T>): Promise<T> =>
  inTransaction(instance.get(tokens.surroundings).orm, (session) =>
    work(
      new DeliveryService({ store: new PostgresDeliveryStore(session), clock, ids: { next: () => idOf(1) }, random: () => 1 }),
    ),
  );

describe('a transactional message', () => {
  it('is accepted with its job in one transaction', async () => {
    const message = await accept();
    expect(message).toMatchObject({ state: 'accepted', attempts: 0, recipient: { address: 'ada@example.com', smtputf8: false } });
    expect((await jobs()).map((job) => job.data.messageId)).toEqual([message.id]);
  });

  it('is not there when its job could not be enqueued', async () => {
    await sql(`alter table pennypost_jobs.queue rename to queue_away`);
    try {
      await expect(accept()).rejects.toThrow();
    } finally {
      await sql(`alter table pennypost_jobs.queue_away rename to queue`);
    }
    expect((await instance.application.messages.list(projectId, {})).items).toEqual([]);
  });

  it.each([
    ['no content and no template', { content: undefined }, 'input.invalid'],
    ['an impossible address', { to: 'ada at example.com' }, undefined],
    ['a template of nobody', { content: undefined, templateId: idOf(5) }, 'resource.not_found'],
    ['variables of more than 256 kB', { variables: { name: 'x'.repeat(300_000) } }, 'input.invalid'],
    ['an empty idempotency key', { idempotencyKey: '' }, 'input.invalid'],
    ['an idempotency key of 257 characters', { idempotencyKey: 'k'.repeat(257) }, 'input.invalid'],
    ['a syntax error in its template', { content: { ...content, source: 'Hello {{ name' } }, 'content.invalid'],
    ['a variable that nobody gives', { variables: {} }, 'content.invalid'],
  ])('with %s is refused, and nothing is stored', async (_, given, code) => {
    await expect(accept(given)).rejects.toMatchObject(code === undefined ? {} : { code });
    expect((await instance.application.messages.list(projectId, {})).items).toEqual([]);
    expect(await jobs()).toEqual([]);
  });

  it('keeps variables without the characters that PostgreSQL stores nowhere', async () => {
    const message = await accept({ variables: { name: 'A\0da \ud800', deep: [{ 'k\0ey': '\udc00' }] } });
    expect((await look(message)).variables).toEqual({ name: 'Ada \ufffd', deep: [{ key: '\ufffd' }] });
  });

  it('cannot be nested without end', async () => {
    let variables: object = {};
    for (let depth = 0; depth < 10_000; depth += 1) variables = { variables };
    await expect(accept({ variables: { name: 'x', ...variables } })).rejects.toMatchObject({
      code: 'input.invalid',
      pointer: '/variables',
    });
  });

  it('keeps the template as it was when it was accepted', async () => {
    const template = await instance.application.templates.create(projectId, 'Code', content);
    const message = await accept({ content: undefined, templateId: template.id });
    await instance.application.templates.edit(projectId, template.id, { content: { ...content, subject: 'Another' } });
    expect((await look(message)).content).toMatchObject({ subject: 'Your code' });
  });
});

describe('an idempotency key', () => {
  it('gives the same message for the same request, in whatever order its names come', async () => {
    const first = await accept({ idempotencyKey: 'k', variables: { name: 'Ada', seats: 3 } });
    const again = await accept({ idempotencyKey: 'k', variables: { seats: 3, name: 'Ada' } });
    expect(again.id).toBe(first.id);
    expect(await jobs()).toHaveLength(1);
  });

  it('answers a replay with the message as it is now', async () => {
    const first = await accept({ idempotencyKey: 'k' });
    await send(first);
    expect(await accept({ idempotencyKey: 'k' })).toMatchObject({ id: first.id, state: 'submitted' });
  });

  it('refuses another request', async () => {
    await accept({ idempotencyKey: 'k' });
    await expect(accept({ idempotencyKey: 'k', to: 'bob@example.com' })).rejects.toMatchObject({
      code: 'message.idempotency_conflict',
    });
  });

  it("is one project's own", async () => {
    const mine = await accept({ idempotencyKey: 'k' });
    const other = await instance.application.access.createProject({
      name: 'Other',
      slug: `other-${made}`,
      senderDomain: 'news.example.com',
      postalAddress: '1 Road',
    });
    const theirs = await instance.application.messages.send(other.id, {
      to: 'ada@example.com',
      content,
      variables: { name: 'Ada' },
      idempotencyKey: 'k',
    });
    expect(theirs.id).not.toBe(mine.id);
  });

  it('gives one message and one job for fifty equal requests at once', async () => {
    const messages = await Promise.all(Array.from({ length: 50 }, () => accept({ idempotencyKey: 'k' })));
    expect(new Set(messages.map((message) => message.id)).size).toBe(1);
    expect(await jobs()).toHaveLength(1);
  });

  it('lets one of several different requests at once win, and refuses the others', async () => {
    const answered = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => accept({ idempotencyKey: 'k', to: `p${index}@example.com` })),
    );
    expect(answered.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    expect(answered.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))).toEqual(
      Array.from({ length: 19 }, () => 'message.idempotency_conflict'),
    );
  });
});

describe('an attempt', () => {
  it('that is submitted ends the message', async () => {
    const message = await accept();
    expect(await send(message)).toMatchObject({ state: 'submitted', attempts: 1, code: 250, nextAttemptAt: undefined });
    expect((await look(message)).tries).toMatchObject([{ number: 1, outcome: 'submitted', code: 250 }]);
    expect(await send(message)).toBeUndefined();
    expect(handed).toHaveLength(1);
  });

  it('is made by one of many who try at once', async () => {
    const message = await accept();
    const sent = await Promise.all(Array.from({ length: 10 }, () => send(message)));
    expect([handed.length, sent.filter((one) => one !== undefined).length]).toEqual([1, 1]);
  });

  it('is committed as started before anything is written', async () => {
    const message = await accept();
    let during: string | undefined;
    answers = [
      async () => {
        during = (await look(message)).state;
        return anAttempt();
      },
    ];
    await send(message);
    expect(during).toBe('attempting');
  });

  it('that is deferred is followed by another, by a job that starts then, with the same Message-ID', async () => {
    const message = await accept();
    await sql('delete from pennypost_jobs.job where name = $1', ['transactional.send']);
    answers = [anAttempt('deferred')];
    const deferred = await send(message);
    expect(deferred).toMatchObject({ state: 'deferred', attempts: 1 });
    const wait = (deferred?.nextAttemptAt?.getTime() ?? 0) - clock.now().getTime();
    expect(wait).toBeGreaterThanOrEqual(15_000);
    expect(wait).toBeLessThanOrEqual(30_000);
    expect((await jobs()).at(-1)?.start_after.getTime()).toBe(deferred?.nextAttemptAt?.getTime());
    expect(await send(message)).toBeUndefined();
    clock.pass(30_000);
    expect(await send(message)).toMatchObject({ state: 'submitted', attempts: 2 });
    expect(new Set(handed).size).toBe(1);
  });

  it('that is in doubt is followed by another, by policy', async () => {
    const message = await accept();
    answers = [anAttempt('in_doubt')];
    expect(await send(message)).toMatchObject({ state: 'in_doubt' });
    clock.pass(30_000);
    expect(await send(message)).toMatchObject({ state: 'submitted', attempts: 2 });
    expect(new Set(handed).size).toBe(1);
  });

  it('that is rejected is the last', async () => {
    const message = await accept();
    answers = [anAttempt('rejected')];
    expect(await send(message)).toMatchObject({ state: 'rejected', code: 550, nextAttemptAt: undefined });
    clock.pass(3_600_000);
    expect(await send(message)).toBeUndefined();
  });

  it('is not made again after 24 hours', async () => {
    const message = await accept();
    clock.pass(24 * 3_600_000 - 1);
    answers = [anAttempt('deferred'), anAttempt('deferred')];
    expect(await send(message)).toMatchObject({ state: 'deferred' });
    clock.pass(60_000);
    expect(await send(message)).toMatchObject({ state: 'expired', nextAttemptAt: undefined });
  });

  it('that was withdrawn before a byte was written leaves no trace', async () => {
    const message = await accept();
    const transport = new MemoryTransport();
    await transport.close();
    const sending = new SendTransactional({ ...depsOf(), transport });
    await sending.send(projectId, message.id);
    expect(await look(message)).toMatchObject({ state: 'accepted', attempts: 0, tries: [] });
    expect(await send(message)).toMatchObject({ state: 'submitted', attempts: 1 });
  });

  it('whose end cannot be written is kept until the database is back, and not made again', async () => {
    const message = await accept();
    let failures = 3;
    const work = instance.get(tokens.work);
    const flaky = {
      ...depsOf(),
      work: {
        ...depsOf().work,
        run: ((does: Parameters<typeof work.run>[0]) =>
          handed.length > 0 && failures-- > 0 ? Promise.reject(new Error('away')) : work.run(does)) as typeof work.run,
      },
      isTransient: (error: unknown) => error instanceof Error && error.message === 'away',
    };
    const sending = new SendTransactional(flaky);
    expect(await sending.send(projectId, message.id)).toMatchObject({ state: 'submitted' });
    expect([failures, handed.length]).toEqual([-1, 1]);
  });

  const depsOf = () => ({
    work: instance.get(tokens.work),
    renderer: instance.get(tokens.renderer),
    transport: instance.get(tokens.transport),
    keys: instance.keys,
    clock,
    workerId: instance.get(tokens.workerId),
    isTransient: () => false,
  });
});

describe('a message that is not handed over', () => {
  it('is skipped when its recipient is suppressed in the whole project', async () => {
    const message = await accept();
    await instance.application.audience.suppress(projectId, 'ada@example.com', { scope: 'project', reason: 'hard_bounce' });
    expect(await send(message)).toMatchObject({ state: 'skipped', reply: 'suppressed (hard_bounce)', attempts: 0 });
    expect((await look(message)).tries).toEqual([]);
    expect(handed).toEqual([]);
  });

  it('is sent although its recipient left marketing', async () => {
    const message = await accept();
    await instance.application.audience.suppress(projectId, 'ada@example.com', { scope: 'marketing', reason: 'unsubscribe' });
    expect(await send(message)).toMatchObject({ state: 'submitted' });
  });

  it('fails when its data break the template', async () => {
    const message = await accept({ content: { ...content, source: '{{ name | date: format }}', defaults: { format: '%Y' } } });
    await sql(
      `update pennypost_delivery.transactional_message set content = jsonb_set(content, '{source}', '"{{ name"') where id = $1`,
      [message.id],
    );
    const failed = await send(message);
    expect(failed).toMatchObject({ state: 'failed', attempts: 0, nextAttemptAt: undefined });
    expect(failed?.reply).toMatch(/name/);
    expect((await look(message)).tries).toEqual([]);
  });
});

describe('the sweep', () => {
  /** An attempt begun by a worker that does nothing more. */
  const vanish = (message: TransactionalMessage) =>
    delivery(async (service) => {
      const worker = idOf(made, 0xf);
      const progress = { shards: 0, submitted: 0, perSecond: 0, unrecorded: 0 };
      await service.saveWorker({ id: worker, host: 'h', pid: 1, lanes: ['transactional'], startedAt: clock.now(), progress });
      const begun = await service.beginAttempt(message, worker);
      if (begun === undefined) throw new Error('The message was not waiting.');
      return { worker, begun };
    });
  /** The worker's last beat, by the clock of the specification. */
  const seen = (worker: string, at: Date) => sql('update pennypost_delivery.worker set seen_at = $2 where id = $1', [worker, at]);

  it('finds messages that are due without a job', async () => {
    const message = await accept();
    await sql('delete from pennypost_jobs.job where name = $1', ['transactional.send']);
    await sender().sweep();
    await sender().sweep();
    expect((await jobs()).map((job) => job.data.messageId)).toEqual([message.id]);
  });

  it('puts an attempt in doubt whose worker has not been seen for a minute, and has it tried again', async () => {
    const message = await accept();
    const { worker } = await vanish(message);
    await seen(worker, clock.now());
    clock.pass(61_000);
    await sender().sweep();
    expect(await look(message)).toMatchObject({
      state: 'in_doubt',
      reply: 'the worker vanished during the attempt',
      tries: [{ number: 1, outcome: 'in_doubt' }],
    });
    clock.pass(30_000);
    expect(await send(message)).toMatchObject({ state: 'submitted', attempts: 2 });
  });

  it('leaves an attempt alone whose worker lives, until half an hour has passed', async () => {
    const message = await accept();
    const { worker } = await vanish(message);
    clock.pass(10 * 60_000);
    await seen(worker, clock.now());
    await sender().sweep();
    expect((await look(message)).state).toBe('attempting');
    clock.pass(21 * 60_000);
    await seen(worker, clock.now());
    await sender().sweep();
    expect((await look(message)).state).toBe('in_doubt');
  });

  it('leaves an attempt alone that has just begun, whoever makes it', async () => {
    const message = await accept();
    const { worker } = await vanish(message);
    await sql('delete from pennypost_delivery.worker where id = $1', [worker]);
    await sender().sweep();
    expect((await look(message)).state).toBe('attempting');
  });

  it('does not undo what a slow worker tells in the end', async () => {
    const message = await accept();
    const { begun } = await vanish(message);
    clock.pass(31 * 60_000);
    await sender().sweep();
    expect(await delivery((service) => service.endAttempt(begun, anAttempt('rejected')))).toMatchObject({ state: 'rejected' });
    expect(await look(message)).toMatchObject({ state: 'rejected', tries: [{ outcome: 'rejected' }] });
  });

  it('lets an acceptance told late win over a second attempt, whose failure then changes nothing', async () => {
    const message = await accept();
    const { begun } = await vanish(message);
    clock.pass(31 * 60_000);
    await sender().sweep();
    clock.pass(60_000);
    answers = [
      async () => {
        await delivery((service) => service.endAttempt(begun, anAttempt('submitted')));
        return anAttempt('deferred');
      },
    ];
    expect(await send(message)).toBeUndefined();
    expect(await look(message)).toMatchObject({ state: 'submitted', attempts: 2, nextAttemptAt: undefined });
  });

  it('does not let a failure told late end a second attempt', async () => {
    const message = await accept();
    const { begun } = await vanish(message);
    clock.pass(31 * 60_000);
    await sender().sweep();
    clock.pass(60_000);
    answers = [
      async () => {
        expect(await delivery((service) => service.endAttempt(begun, anAttempt('rejected')))).toBeUndefined();
        return anAttempt();
      },
    ];
    expect(await send(message)).toMatchObject({ state: 'submitted', attempts: 2 });
  });
});
