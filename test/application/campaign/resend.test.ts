import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Attempt, OutgoingMessage } from '../../../src/domain/delivery/index.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { openTestInstance, type TestInstance } from '../../support/instance.ts';
import { eventually } from '../../support/processes.ts';

const attempt = (outcome: Attempt['outcome'], code: number | undefined): Attempt => ({
  outcome,
  code,
  enhancedCode: undefined,
  reply: `${code ?? 'no reply'}`,
  fault: outcome === 'submitted' ? 'none' : 'recipient',
});

describe('resending a campaign', () => {
  let instance: TestInstance;
  let transport: MemoryTransport;
  const answers = new Map<string, Attempt>();

  beforeAll(async () => {
    transport = new MemoryTransport({
      answer: (message: OutgoingMessage) => answers.get(message.envelope.to) ?? attempt('submitted', 250),
    });
    instance = await openTestInstance({ works: true, transport });
    await instance.get(tokens.workers).start(['bulk']);
  });

  afterAll(async () => {
    await instance.get(tokens.workers).stop();
    await instance.close();
  });

  it('reaches the failed, those in doubt and the new ones by one call each, and nobody else', async () => {
    const { application } = instance;
    const project = await application.projects.create({
      name: 'Again',
      senderDomain: 'news.example.com',
      postalAddress: 'Road 1',
    });
    const list = await application.lists.create(project.id, { name: 'All' });
    const join = async (email: string): Promise<void> => {
      const subscriber = await application.subscribers.upsert(project.id, { email });
      await application.subscribers.subscribe(project.id, subscriber.id, list.id);
    };
    for (const name of ['fine', 'full', 'lost']) await join(`${name}@example.net`);
    answers.set('full@example.net', attempt('rejected', 552));
    answers.set('lost@example.net', attempt('in_doubt', undefined));

    const campaign = await application.campaigns.create(project.id, {
      name: 'Again',
      audience: { include: [{ list: list.id }] },
      content: { kind: 'text', source: 'Hello', subject: 'Hello', author: { address: 'a@news.example.com' } },
    });
    const report = () => application.campaigns.report(project.id, campaign.id);
    const settled = async (states: Record<string, number>): Promise<void> => {
      await eventually(`the states ${JSON.stringify(states)}`, async () => {
        const now: Record<string, number> = (await report()).states;
        return Object.entries(states).every(([state, count]) => now[state] === count);
      });
    };
    const resend = (target: 'failed' | 'in_doubt' | 'new') =>
      eventuallyResend(() => application.campaigns.resend(project.id, campaign.id, target));

    await expect(application.campaigns.resend(project.id, campaign.id, 'failed')).rejects.toMatchObject({
      code: 'campaign.transition_refused',
      message: expect.stringContaining('A resend needs a submitted campaign'),
    });
    await application.campaigns.launch(project.id, campaign.id);
    await settled({ submitted: 1, rejected: 1, in_doubt: 1, pending: 0 });
    await eventually('the campaign to be submitted', async () => (await report()).state === 'submitted');

    answers.clear();
    transport.messages.splice(0);
    expect(await resend('failed')).toEqual({ recipients: 1 });
    await settled({ submitted: 2, rejected: 0, in_doubt: 1 });
    expect(transport.messages.map((message) => message.envelope.to)).toEqual(['full@example.net']);
    expect(text(transport.messages[0])).not.toContain('X-Pennypost-Possible-Repeat');

    transport.messages.splice(0);
    expect(await resend('in_doubt')).toEqual({ recipients: 1 });
    await settled({ submitted: 3, in_doubt: 0 });
    expect(transport.messages.map((message) => message.envelope.to)).toEqual(['lost@example.net']);
    expect(text(transport.messages[0])).toContain('X-Pennypost-Possible-Repeat: yes');

    transport.messages.splice(0);
    await join('late@example.net');
    expect(await resend('new')).toEqual({ recipients: 1 });
    await settled({ submitted: 4, pending: 0 });
    expect(transport.messages.map((message) => message.envelope.to)).toEqual(['late@example.net']);
    expect((await report()).recipients).toBe(4);
    expect(await resend('failed')).toEqual({ recipients: 0 });
  });
});

const text = (message: OutgoingMessage | undefined): string => Buffer.from(message?.content ?? []).toString('latin1');

/** Waits until the pass before has ended. */
async function eventuallyResend<T>(resend: () => Promise<T>): Promise<T> {
  let result: T | undefined;
  await eventually('the pass before to end', async () => {
    result = await resend().catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'campaign.run_open') return undefined;
      throw error;
    });
    return result !== undefined;
  });
  return result as T;
}
