import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/processes.ts';
import { type Audience, invite, LETTER, launch } from './support/audience.ts';
import { type Doors, openDoors } from './support/doors.ts';
import { expectOneCopyEach, expectWholeLedger, openStage, people, type Stage, statesIn } from './support/stage.ts';
import type { WorkerWish } from './support/worker.ts';

const PEOPLE = 50;
const MAIN = 'src/interfaces/cli/main.ts';
/** A relay has minutes, and retries hours: here both are fractions of a second. */
const HASTY: WorkerWish = {
  bulkRetry: { firstDelayMs: 200, maxDelayMs: 400, lifetimeMs: 3_600_000 },
  smtp: {
    backoff: { minimum: 5, maximum: 20 },
    connectTimeout: 200,
    timeouts: { command: 200, data: 200, block: 200, dot: 2_000 },
  },
};
/** Fewer errors than people: nobody has to wait for the whole audience to be deferred. */
const IMPATIENT = { PENNYPOST_PAUSE_AFTER_TRANSPORT_ERRORS: '12' };

/** A bad relay never ends a campaign, and never stops it in silence: it is tried again, or paused with the reason. */
describe('a relay', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  });
  afterEach(async () => {
    await stage.endWorkers();
    await stage.sink.behave(undefined);
  });
  afterAll(() => stage.close());

  const paused = (audience: Audience, id: string): Promise<void> =>
    eventually('the campaign to be paused', async () => {
      const { state } = await stage.application.campaigns.get(audience.projectId, id);
      return state === 'paused';
    });

  it('that is not there pauses the campaign, which says so everywhere, and goes on when it is back', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pennypost-relay-'));
    const port = await freePort();
    await stage.startWorker(HASTY, { ...IMPATIENT, PENNYPOST_SMTP_URL: `smtp://127.0.0.1:${port}` });
    let relay: Doors | undefined;
    try {
      const audience = await invite(stage.application, people(PEOPLE));
      const { id } = await launch(stage.application, audience);
      await paused(audience, id);

      const reason = new RegExp(`^12 transport errors in a row, the last: No connection to 127.0.0.1:${port}: .*ECONNREFUSED`);
      const { pauseReason } = await stage.application.campaigns.get(audience.projectId, id);
      expect(pauseReason).toMatch(reason);
      // What was on its way when it was paused is still written down.
      const figures = () => stage.application.campaigns.report(audience.projectId, id);
      await eventually('the outcomes to be recorded', async () => {
        const { states, reasons } = await figures();
        return states.deferred >= 12 && states.deferred === reasons[0]?.count;
      });
      const report = await figures();
      expect(report.pauseReason).toBe(pauseReason);
      const { deferred, pending } = report.states;
      expect(deferred + pending).toBe(PEOPLE);
      expect(report.reasons).toEqual([
        { state: 'deferred', reason: expect.stringContaining('ECONNREFUSED'), count: deferred, of: deferred },
      ]);
      const ledger = await stage.ledger(audience, id);
      for (const row of ledger.values()) expect(row).toMatchObject({ state: 'deferred', attempts: 1, code: undefined });
      const shown = stage.start(MAIN, ['campaign', 'get', id, '--project', audience.projectId]);
      expect(await shown.line((line) => line.startsWith('paused because'))).toContain('ECONNREFUSED');

      relay = await openDoors({ doors: 1, port, log: join(directory, 'accepted.ndjson'), headers: [] });
      await stage.application.campaigns.resume(audience.projectId, id);
      await stage.finished(audience, id, 'settled');
      expectOneCopyEach(await relay.copies(), audience.addresses);
      await expectWholeLedger(stage, audience, id);
    } finally {
      await relay?.close();
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('that is not there ends a command that watches, with the reason', async () => {
    const environment = {
      PENNYPOST_SMTP_URL: `smtp://127.0.0.1:${await freePort()}`,
      PENNYPOST_PAUSE_AFTER_TRANSPORT_ERRORS: '2',
    };
    const { projectId, listId } = await invite(stage.application, people(PEOPLE));
    const { id } = await stage.application.campaigns.create(projectId, {
      name: 'Letter',
      audience: { include: [{ list: listId }] },
      content: LETTER,
    });
    const watching = stage.start(MAIN, ['campaign', 'launch', id, '--watch', '--project', projectId], environment);
    expect(await watching.ended).toBe(4);
    expect(watching.errors()).toMatch(/the campaign is paused: 2 transport errors in a row, .*ECONNREFUSED/);
  });

  it.each([
    ['closes before it greets', 'fin-at-greeting', 'No connection to'],
    ['resets before it greets', 'reset-at-greeting', 'No connection to'],
    ['greets with 554', '554-at-greeting', '554'],
    ['greets with 421', '421-at-greeting', '421'],
    ['greets and closes', 'fin-at-ehlo', 'No connection to'],
    ['closes at MAIL', 'fin-at-mail', 'at MAIL: lost'],
    ['never greets', 'hang-at-greeting', 'No connection to'],
    ['never answers MAIL', 'hang-at-mail', 'at MAIL: no reply within'],
    ['has no room for anything', '452-at-mail', '452'],
  ])('that %s pauses the campaign with the reason, and everybody gets one copy once it is well', async (_, script, words) => {
    const already = (await stage.copies()).length;
    await stage.sink.behave(script);
    await stage.startWorker(HASTY, IMPATIENT);
    const audience = await invite(stage.application, people(PEOPLE));
    const { id } = await launch(stage.application, audience);
    await paused(audience, id);
    const { pauseReason } = await stage.application.campaigns.get(audience.projectId, id);
    expect(pauseReason).toMatch(/^12 transport errors in a row, the last: /);
    expect(pauseReason).toContain(words);

    await stage.sink.behave(undefined);
    await stage.application.campaigns.resume(audience.projectId, id);
    await stage.finished(audience, id, 'settled');
    expectOneCopyEach((await stage.copies()).slice(already), audience.addresses);
    expect(statesIn(await stage.ledger(audience, id))).toEqual({ submitted: PEOPLE });
    await expectWholeLedger(stage, audience, id);
  });

  it('that is away for a while is seen while it is away, and costs a campaign nothing but time', async () => {
    const already = (await stage.copies()).length;
    await stage.sink.behave('fin-at-greeting');
    // Workers say every five seconds how they are: it must still be away then.
    const smtp = { ...HASTY.smtp, backoff: { minimum: 1_000, maximum: 1_500 } };
    const worker = await stage.startWorker({ ...HASTY, smtp });
    const audience = await invite(stage.application, people(PEOPLE));
    const { id } = await launch(stage.application, audience);
    await eventually('the trouble to be told', async () => {
      const { workers } = await stage.application.status.get();
      return workers.some(({ progress }) => progress.trouble?.startsWith('No connection to') === true);
    });
    await eventually('the log to say so', () => worker.errors().includes('the server does not take campaign mail'));
    await stage.sink.behave(undefined);
    await stage.finished(audience, id, 'settled');
    expectOneCopyEach((await stage.copies()).slice(already), audience.addresses);
    await expectWholeLedger(stage, audience, id);
  });

  it.each([
    ['closes with 421 at MAIL', '421-at-mail', '421 4.7.0'],
    ['cannot be reached', 'fin-at-greeting', 'No connection to'],
  ])('that %s for a whole small audience leaves it deferred, and gets it when it is well', async (_, script, words) => {
    const already = (await stage.copies()).length;
    await stage.sink.behave(script);
    await stage.startWorker(HASTY);
    const audience = await invite(stage.application, people(PEOPLE));
    const { id } = await launch(stage.application, audience);
    await stage.finished(audience, id, 'submitted');
    const { states, reasons } = await stage.application.campaigns.report(audience.projectId, id);
    expect(states.deferred).toBe(PEOPLE);
    expect(reasons).toEqual([{ state: 'deferred', reason: expect.stringContaining(words), count: PEOPLE, of: PEOPLE }]);
    await stage.sink.behave(undefined);
    await stage.finished(audience, id, 'settled');
    expectOneCopyEach((await stage.copies()).slice(already), audience.addresses);
    await expectWholeLedger(stage, audience, id);
  });

  it.each([
    ['450-at-rcpt', '450'],
    ['450-at-dot', '450'],
    ['451-at-dot', '451'],
  ])(
    'that refuses everybody for now (%s) until their time is over leaves them expired, with its last reply',
    async (script, code) => {
      await stage.sink.behave(script);
      await stage.startWorker({ ...HASTY, bulkRetry: { firstDelayMs: 200, maxDelayMs: 400, lifetimeMs: 1_500 } });
      const audience = await invite(stage.application, people(PEOPLE));
      const { projectId } = audience;
      const { id } = await launch(stage.application, audience);
      await stage.finished(audience, id, 'submitted');
      const first = await stage.application.campaigns.report(projectId, id);
      expect(first.state).toBe('submitted');
      await stage.finished(audience, id, 'settled');
      const ledger = await stage.ledger(audience, id);
      expect(statesIn(ledger)).toEqual({ expired: PEOPLE });
      for (const row of ledger.values()) {
        expect(row).toMatchObject({ code: Number(code), copies: 0, reply: expect.stringMatching(new RegExp(`^${code} `)) });
        expect(row.attempts).toBeGreaterThan(1);
      }
      const { reasons } = await stage.application.campaigns.report(projectId, id);
      expect(reasons).toEqual([
        { state: 'expired', reason: expect.stringMatching(new RegExp(`^${code} `)), count: PEOPLE, of: PEOPLE },
      ]);
      let csv = '';
      for await (const part of stage.application.campaigns.recipientsCsv(projectId, id, { state: 'expired' })) csv += part;
      expect(csv.match(new RegExp(`"expired".*,"${code}","${code} `, 'g'))).toHaveLength(PEOPLE);
      await expectWholeLedger(stage, audience, id);
    },
  );
});

/** Of which nobody listens on it. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('There was no port to be had.');
  return address.port;
}
