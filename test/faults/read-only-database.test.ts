import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withDatabase } from '../../src/infrastructure/postgres/connection.ts';
import { administer } from '../support/administer.ts';
import { eventually } from '../support/processes.ts';
import { invite, LETTER, launch } from './support/audience.ts';
import { expectNoMarks, expectOneCopyEach, expectWholeLedger, openStage, people, type Stage, statesIn } from './support/stage.ts';

const READ_ONLY_MS = 10_000;
const BROWSER = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' };

/** Promises D5 and D8 when the name leads to a standby for a while, as after a fail-over: it answers, and cannot be written. */
describe('a database that becomes read-only under load', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ script: 'slow-20ms-at-dot', raw: true });
  });
  afterAll(() => stage.close());

  it('costs no outcome, no message and no click; nothing is sent twice, and the worker goes on', async () => {
    const audience = await invite(stage.application, people(800));
    const server = stage.start('src/interfaces/cli/main.ts', ['serve', '--lanes', 'none', '--port', '0', '--json']);
    const { url } = JSON.parse(await server.line((line) => line.startsWith('{'))) as { url: string };
    const worker = await stage.startWorker({ lanes: ['transactional', 'bulk', 'background'] });
    const { id } = await launch(stage.application, audience);
    await stage.accepted(200);
    const links = (await stage.copies()).slice(0, 20).map((copy) => linkIn(copy.raw ?? ''));
    const mails = Array.from({ length: 12 }, (_, index) => `slow-1-at-dot+${index}@example.org`);
    const messages = await Promise.all(
      mails.map((to) => stage.application.messages.send(audience.projectId, { to, content: LETTER })),
    );
    await eventually('a message to be on the wire', async () => (await stage.sink.look()).busy > 0);

    await readOnly(stage, true);
    const clicks = await Promise.all(links.map((link) => fetch(`${url}${link}`, { redirect: 'manual', headers: BROWSER })));
    expect(clicks.map(({ status }) => status)).toEqual(links.map(() => 302));
    await delay(READ_ONLY_MS);
    expect(worker.child.exitCode).toBeNull();
    await readOnly(stage, false);

    await stage.finished(audience, id);
    await eventually('all messages to be submitted', async () =>
      (await Promise.all(messages.map((message) => stage.application.messages.get(audience.projectId, message.id)))).every(
        ({ state, recipients }) => state === 'submitted' && recipients[0]?.attempts === 1,
      ),
    );
    const copies = await stage.copies();
    expectOneCopyEach(copies, [...audience.addresses, ...mails]);
    expectNoMarks(copies);
    expect(statesIn(await stage.ledger(audience, id))).toEqual({ submitted: 800 });
    await expectWholeLedger(stage, audience, id);
    await eventually('every click to be counted', async () => {
      const { clicked } = await stage.application.campaigns.report(audience.projectId, id);
      return clicked.total === links.length;
    });
    expect(worker.errors()).not.toContain('[object Object]');
    worker.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
  });
});

/** Sessions keep what they began with, so those of before are ended; those of meanwhile stay read-only until somebody drops them. */
async function readOnly({ instance: { connection } }: Stage, on: boolean): Promise<void> {
  const server = withDatabase(connection, 'postgres');
  await administer(server, `alter database ${connection.database} set default_transaction_read_only = ${on}`);
  if (on)
    await administer(server, 'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [connection.database]);
}

function linkIn(raw: string): string {
  const text = raw.replaceAll('=\r\n', '').replaceAll('=3D', '=');
  return /http:\/\/127\.0\.0\.1:8025(\/c\/[\w-]+\/[\w-]+)/.exec(text)?.[1] ?? 'no link';
}
