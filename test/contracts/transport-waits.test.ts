import { describe, expect, it } from 'vitest';
import { eventually } from '../support/processes.ts';
import { MEGABYTES, message, useSinks } from '../support/sink-fixture.ts';

const { start, transportTo } = useSinks();

describe('what the messages of a transport wait for', () => {
  it('is nothing when there are none', async () => {
    const { transport } = await start();
    expect(transport.waits()).toEqual([]);
    await transport.submit(message('a@example.net'));
    expect(transport.waits()).toEqual([]);
  });

  it.each([
    ['rcpt', 'at RCPT'],
    ['data', 'at DATA'],
    ['dot', 'after the final dot'],
  ])('is told by the command that hangs: %s', async (step, where) => {
    const { sink, transport } = await start({}, { maxConnections: 2, closeTimeout: 1 });
    for (let count = 0; count < 7; count += 1) void transport.submit(message(`hang-at-${step}+${count}@example.net`));
    const behind = step === 'dot' ? '4 messages on 2 connections' : '2 messages on 2 connections';
    const inLine = step === 'dot' ? 3 : 5;
    const expected = [
      expect.stringMatching(`^${behind} wait for a reply ${where} from 127.0.0.1:${sink.port} \\(longest \\d+ s\\)$`),
      `${inLine} messages in line for a connection`,
    ];
    await eventually(
      'all connections to hang',
      () => transport.waits()[0]?.startsWith(`${behind} wait for a reply ${where}`) === true,
    );
    expect(transport.waits()).toEqual(expected);
  });

  it('is a server that reads on, when it takes no more of a body', async () => {
    const { sink, transport } = await start({ readPause: 1_000 }, { maxConnections: 1, closeTimeout: 1 });
    void transport.submit(message('a@example.net', { content: MEGABYTES }));
    await eventually('the body to be under way', () => transport.waits().some((words) => words.includes('inside the body')));
    expect(transport.waits()[0]).toMatch(`1 message on 1 connection waits until 127.0.0.1:${sink.port} reads on inside the body`);
  });

  it('is the next attempt to connect, when the last one failed', async () => {
    const { sink } = await start();
    await sink.close();
    const transport = transportTo({
      url: sink.url,
      maxConnections: 1,
      backoff: { minimum: 30_000, maximum: 30_000 },
      random: () => 0.5,
    });
    await transport.submit(message('a@example.net'));
    void transport.submit(message('b@example.net'));
    expect(transport.waits()).toEqual([
      `the next attempt to connect to 127.0.0.1:${sink.port} comes in 15 s`,
      '1 message in line for a connection',
    ]);
  });
});
