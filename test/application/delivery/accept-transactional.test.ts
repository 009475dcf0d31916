import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { tokens } from '../../../src/infrastructure/container.ts';
import { idOf } from '../../support/builders-delivery.ts';
import { TransactionalStage } from '../../support/transactional-stage.ts';

const stage = new TransactionalStage();
beforeAll(() => stage.open());
afterAll(() => stage.close());
beforeEach(() => stage.fresh());

describe('a transactional message', () => {
  it('is accepted with its job in one transaction', async () => {
    const message = await stage.accept();
    expect(message).toMatchObject({
      state: 'accepted',
      recipients: [{ field: 'to', address: 'ada@example.com', state: 'accepted', attempts: 0 }],
    });
    expect((await stage.jobs()).map((job) => job.data.messageId)).toEqual([message.id]);
  });

  it('takes one read and one short transaction, and no transaction to be sent; nothing in them notifies', async () => {
    // A worker knows the routes of a project from its first message on, and reads every second which have changed.
    await stage.send(await stage.accept());
    await stage.instance.get(tokens.routing).refresh();
    const said: string[] = [];
    const query = vi.spyOn(pg.Client.prototype, 'query');
    const statements = async (work: () => Promise<unknown>): Promise<string[]> => {
      query.mockClear();
      await work();
      const texts = query.mock.calls.map(([what]) =>
        typeof what === 'string' ? what : String(Reflect.get(Object(what), 'text')),
      );
      // What wakes workers is a statement of its own, after the commit.
      const ours = texts.filter((text) => !text.startsWith('select pg_notify'));
      said.push(...ours);
      return ours.map((text) => /[a-z]+/i.exec(text)?.[0].toLowerCase() ?? '');
    };
    try {
      let id = '';
      expect(
        await statements(async () => {
          id = (await stage.accept()).id;
        }),
      ).toEqual(['select', 'select', 'begin', 'insert', 'insert', 'commit']);
      expect(await statements(() => stage.sender.send(stage.projectId, id))).toEqual([
        ...['select', 'select'],
        ...['select', 'with'],
        'with',
      ]);
      expect(said.filter((text) => /notify/i.test(text))).toEqual([]);
    } finally {
      query.mockRestore();
    }
  });

  it('is not there when its job could not be enqueued', async () => {
    await stage.sql(`alter table pennypost_jobs.queue rename to queue_away`);
    try {
      await expect(stage.accept()).rejects.toThrow();
    } finally {
      await stage.sql(`alter table pennypost_jobs.queue_away rename to queue`);
    }
    expect(await stage.messages()).toEqual([]);
  });

  it.each([
    ['no content and no template', { content: undefined }, 'input.invalid'],
    ['an impossible address', { to: 'ada at example.com' }, undefined],
    ['a template of nobody', { content: undefined, template: idOf(5) }, 'resource.not_found'],
    ['variables of more than 256 kB', { variables: { name: 'x'.repeat(300_000) } }, 'input.invalid'],
    ['an empty idempotency key', { idempotencyKey: '' }, 'input.invalid'],
    ['an idempotency key of 257 characters', { idempotencyKey: 'k'.repeat(257) }, 'input.invalid'],
    [
      'a syntax error in its template',
      { content: { ...TransactionalStage.content, source: 'Hello {{ name' } },
      'content.invalid',
    ],
    ['a variable that nobody gives', { variables: {} }, 'content.invalid'],
  ])('with %s is refused, and nothing is stored', async (_, given, code) => {
    await expect(stage.accept(given)).rejects.toMatchObject(code === undefined ? {} : { code });
    expect(await stage.messages()).toEqual([]);
    expect(await stage.jobs()).toEqual([]);
  });

  it('keeps variables without the characters that PostgreSQL stores nowhere', async () => {
    const message = await stage.accept({ variables: { name: 'A\0da \ud800', deep: [{ 'k\0ey': '\udc00' }] } });
    expect((await stage.kept(message)).variables).toEqual({ name: 'Ada \ufffd', deep: [{ key: '\ufffd' }] });
  });

  it('cannot be nested without end', async () => {
    let variables: object = {};
    for (let depth = 0; depth < 10_000; depth += 1) variables = { variables };
    await expect(stage.accept({ variables: { name: 'x', ...variables } })).rejects.toMatchObject({
      code: 'input.invalid',
      pointer: '/variables',
    });
  });

  it('keeps the template as it was when it was accepted', async () => {
    const template = await stage.instance.application.templates.create(stage.projectId, {
      name: 'Code',
      content: TransactionalStage.content,
    });
    const message = await stage.accept({ content: undefined, template: template.id });
    await stage.instance.application.templates.update(stage.projectId, template.id, {
      content: { ...TransactionalStage.content, subject: 'Another' },
    });
    expect((await stage.kept(message)).content).toMatchObject({ subject: 'Your code' });
  });
});

describe('an idempotency key', () => {
  it('gives the same message for the same request, in whatever order its names come', async () => {
    const first = await stage.accept({ idempotencyKey: 'k', variables: { name: 'Ada', seats: 3 } });
    const again = await stage.accept({ idempotencyKey: 'k', variables: { seats: 3, name: 'Ada' } });
    expect(again.id).toBe(first.id);
    expect(await stage.jobs()).toHaveLength(1);
  });

  it('answers a replay as it answered first, and says so, whatever has become of the message', async () => {
    const request = { idempotencyKey: 'k', cc: 'bo@example.com', bcc: 'cy@example.com' };
    await stage.instance.application.suppressions.create(stage.projectId, 'bo@example.com');
    const first = await stage.accept(request);
    await stage.send(first);
    expect(await stage.instance.application.messages.get(stage.projectId, first.id)).toMatchObject({
      recipients: [{ state: 'submitted' }, { state: 'skipped' }, { state: 'accepted' }],
    });
    expect(await stage.accept(request)).toEqual({ ...first, replayed: true });
  });

  it('refuses another request', async () => {
    await stage.accept({ idempotencyKey: 'k' });
    await expect(stage.accept({ idempotencyKey: 'k', to: 'bob@example.com' })).rejects.toMatchObject({
      code: 'message.idempotency_conflict',
    });
  });

  it("is one project's own", async () => {
    const mine = await stage.accept({ idempotencyKey: 'k' });
    const other = await stage.project();
    const theirs = await stage.instance.application.messages.send(other, {
      to: 'ada@example.com',
      content: TransactionalStage.content,
      variables: { name: 'Ada' },
      idempotencyKey: 'k',
    });
    expect(theirs.id).not.toBe(mine.id);
  });

  it('gives one message and one job for fifty equal requests at once', async () => {
    const messages = await Promise.all(Array.from({ length: 50 }, () => stage.accept({ idempotencyKey: 'k' })));
    expect(new Set(messages.map((message) => message.id)).size).toBe(1);
    expect(await stage.jobs()).toHaveLength(1);
  });

  it('lets one of several different requests at once win, and refuses the others', async () => {
    const answered = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => stage.accept({ idempotencyKey: 'k', to: `p${index}@example.com` })),
    );
    expect(answered.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    expect(answered.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))).toEqual(
      Array.from({ length: 19 }, () => 'message.idempotency_conflict'),
    );
  });
});
