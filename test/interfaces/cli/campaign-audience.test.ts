import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Attempt, OutgoingMessage } from '../../../src/domain/delivery/index.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { openTestInstance, type TestInstance } from '../../support/instance.ts';
import { eventually } from '../../support/processes.ts';
import { commandLine, workbenchOn } from './workshop.ts';

const REJECTED: Attempt = {
  outcome: 'rejected',
  code: 550,
  enhancedCode: '5.1.1',
  reply: '550 5.1.1 =no such user',
  fault: 'recipient',
};
const SUBMITTED: Attempt = { outcome: 'submitted', code: 250, enhancedCode: undefined, reply: '250 ok', fault: 'none' };

describe('who gets a campaign, asked on the command line', () => {
  let instance: TestInstance;
  let run: ReturnType<typeof commandLine>;
  const full = new Set(['bob@example.net']);

  beforeAll(async () => {
    const answer = (message: OutgoingMessage) => (full.has(message.envelope.to) ? REJECTED : SUBMITTED);
    instance = await openTestInstance({ works: true, transport: new MemoryTransport({ answer }) });
    run = commandLine(workbenchOn(instance));
    const { application } = instance;
    const { id } = await application.projects.create({
      name: 'Harbour',
      senderDomain: 'news.example.com',
      postalAddress: 'Quay 1',
    });
    const list = await application.lists.create(id, { name: 'Letter' });
    for (const email of ['ada@example.org', 'bob@example.net', 'gone@example.org']) {
      const subscriber = await application.subscribers.upsert(id, { email });
      await application.subscribers.subscribe(id, subscriber.id, list.id);
      if (email.startsWith('gone'))
        await application.subscribers.unsubscribe(id, subscriber.id, { lists: [list.id], evidence: { source: 'test' } });
    }
    const content = { kind: 'text', source: 'Hello', subject: 'Hello', author: { address: 'a@news.example.com' } } as const;
    await application.campaigns.create(id, { name: 'Letter 1', audience: { include: [{ list: list.id }] }, content });
    await instance.get(tokens.workers).start(['bulk']);
  });
  afterAll(async () => {
    await instance.get(tokens.workers).stop();
    await instance.close();
  });

  it('explains who is left out, and names them', async () => {
    const { json } = await run(['campaign', 'explain', 'Letter 1', '--json']);
    expect(json).toMatchObject({ launched: false, included: 2, excluded: { unsubscribed: 1, suppressed: 0 } });
    expect((await run(['campaign', 'explain', 'Letter 1'])).stdout).toMatch(
      /^bad data +not tried; see: pennypost campaign excluded --reason bad_data$/m,
    );
    expect((await run(['campaign', 'excluded', 'Letter 1', '--reason', 'bad_data', '--json'])).json).toMatchObject({
      items: [],
      next: null,
    });
    const named = await run(['campaign', 'excluded', 'Letter 1', '--reason', 'unsubscribed']);
    expect(named.stdout).toContain('gone@example.org');
    expect(await run(['campaign', 'excluded', 'Letter 1', '--reason', 'ugly'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--reason is one of erased, suppressed'),
    });
  });

  it('refuses to resend a draft, and resends to the failed of a submitted one', async () => {
    expect(await run(['campaign', 'resend', 'Letter 1', 'failed'])).toMatchObject({ status: 4 });
    await run(['campaign', 'launch', 'Letter 1']);
    const states = async () =>
      (await run(['campaign', 'report', 'Letter 1', '--json'])).json as { state: string; states: object };
    await eventually('the campaign to be submitted', async () => (await states()).state === 'submitted');
    expect((await run(['campaign', 'explain', 'Letter 1', '--json'])).json).toMatchObject({
      launched: true,
      included: 2,
      excluded: { unsubscribed: 1, bad_data: 0, skipped: 0 },
    });
    const file = await run(['campaign', 'recipients-csv', 'Letter 1', '--state', 'rejected']);
    expect(file.stdout.trim().split('\n')).toHaveLength(2);
    expect(file.stdout).toContain('bob@example.net');
    full.clear();
    expect((await run(['campaign', 'resend', 'Letter 1', 'failed', '--json'])).json).toEqual({ target: 'failed', recipients: 1 });
    await eventually(
      'both to have it',
      async () => 'submitted' in (await states()).states && JSON.stringify((await states()).states).includes('"submitted":2'),
    );
    expect(await run(['campaign', 'resend', 'Letter 1', 'everybody'])).toMatchObject({ status: 2 });
  });
});
