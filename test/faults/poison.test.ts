import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ContentInput } from '../../src/application/application.ts';
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
  afterAll(async () => {
    await stage.close();
    await talker.close();
  });

  it('that breaks the template for some ends those as failed, with the reason', async () => {
    const worker = await stage.startWorker();
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
    worker.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
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
});

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
