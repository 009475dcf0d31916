import { describe, expect, it } from 'vitest';
import { Keeper, type Running } from '../../src/infrastructure/postgres/embedded-keeper.ts';
import { NoSpace } from '../../src/infrastructure/postgres/errors.ts';
import { until } from './embedded-support.ts';

describe('the keeper of a server', () => {
  const pace = { first: 1, longest: 4, steady: 10_000, patience: 50, look: 1 };
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const server = (ended: Promise<string>): Running => ({ role: 'supervising', ended, stop: async () => undefined });
  const lostBy = (first: Running, open: () => Promise<Running>): Promise<Error> =>
    new Promise((onLost) => {
      const vacant = async () => true;
      new Keeper({ first, open, vacant, inherits: true, log: silent, onEnd: async () => undefined, onLost, pace });
    });

  it.each([
    ['cannot be started again', server(Promise.resolve('killed')), () => Promise.reject(new NoSpace('/secret/place'))],
    ['is started and ends again, and again', server(Promise.resolve('killed')), async () => server(Promise.resolve('full'))],
    ['cannot be taken over', { role: 'attached' } as const, () => Promise.reject(new NoSpace('/secret/place'))],
  ])('gives up one that %s, and names no path', async (_, first, open) => {
    let opened = 0;
    const error = await lostBy(first, () => {
      opened += 1;
      return open();
    });
    expect(error).toMatchObject({
      code: 'database.unavailable',
      message: expect.stringContaining('It is not restarted any more'),
    });
    expect(error.message).not.toContain('/secret');
    expect(opened).toBeGreaterThan(3);
  });

  it('starts no server once it was stopped, and stops one that is just starting', async () => {
    const { promise: ended, resolve: end } = Promise.withResolvers<string>();
    const { promise: starting, resolve: start } = Promise.withResolvers<Running>();
    let asked = 0;
    let stopped = 0;
    const deps = {
      vacant: async () => false,
      inherits: true,
      log: silent,
      onEnd: async () => undefined,
      onLost: () => undefined,
    };
    const open = () => {
      asked += 1;
      return starting;
    };
    const keeper = new Keeper({ first: server(ended), open, pace, ...deps });
    end('killed');
    await until(async () => asked === 1);
    const stop = keeper.stop();
    const late = { role: 'supervising' as const, ended: new Promise<string>(() => undefined) };
    start({
      ...late,
      stop: async () => {
        stopped += 1;
      },
    });
    await stop;
    expect([asked, stopped]).toEqual([1, 1]);
  });
});
