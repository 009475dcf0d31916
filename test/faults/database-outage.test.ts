import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/processes.ts';
import { invite, LETTER, launch } from './support/audience.ts';
import { type OwnDatabase, openOwnDatabase } from './support/own-database.ts';
import { expectNoMarks, expectOneCopyEach, expectWholeLedger, openStage, people, type Stage, statesIn } from './support/stage.ts';

const WINDOW = 100;
/** Longer than a worker needs to fill its window. */
const OUTAGE_MS = 3_000;

/** Promises D5 and D8: what was accepted while the database was away is written down later, and not sent again. */
describe('a database that is stopped in the middle of a campaign and started again', () => {
  let database: OwnDatabase;
  let stage: Stage;

  beforeAll(async () => {
    database = await openOwnDatabase(500);
    stage = await openStage({ window: WINDOW, raw: true }, database.instance);
  });
  afterAll(async () => {
    await stage.close();
    await database.close();
  });

  it('costs no outcome and no repeat; meanwhile hand-over waits, the API says when to come back, and links lead on', async () => {
    const audience = await invite(stage.application, people(1_500));
    const { secret } = await stage.application.keys.create(audience.projectId, { name: 'Shop', scopes: ['message.send'] });
    const server = stage.start('src/interfaces/cli/main.ts', ['serve', '--lanes', 'none', '--port', '0', '--json']);
    const { url } = JSON.parse(await server.line((line) => line.startsWith('{'))) as { url: string };
    const send = () =>
      fetch(`${url}/v1/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        body: JSON.stringify({ to: 'ada@example.net', content: LETTER }),
      });
    const worker = await stage.startWorker();
    const { id } = await launch(stage.application, audience);
    await stage.accepted(300);

    await database.stop();
    const atStop = (await stage.sink.look()).accepted;
    const refused = await send();
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const click = await fetch(`${url}${linkIn((await stage.copies())[0]?.raw ?? '')}`, { redirect: 'manual' });
    expect(click.status).toBe(302);
    expect(click.headers.get('location')).toBe('https://example.com/offer');
    await delay(OUTAGE_MS);
    expect((await stage.sink.look()).accepted - atStop).toBeLessThanOrEqual(WINDOW);
    expect(worker.child.exitCode).toBeNull();

    await database.start();
    await stage.finished(audience, id);
    const copies = await stage.copies();
    expectOneCopyEach(copies, audience.addresses);
    expectNoMarks(copies);
    expect(statesIn(await stage.ledger(audience, id))).toEqual({ submitted: 1_500 });
    await expectWholeLedger(stage, audience, id);
    await eventually('the API to answer again', async () => (await send()).status === 202);
    worker.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
  });

  it('lets a worker end that is asked to meanwhile, which says what is in doubt; the next one marks what it sends again', async () => {
    const before = (await stage.sink.look()).accepted;
    const audience = await invite(stage.application, people(1_000));
    const worker = stage.start('src/interfaces/cli/main.ts', ['work', '--lanes', 'bulk', '--processes', '1']);
    await worker.line((line) => line.startsWith('lanes'));
    const { id } = await launch(stage.application, audience);
    await stage.accepted(before + 300);
    await database.stop();
    await delay(OUTAGE_MS);
    worker.kill('SIGTERM');
    await eventually('the worker to end', () => worker.child.exitCode !== null, 60_000);
    expect(worker.child.exitCode).not.toBe(0);
    const said = /"inDoubt":(\d+).*the database did not take the last outcomes/.exec(worker.errors());
    const inDoubt = Number(said?.[1]);
    expect(inDoubt).toBeGreaterThan(0);
    expect(inDoubt).toBeLessThanOrEqual(WINDOW);

    await database.start();
    await stage.startWorker();
    await stage.finished(audience, id);
    await stage.endWorkers();
    const copies = (await stage.copies()).slice(before);
    const groups = [...Map.groupBy(copies, ({ to }) => to).values()];
    expect(groups).toHaveLength(1_000);
    expect(copies.length - groups.length).toBe(inDoubt);
    const marked = copies.filter(({ headers }) => headers['x-pennypost-possible-repeat'] === 'yes');
    for (const [, second] of groups) if (second !== undefined) expect(marked).toContain(second);
    const report = await stage.application.campaigns.report(audience.projectId, id);
    expect(report.repeated).toBe(0);
    expect(report.possibleRepeats).toBe(marked.length);
    await expectWholeLedger(stage, audience, id);
  });
});

function linkIn(raw: string): string {
  const text = raw.replaceAll('=\r\n', '').replaceAll('=3D', '=');
  return /http:\/\/127\.0\.0\.1:8025(\/c\/[\w-]+\/[\w-]+)/.exec(text)?.[1] ?? 'no link';
}
