import { describe, expect, it } from 'vitest';
import { Interruption } from '../../../src/interfaces/cli/interruption.ts';

function interruption() {
  const exits: number[] = [];
  return { exits, interruption: new Interruption((status) => exits.push(status)) };
}

describe('a signal', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
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

  it('is no second one when only the reader of the output has gone meanwhile', () => {
    const { exits, interruption: one } = interruption();
    one.heed();
    one.receive('SIGINT');
    one.receive('EPIPE');
    expect(exits).toEqual([]);
  });
});
