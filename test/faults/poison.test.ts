import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ContentInput } from '../../src/application/application.ts';
import { tokens } from '../../src/infrastructure/container.ts';
import { inTransaction } from '../../src/infrastructure/postgres/session.ts';
import { type SinkTalker, startSinkTalker } from '../support/sink-talker.ts';
import { invite, LETTER, launch } from './support/audience.ts';
import { expectOneCopyEach, expectWholeLedger, openStage, people, type Stage, statesIn } from './support/stage.ts';

/** Cannot be composed for people whose own link is none. */
const LINKING: ContentInput = {
  ...LETTER,
  subject: 'Your own shop',
  source: '<p><a href="{{ shop }}">Your own shop</a></p>',
  defaults: { shop: 'https://shop.example/' },
};

/** Promise D13: one bad message ends with its reason, and the campaign goes on. */
describe('poison among the recipients', () => {
  let stage: Stage;
  let talker: SinkTalker;

  beforeAll(async () => {
    stage = await openStage();
    talker = await startSinkTalker(hostileServer());
  });
  afterEach(() => stage.endWorkers());
  afterAll(async () => {
    await stage.close();
    await talker.close();
  });

  it('that breaks the template for some ends those as failed, with the reason', async () => {
    await stage.startWorker();
    const audience = await invite(stage.application, people(200), {
      shop: (index) => (index % 20 === 7 ? 'javascript:alert(1)' : `https://shop.example/${index}`),
    });
    const { id } = await launch(stage.application, audience, LINKING);
    await stage.finished(audience, id);
    const ledger = await stage.ledger(audience, id);
    expect(statesIn(ledger)).toEqual({ submitted: 190, failed: 10 });
    expect(ledger.get('person27@example.net')?.reply).toContain('for this recipient');
    expectOneCopyEach(
      await stage.copies(),
      audience.addresses.filter((_, index) => index % 20 !== 7),
    );
    await expectWholeLedger(stage, audience, id);
  });

  it('that makes the relay answer with garbage is refused with a readable reply', async () => {
    await stage.startWorker({}, { PENNYPOST_SMTP_URL: talker.url });
    const poison = ['nul@example.net', 'binary@example.net', 'long@example.net'];
    const audience = await invite(stage.application, [...people(50), ...poison]);
    const { id } = await launch(stage.application, audience);
    await stage.finished(audience, id);
    const ledger = await stage.ledger(audience, id);
    expect(statesIn(ledger)).toEqual({ submitted: 50, rejected: 3 });
    for (const address of poison) {
      const reply = ledger.get(address)?.reply ?? '';
      expect(reply).toMatch(/^550 5\.1\.1 no such/);
      expect(reply.length).toBeLessThanOrEqual(500);
      expect([...reply].every((character) => character >= ' ')).toBe(true);
    }
    await expectWholeLedger(stage, audience, id);
  });

  it('as an address that no envelope can hold, or that the relay refuses, is rejected with the reason', async () => {
    await stage.startWorker();
    const already = (await stage.copies()).length;
    const refused = ['550+gone@example.net', '553-at-rcpt+odd@example.net', '552-at-dot+big@example.net'];
    const good = people(60);
    const audience = await invite(stage.application, [
      ...good,
      ...refused,
      ...IMPOSSIBLE.map((_, at) => `wrong${at}@example.net`),
    ]);
    const { projectId } = audience;
    const orm = stage.instance.get(tokens.orm);
    for (const [at, address] of IMPOSSIBLE.entries()) {
      await inTransaction(orm, ({ sql }) =>
        sql.query('update pennypost_audience.subscriber set address = $3 where project_id = $1 and address = $2', [
          projectId,
          `wrong${at}@example.net`,
          address,
        ]),
      );
    }
    const { id } = await launch(stage.application, audience);
    await stage.finished(audience, id);
    const ledger = await stage.ledger(audience, id);
    // Some do not even stand in a header: those end before anybody is asked.
    expect(statesIn(ledger)).toEqual({ submitted: 60, rejected: refused.length + 3, failed: 3 });
    for (const address of refused) expect(ledger.get(address)?.reply).toMatch(/^55\d /);
    for (const address of IMPOSSIBLE)
      expect(ledger.get(address)?.reply).toMatch(/^The (recipient's address|address of this recipient) /);
    expectOneCopyEach((await stage.copies()).slice(already), good);
    const { states, reasons } = await stage.application.campaigns.report(projectId, id);
    expect(states).toMatchObject({ rejected: refused.length + 3, failed: 3 });
    const told = (state: string) => reasons.filter((one) => one.state === state).reduce((sum, { count }) => sum + count, 0);
    expect([told('rejected'), told('failed')]).toEqual([6, 3]);
    expect(JSON.stringify(reasons)).not.toContain('example.net');
    await expectWholeLedger(stage, { ...audience, addresses: [...good, ...refused, ...IMPOSSIBLE] }, id);
  });

  it('as attributes with NUL, half a character, 64 kB, or nothing but line ends is mailed, or ends with its reason', async () => {
    await stage.startWorker();
    const already = (await stage.copies()).length;
    const poison = [
      '\0\0nul',
      '\ud800 half',
      'x'.repeat(65_000),
      '\r\n.\r\n',
      '\u202e\u2066 backwards',
      '{{ 1 | divided_by: 0 }}',
    ];
    const { projectId, listId } = await invite(stage.application, []);
    const addresses = [...people(30), ...poison.map((_, at) => `poison${at}@example.net`)];
    for (const [at, email] of addresses.entries()) {
      const first_name = poison[at - 30] ?? 'Ada';
      const subscriber = await stage.application.subscribers.upsert(projectId, { email, attributes: { first_name } });
      await stage.application.subscribers.subscribe(projectId, subscriber.id, listId);
    }
    const audience = { projectId, listId, addresses };
    const { id } = await launch(stage.application, audience);
    await stage.finished(audience, id);
    const ledger = await stage.ledger(audience, id);
    // 64 kB are too much for the subject that they stand in, and for nothing else.
    expect(statesIn(ledger)).toEqual({ submitted: addresses.length - 1, failed: 1 });
    expect(ledger.get('poison2@example.net')).toMatchObject({ state: 'failed', reply: expect.stringContaining('ubject') });
    const copies = (await stage.copies()).slice(already);
    expectOneCopyEach(
      copies,
      addresses.filter((address) => address !== 'poison2@example.net'),
    );
    await expectWholeLedger(stage, audience, id);
  });
});

/** Cannot stand in any envelope, whoever let them in: a restored dump, a hand in the database. */
const IMPOSSIBLE = [
  'evil@example.net>\r\nRCPT TO:<victim@example.net',
  'two words@example.net',
  `${'x'.repeat(300)}@example.net`,
  'nobody',
  'a@b@<c>',
  '\ud83d\ude00 @example.net',
];

/** Accepts everybody but those whom it refuses with a NUL, with control characters and broken UTF-8, with 10 kB. */
function hostileServer(): (socket: Socket, heard: string | undefined) => void {
  const refusals: readonly (readonly [RegExp, string])[] = [
    [/<nul@/, '550 5.1.1 no such\0 person\0'],
    [/<binary@/, '550 5.1.1 no such \x01\x02\xff\xfe\xc3person'],
    [/<long@/, `550 5.1.1 no such person ${'x'.repeat(10_000)}`],
  ];
  const bodies = new WeakSet<Socket>();
  const refused = new WeakSet<Socket>();
  return (socket, heard) => {
    const say = (line: string): void => void socket.write(`${line}\r\n`, 'latin1');
    if (heard === undefined) return say('220 hostile.example');
    for (const line of heard.split('\r\n')) {
      if (bodies.has(socket)) {
        if (line !== '.') continue;
        bodies.delete(socket);
        say('250 2.0.0 Ok');
      } else if (line.startsWith('RCPT')) {
        const refusal = refusals.find(([who]) => who.test(line));
        if (refusal === undefined) refused.delete(socket);
        else refused.add(socket);
        say(refusal?.[1] ?? '250 2.1.5 Ok');
      } else if (line === 'DATA') {
        if (!refused.has(socket)) bodies.add(socket);
        say(refused.has(socket) ? '554 5.5.1 No valid recipients' : '354 Go on');
      } else if (line !== '') say('250 2.0.0 Ok');
    }
  };
}
