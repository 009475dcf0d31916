import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { anAttempt } from '../../support/builders-delivery.ts';
import { TransactionalStage } from '../../support/transactional-stage.ts';

const stage = new TransactionalStage();
beforeAll(() => stage.open());
afterAll(() => stage.close());
beforeEach(() => stage.fresh());

const verbs = () => stage.instance.application.messages;
const found = async (search: Parameters<ReturnType<typeof verbs>['list']>[1]) =>
  (await verbs().list(stage.projectId, search)).items.map(({ id }) => id);
const soon = (ms: number) => new Date(stage.clock.now().getTime() + ms);

describe('a listing of messages', () => {
  it('finds them by recipient, tag, stream, state and time, also where a copy is what is meant', async () => {
    const receipt = await stage.accept({ stream: 'receipts', tags: ['order', 'eu'], metadata: { order: 4711 } });
    await stage.instance.pass(60_000);
    const between = stage.clock.now();
    await stage.instance.pass(60_000);
    const reset = await stage.accept({ to: 'bo@example.com', cc: 'Ada@example.com', tags: ['reset'] });
    await stage.instance.pass(1_000);
    const other = await stage.accept({ to: 'cy@example.com', stream: 'receipts' });
    stage.answers = [anAttempt('rejected')];
    await stage.send(other);
    const [, copy] = await stage.delivery((service) => service.transactional.get(stage.projectId, reset.id));
    stage.answers = [anAttempt('deferred')];
    await stage.send(copy!);

    expect(await found({})).toEqual([other.id, reset.id, receipt.id]);
    expect(await found({ recipient: 'ADA@example.com' })).toEqual([reset.id, receipt.id]);
    expect(await found({ recipient: 'ada@example.com', state: 'deferred' })).toEqual([reset.id]);
    expect(await found({ tag: 'order' })).toEqual([receipt.id]);
    expect(await found({ tag: 'eu', stream: 'receipts' })).toEqual([receipt.id]);
    expect(await found({ tag: 'reset', stream: 'receipts' })).toEqual([]);
    expect(await found({ stream: 'receipts' })).toEqual([other.id, receipt.id]);
    expect(await found({ state: 'rejected' })).toEqual([other.id]);
    expect(await found({ state: 'deferred' })).toEqual([reset.id]);
    expect(await found({ state: 'accepted' })).toEqual([reset.id, receipt.id]);
    expect(await found({ state: 'submitted' })).toEqual([]);
    await stage.send(receipt);
    expect(await found({ state: 'submitted' })).toEqual([receipt.id]);
    expect(await found({ since: between })).toEqual([other.id, reset.id]);
    expect(await found({ until: between })).toEqual([receipt.id]);
    expect(await stage.look(receipt)).toMatchObject({ stream: 'receipts', tags: ['order', 'eu'], metadata: { order: 4711 } });
  });

  it('goes on where its page ended, whatever it selects', async () => {
    const ids: string[] = [];
    for (let number = 0; number < 5; number += 1) ids.push((await stage.accept({ tags: ['order'] })).id);
    ids.sort().reverse();
    for (const search of [{}, { tag: 'order' }, { recipient: 'ada@example.com' }]) {
      const pages: string[][] = [];
      for (let after: string | undefined; ; ) {
        const page = await verbs().list(stage.projectId, { ...search, limit: 2, after });
        pages.push(page.items.map(({ id }) => id));
        after = page.next;
        if (after === undefined) break;
      }
      expect(pages).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
    }
  });

  it.each([
    ['a tag with a blank', { tags: ['an order'] }, '/tags/0'],
    ['a tag with a line break', { tags: ['a\r\nb'] }, '/tags/0'],
    ['eleven tags', { tags: Array.from({ length: 11 }, (_, index) => `t${index}`) }, '/tags'],
    ['a stream in capitals', { stream: 'Receipts' }, '/stream'],
    ['a stream with a line break', { stream: 'receipts\n' }, '/stream'],
    ['metadata of more than 4 kB', { metadata: { text: 'x'.repeat(5_000) } }, '/metadata'],
  ])('is spared %s', async (_, given, pointer) => {
    await expect(stage.accept(given)).rejects.toMatchObject({ code: 'input.invalid', pointer });
    expect(await found({})).toEqual([]);
  });
});

describe('a scheduled message', () => {
  it('waits for its time, and has its lifetime from then', async () => {
    const sendAt = soon(3 * 86_400_000);
    const message = await stage.accept({ sendAt });
    expect(message).toMatchObject({ state: 'scheduled', sendAt });
    expect((await stage.jobs()).map((job) => job.start_after)).toEqual([sendAt]);
    expect(await stage.send(message)).toBeUndefined();
    expect(stage.sent).toEqual([]);
    await stage.instance.pass(3 * 86_400_000);
    stage.answers = [anAttempt('deferred')];
    expect(await stage.send(message)).toMatchObject({ state: 'deferred' });
    expect(stage.sent).toHaveLength(1);
  });

  it('is sent at once when its time has passed', async () => {
    expect(await stage.accept({ sendAt: soon(-1_000) })).toMatchObject({ state: 'accepted' });
  });

  it('can be cancelled, once, and is not sent then', async () => {
    const message = await stage.accept({ sendAt: soon(60_000), cc: 'bo@example.com' });
    const cancelled = await verbs().cancel(stage.projectId, message.id);
    expect([cancelled.state, ...cancelled.recipients.map(({ state }) => state)]).toEqual(Array(3).fill('cancelled'));
    await stage.instance.pass(120_000);
    expect(await stage.send(message)).toBeUndefined();
    expect(stage.sent).toEqual([]);
    await expect(verbs().cancel(stage.projectId, message.id)).rejects.toMatchObject({ code: 'message.not_waiting' });
  });

  it('is cancelled only for the recipients that wait, and in its own project', async () => {
    const message = await stage.accept({ cc: 'bo@example.com' });
    await stage.send(message);
    const other = await stage.project();
    await expect(verbs().cancel(other, message.id)).rejects.toMatchObject({ code: 'resource.not_found' });
    const { state, recipients } = await verbs().cancel(stage.projectId, message.id);
    expect([state, ...recipients.map((one) => one.state)]).toEqual(['cancelled', 'submitted', 'cancelled']);
  });
});

describe('a suppressed recipient', () => {
  const suppress = (scope: string) =>
    stage.instance.application.suppressions.create(stage.projectId, 'ada@example.com', { scope, reason: 'unsubscribe' });

  it('is skipped when the message is accepted, while the others are mailed', async () => {
    await suppress('project');
    const message = await stage.accept({ cc: 'bo@example.com' });
    expect(message).toMatchObject({
      state: 'accepted',
      recipients: [
        { state: 'skipped', reply: 'suppressed (unsubscribe)' },
        { state: 'accepted', reply: undefined },
      ],
    });
    expect(await stage.jobs()).toHaveLength(1);
    expect((await stage.accept({ to: 'bo@example.com', cc: 'Ada@EXAMPLE.com' })).recipients[1]).toMatchObject({
      state: 'skipped',
    });
  });

  it('of one stream is skipped in that stream alone, at acceptance and before the message leaves', async () => {
    const before = await stage.accept({ stream: 'offers' });
    await suppress('stream:offers');
    expect(await stage.send(before)).toMatchObject({ state: 'skipped', reply: 'suppressed (unsubscribe)' });
    expect(await stage.accept({ stream: 'offers' })).toMatchObject({ state: 'skipped' });
    expect(await stage.accept({ stream: 'receipts' })).toMatchObject({ state: 'accepted' });
    expect(await stage.accept()).toMatchObject({ state: 'accepted' });
    expect(await stage.instance.application.suppressions.lift(stage.projectId, 'ada@example.com', 'stream:offers')).toBe(true);
    expect(await stage.accept({ stream: 'offers' })).toMatchObject({ state: 'accepted' });
  });
});

describe('the unsubscribe link of a stream', () => {
  const request = {
    method: 'POST',
    userAgent: 'Mail/1.0',
    secFetchSite: undefined,
    secFetchMode: undefined,
    secFetchDest: undefined,
  };
  const byClick = { ...request, purpose: undefined, ip: undefined };
  const recipients = () => stage.instance.application.recipients;
  /** The token of the link in the latest message. */
  const token = () => /^List-Unsubscribe: <[^>]*\/u\/([^>]+)>\r$/m.exec(stage.sent.at(-1)?.text ?? '')?.[1] ?? '';

  it('stops this stream for this recipient alone, by one click, and can be taken back by the same link', async () => {
    const offer = { stream: 'offers', unsubscribe: true, cc: 'bo@example.com' };
    await stage.send(await stage.accept(offer));
    expect(stage.sent[0]?.text).toContain('\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n');
    expect(await recipients().openUnsubscribe(token())).toMatchObject({
      maskedAddress: 'a…@example.com',
      listNames: ['offers'],
      alreadyUnsubscribed: false,
    });
    expect([await recipients().unsubscribe(token(), byClick), await recipients().unsubscribe(token(), byClick)]).toEqual([
      true,
      true,
    ]);
    expect((await stage.accept(offer)).recipients.map(({ state }) => state)).toEqual(['skipped', 'accepted']);
    expect(await stage.accept({ stream: 'receipts' })).toMatchObject({ state: 'accepted' });
    expect(await recipients().openUnsubscribe(token())).toMatchObject({ alreadyUnsubscribed: true, undoable: true });
    expect([await recipients().resubscribe(token(), byClick), await recipients().resubscribe(token(), byClick)]).toEqual([
      true,
      false,
    ]);
    expect(await stage.accept(offer)).toMatchObject({ state: 'accepted' });
  });

  it('is in no message that does not ask for it, and needs a stream', async () => {
    await stage.send(await stage.accept({ stream: 'receipts' }));
    expect(stage.sent[0]?.text).not.toMatch(/List-Unsubscribe/);
    await expect(stage.accept({ unsubscribe: true })).rejects.toMatchObject({ code: 'input.invalid', pointer: '/unsubscribe' });
  });

  it('leads nowhere once its recipient is erased', async () => {
    await stage.instance.application.subscribers.upsert(stage.projectId, { email: 'ada@example.com' });
    await stage.send(await stage.accept({ stream: 'offers', unsubscribe: true }));
    await stage.instance.application.subscribers.erase(stage.projectId, 'ada@example.com');
    expect(await recipients().openUnsubscribe(token())).toBeUndefined();
    expect(await recipients().unsubscribe(token(), byClick)).toBe(false);
  });
});
