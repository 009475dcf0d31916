import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TransactionalStage } from '../../support/transactional-stage.ts';

const stage = new TransactionalStage();
beforeAll(() => stage.open());
afterAll(() => stage.close());
beforeEach(() => stage.fresh());

const message = (given: object = {}) => ({
  to: 'ada@example.com',
  content: TransactionalStage.content,
  variables: { name: 'Ada' },
  ...given,
});
const sendBatch = (messages: readonly unknown[], options: { idempotencyKey?: string } = {}) =>
  stage.instance.application.messages.sendBatch(stage.projectId, messages as ReturnType<typeof message>[], options);
const stored = async () => (await stage.messages()).length;

describe('a batch', () => {
  it('gives each message its own result, in order, and stores all that are accepted', async () => {
    const { templates } = stage.instance.application;
    const template = await templates.create(stage.projectId, { name: 'Code', content: TransactionalStage.content });
    const { results, replayed } = await sendBatch([
      message({
        cc: 'bo@example.com',
        tags: ['order'],
        attachments: [{ name: 'a.pdf', type: 'application/pdf', content: 'JVBERg==' }],
      }),
      message({ to: 'ada at example.com' }),
      message({ content: undefined, template: 'code' }),
      message({ content: undefined, template: 'receipt' }),
      message({ variables: {} }),
      message({ colour: 'red' }),
      message({ idempotencyKey: 'k' }),
      message({ sendAt: 'tomorrow' }),
      message({ from: 'shop@elsewhere.example' }),
      'no message',
      message({ content: undefined, template: template.id, stream: 'receipts' }),
    ]);
    expect(replayed).toBe(false);
    expect(results.map(({ message: accepted, error }) => accepted?.state ?? [error?.code, error?.pointer])).toEqual([
      'accepted',
      ['input.invalid', '/messages/1/to'],
      'accepted',
      ['resource.not_found', '/messages/3'],
      ['content.invalid', '/messages/4/content'],
      ['input.invalid', '/messages/5/colour'],
      ['input.invalid', '/messages/6/idempotencyKey'],
      ['input.invalid', '/messages/7/sendAt'],
      ['project.author_refused', expect.stringContaining('/messages/8')],
      ['input.invalid', '/messages/9'],
      'accepted',
    ]);
    expect(await stored()).toBe(3);
    expect(await stage.jobs()).toHaveLength(4);
    const [first] = results;
    expect(await stage.instance.application.messages.get(stage.projectId, first?.message?.id ?? '')).toMatchObject({
      tags: ['order'],
      recipients: [{ address: 'ada@example.com' }, { address: 'bo@example.com' }],
    });
    expect(await stage.send({ id: first?.message?.id ?? '' })).toMatchObject({ state: 'submitted' });
    expect(stage.sent[0]?.text).toContain('filename="a.pdf"');
  });

  it('takes 500 messages in one transaction, and no more', async () => {
    const { results } = await sendBatch(Array.from({ length: 500 }, (_, index) => message({ to: `p${index}@example.com` })));
    expect(results.filter(({ error }) => error === undefined)).toHaveLength(500);
    expect(await stage.sql('select distinct xmin::text from pennypost_delivery.transactional_message')).toHaveLength(1);
    expect(await stage.jobs()).toHaveLength(500);
    for (const length of [0, 501])
      await expect(sendBatch(Array.from({ length }, () => message()))).rejects.toMatchObject({ code: 'input.invalid' });
  });

  it('is not there when its jobs could not be enqueued', async () => {
    await stage.sql('alter table pennypost_jobs.queue rename to queue_away');
    try {
      await expect(sendBatch([message()], { idempotencyKey: 'k' })).rejects.toThrow();
    } finally {
      await stage.sql('alter table pennypost_jobs.queue_away rename to queue');
    }
    expect(await stored()).toBe(0);
    expect(await sendBatch([message()], { idempotencyKey: 'k' })).toMatchObject({ replayed: false });
  });

  it('with an idempotency key is one batch, answered the same again, whatever has become of its messages', async () => {
    const request = [message(), message({ to: 'nobody' }), message({ sendAt: new Date(stage.clock.now().getTime() + 60_000) })];
    const first = await sendBatch(request, { idempotencyKey: 'k' });
    await stage.send({ id: first.results[0]?.message?.id ?? '' });
    const again = await sendBatch(request, { idempotencyKey: 'k' });
    expect(again).toEqual({ ...first, replayed: true });
    expect(await stored()).toBe(2);
    await expect(sendBatch([message()], { idempotencyKey: 'k' })).rejects.toMatchObject({
      code: 'message.idempotency_conflict',
    });
    // A message and a batch are different routes, and so are their keys.
    expect(await stage.accept({ idempotencyKey: 'k' })).toMatchObject({ replayed: false });
  });

  it('is one batch for fifty equal requests at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => sendBatch([message(), message({ to: 'bo@example.com' })], { idempotencyKey: 'k' })),
    );
    expect(new Set(answers.map(({ results }) => results[0]?.message?.id)).size).toBe(1);
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect([await stored(), (await stage.jobs()).length]).toEqual([2, 2]);
  });

  it('forgets what it answered with an address that is erased', async () => {
    const { subscribers } = stage.instance.application;
    await subscribers.upsert(stage.projectId, { email: 'eve@example.com' });
    await sendBatch([message(), message({ to: 'eve@example.com,x' })], { idempotencyKey: 'k' });
    const answers = () =>
      stage.sql('select answer from pennypost_delivery.message_batch where project_id = $1', [stage.projectId]);
    expect(JSON.stringify(await answers())).toContain('eve@example.com');
    await subscribers.erase(stage.projectId, 'eve@example.com');
    expect(await answers()).toEqual([]);
  });
});
