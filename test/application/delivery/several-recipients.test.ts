import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { anAttempt } from '../../support/builders-delivery.ts';
import { TransactionalStage } from '../../support/transactional-stage.ts';

const stage = new TransactionalStage();
beforeAll(() => stage.open());
afterAll(() => stage.close());
beforeEach(() => stage.fresh());

const PEOPLE = {
  to: ['Ada Lee <ada@example.com>', { address: 'bo@example.com' }],
  cc: 'cy@example.com',
  bcc: ['di@example.com'],
};
const PDF = { name: 'invoice.pdf', type: 'application/pdf', content: Buffer.from('%PDF').toString('base64') };

/** Sends to every recipient of a message, in their order, and gives back what was handed over. */
async function sendAll(id: string) {
  const all = await stage.delivery((service) => service.transactional.get(stage.projectId, id));
  for (const copy of all) await stage.sender.send(stage.projectId, copy.id);
  return all;
}
const look = (id: string) => stage.instance.application.messages.get(stage.projectId, id);

describe('a message to several recipients', () => {
  it('is stored once, with a job and a state for each of them', async () => {
    const message = await stage.accept(PEOPLE);
    expect(message).toMatchObject({
      state: 'accepted',
      recipients: [
        { field: 'to', name: 'Ada Lee', address: 'ada@example.com', state: 'accepted' },
        { field: 'to', name: undefined, address: 'bo@example.com', state: 'accepted' },
        { field: 'cc', name: undefined, address: 'cy@example.com', state: 'accepted' },
        { field: 'bcc', name: undefined, address: 'di@example.com', state: 'accepted' },
      ],
    });
    expect(await stage.jobs()).toHaveLength(4);
    const { replayed, ...listed } = message;
    expect([replayed, await stage.messages()]).toEqual([false, [listed]]);
    expect(
      await stage.sql("select id from pennypost_delivery.transactional_message where content <> '{}' and project_id = $1", [
        stage.projectId,
      ]),
    ).toEqual([{ id: message.id }]);
  });

  it('reaches each in an envelope of its own, with the same Message-ID and header, which names no one in bcc', async () => {
    const message = await stage.accept({
      ...PEOPLE,
      from: 'Shop <shop@news.example.com>',
      replyTo: 'help@example.net',
      headers: { 'X-Order': '4711' },
      content: { ...TransactionalStage.content, source: 'To {{ subscriber.email }}' },
      attachments: [PDF],
    });
    await sendAll(message.id);
    const { sent } = stage;
    expect(sent.map(({ envelope }) => envelope.to)).toEqual([
      'ada@example.com',
      'bo@example.com',
      'cy@example.com',
      'di@example.com',
    ]);
    expect(new Set(sent.map(({ envelope }) => envelope.from))).toEqual(new Set(['shop@news.example.com']));
    const [first = '', ...others] = sent.map(({ text }) => text.replace(/^Date: .*\r\n/m, ''));
    expect(others).toEqual([first, first, first]);
    expect(first).toContain('\r\nTo: Ada Lee <ada@example.com>,\r\n <bo@example.com>\r\nCc: <cy@example.com>\r\n');
    expect(first).toContain('From: Shop <shop@news.example.com>\r\nReply-To: <help@example.net>\r\n');
    expect(first).toContain('\r\nX-Order: 4711\r\n');
    expect(first).toContain('filename="invoice.pdf"');
    expect(first).toContain('To =\r\nada@example.com');
    expect(first).not.toMatch(/bcc|di@example/i);
    expect((await look(message.id)).state).toBe('submitted');
  });

  it('is refused for one without hiding or repeating the others', async () => {
    const message = await stage.accept(PEOPLE);
    stage.answers = [anAttempt('rejected'), anAttempt('deferred'), anAttempt('submitted')];
    await sendAll(message.id);
    const found = await look(message.id);
    expect([found.state, ...found.recipients.map(({ state }) => state)]).toEqual([
      'deferred',
      ...['rejected', 'deferred', 'submitted', 'submitted'],
    ]);
    expect(found.recipients.map(({ tries }) => tries.length)).toEqual([1, 1, 1, 1]);
    await stage.instance.pass(60_000);
    await sendAll(message.id);
    expect(stage.sent).toHaveLength(5);
    expect((await look(message.id)).state).toBe('rejected');
  });

  it('reaches an address once, and 50 at most', async () => {
    const to = ['ada@example.com', 'ADA@example.com'];
    expect((await stage.accept({ to, cc: 'Ada <ada@example.com>', bcc: 'ada@example.com' })).recipients).toHaveLength(1);
    const many = Array.from({ length: 51 }, (_, index) => `p${index}@example.com`);
    expect((await stage.accept({ to: many.slice(0, 25), bcc: many.slice(25, 50) })).recipients).toHaveLength(50);
    await expect(stage.accept({ to: many })).rejects.toMatchObject({ code: 'input.invalid', pointer: '/to' });
    await expect(stage.accept({ to: [] })).rejects.toMatchObject({ code: 'input.invalid', pointer: '/to' });
  });

  it('is international for all where a header names an international address', async () => {
    const smtputf8 = async (given: object) => {
      stage.sent = [];
      await sendAll((await stage.accept(given)).id);
      return stage.sent.map(({ envelope }) => envelope.smtputf8);
    };
    expect(await smtputf8({ to: 'ada@example.com', cc: 'jörg@example.com' })).toEqual([true, true]);
    expect(await smtputf8({ to: 'ada@example.com', bcc: 'jörg@example.com' })).toEqual([false, true]);
  });
});

const BREAKS = { CRLF: '\r\nBcc: e@example.com', LF: '\nBcc: e@example.com', CR: '\rX', NUL: '\0X', 'U+2028': '\u2028X' };
const FIELDS: Readonly<Record<string, (text: string) => object>> = {
  'the address in to': (text) => ({ to: `a${text}@example.com` }),
  'the name in to': (text) => ({ to: { name: `Ada${text}`, address: 'ada@example.com' } }),
  'the name before an address': (text) => ({ to: `Ada${text} <ada@example.com>` }),
  cc: (text) => ({ cc: [{ name: `Ada${text}`, address: 'ada@example.com' }] }),
  bcc: (text) => ({ bcc: `a${text}@example.com` }),
  from: (text) => ({ from: { name: `Shop${text}`, address: 'shop@news.example.com' } }),
  replyTo: (text) => ({ replyTo: `x${text}@example.com` }),
  'the name of a header': (text) => ({ headers: { [`X-A${text}`]: 'b' } }),
  'the value of a header': (text) => ({ headers: { 'X-A': `b${text}` } }),
  'the subject': (text) => ({ content: { ...TransactionalStage.content, subject: `Code${text}` } }),
  'the author': (text) => ({ content: { ...TransactionalStage.content, author: { name: text, address: 'a@news.example.com' } } }),
  'a file name': (text) => ({ attachments: [{ ...PDF, name: `a${text}.pdf` }] }),
  'a content type': (text) => ({ attachments: [{ ...PDF, type: `text/plain${text}` }] }),
  'a contentId': (text) => ({ attachments: [{ ...PDF, contentId: `a${text}` }] }),
};

describe.each(Object.entries(BREAKS))('%s', (_, text) => {
  it.each(Object.entries(FIELDS))('in %s is refused, and nothing is stored', async (_field, given) => {
    await expect(stage.accept(given(text))).rejects.toMatchObject({ code: 'input.invalid' });
    expect(await stage.messages()).toEqual([]);
  });
});

it('has an author of the project', async () => {
  await expect(stage.accept({ from: 'shop@elsewhere.example' })).rejects.toMatchObject({
    code: 'project.author_refused',
    pointer: '/from',
  });
});

describe('a variable that is missing', () => {
  const content = { ...TransactionalStage.content, source: 'Hello {{ name }}{{ order }}.' };

  it('is refused with its name, unless the request asks for nothing in its place', async () => {
    await expect(stage.accept({ content })).rejects.toMatchObject({
      code: 'content.invalid',
      message: expect.stringContaining('Unknown variable order. Give it a value in the variables of the message'),
    });
    await expect(stage.accept({ content, variables: { name: 'Ada', order: null } })).rejects.toThrow('Unknown variable order');
    const message = await stage.accept({ content, missingVariables: 'empty' });
    expect(await stage.send(message)).toMatchObject({ state: 'submitted' });
    expect(stage.sent[0]?.text).toContain('Hello =\r\nAda=\r\n=2E');
  });
});

describe('a template', () => {
  it('is named by its id or its slug, and an unknown one is not found', async () => {
    const { templates } = stage.instance.application;
    const name = 'Ordered';
    const template = await templates.create(stage.projectId, { name, content: TransactionalStage.content });
    const second = await templates.create(stage.projectId, { name, content: TransactionalStage.content });
    expect([template.slug, second.slug]).toEqual(['ordered', 'ordered-2']);
    const from = async (wanted: string) => (await stage.accept({ content: undefined, template: wanted })).templateId;
    expect([await from(template.id), await from('ordered'), await from('ordered-2')]).toEqual([
      template.id,
      template.id,
      second.id,
    ]);
    for (const wanted of ['receipt', 'Ordered', "'; drop table x; --", 'x'.repeat(10_000)])
      await expect(from(wanted)).rejects.toMatchObject({ code: 'resource.not_found' });
    await expect(
      templates.create(stage.projectId, { name, slug: 'ordered', content: TransactionalStage.content }),
    ).rejects.toMatchObject({ code: 'template.slug_taken' });
  });
});
