import { describe, expect, it, vi } from 'vitest';
import { Interrupted, Interruption, interruptible } from '../../../src/interfaces/cli/interruption.ts';

function interruption(now = () => 0) {
  const exits: number[] = [];
  return { exits, interruption: new Interruption((status) => exits.push(status), now) };
}

describe('a signal', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['EPIPE', 141],
  ] as const)('%s ends a command that holds nothing at once, with %i', (reason, status) => {
    const { exits, interruption: one } = interruption();
    one.receive(reason);
    expect(exits).toEqual([status]);
  });

  it('lets a command that heeds it end by itself', async () => {
    const { exits, interruption: one } = interruption();
    const signal = one.heed();
    const waited = one.wait();
    one.receive('SIGTERM');
    await waited;
    expect({ exits, aborted: signal.aborted, status: one.status }).toEqual({ exits: [], aborted: true, status: 143 });
  });

  it('ends it at once the second time', () => {
    const { exits, interruption: one } = interruption();
    one.heed();
    one.receive('SIGINT');
    one.receive('SIGINT');
    expect(exits).toEqual([130]);
  });

  it('is the same one when a launcher passes on what a service manager has sent to both', () => {
    let now = 0;
    const { exits, interruption: one } = interruption(() => now);
    one.heed();
    one.receive('SIGTERM');
    one.receive('SIGTERM');
    one.receive('SIGHUP');
    expect(exits).toEqual([]);
    now = 1_000;
    one.receive('SIGTERM');
    expect(exits).toEqual([143]);
  });

  it.each([
    ['a command', false, 75_000],
    ['a worker process under its parent', true, 60_000],
  ])('gives %s a deadline, and what is left is said before the process ends', (_, supervised, milliseconds) => {
    vi.useFakeTimers();
    try {
      const { exits, interruption: one } = interruption();
      const said: string[] = [];
      one.heed();
      if (supervised) one.obeyParent();
      one.beforeBreakingOff(() => said.push(`in doubt, ${exits.length} exits`));
      one.receive('SIGTERM');
      vi.advanceTimersByTime(milliseconds - 1);
      expect(exits).toEqual([]);
      vi.advanceTimersByTime(1);
      expect({ exits, said }).toEqual({ exits: [143], said: ['in doubt, 0 exits'] });
    } finally {
      vi.useRealTimers();
    }
  });

  it('is no second one when only the reader of the output has gone meanwhile', () => {
    const { exits, interruption: one } = interruption();
    one.heed();
    one.receive('SIGINT');
    one.receive('EPIPE');
    expect(exits).toEqual([]);
  });
});

describe('a source that can be interrupted', () => {
  async function* counting(closed: () => void): AsyncGenerator<number> {
    try {
      for (let number = 1; ; number++) yield number;
    } finally {
      closed();
    }
  }

  it('gives everything, and closes its source when nobody reads on', async () => {
    let closed = false;
    const seen: number[] = [];
    for await (const number of interruptible(
      counting(() => {
        closed = true;
      }),
      new AbortController().signal,
    )) {
      seen.push(number);
      if (number === 3) break;
    }
    expect({ seen, closed }).toEqual({ seen: [1, 2, 3], closed: true });
  });

  it('ends with the signal while the source says nothing', async () => {
    const controller = new AbortController();
    const silent: AsyncIterable<number> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) };
    const read = interruptible(silent, controller.signal).next();
    controller.abort();
    await expect(read).rejects.toThrow(Interrupted);
    await expect(
      interruptible(
        counting(() => undefined),
        controller.signal,
      ).next(),
    ).rejects.toThrow(Interrupted);
  });

  it('passes the failure of its source on', async () => {
    async function* failing(): AsyncGenerator<number> {
      yield 1;
      throw new Error('broken pipe');
    }
    const source = interruptible(failing(), new AbortController().signal);
    await source.next();
    await expect(source.next()).rejects.toThrow('broken pipe');
  });
});
