import { describe, expect, it } from 'vitest';
import { Lifecycle } from '../../src/infrastructure/lifecycle.ts';

describe('a lifecycle', () => {
  it('closes the last opened first, each after the one before has ended', async () => {
    const lifecycle = new Lifecycle();
    const seen: string[] = [];
    for (const name of ['database', 'pool', 'server']) {
      lifecycle.register(name, async () => {
        seen.push(`${name} begins`);
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(`${name} ends`);
      });
    }
    await lifecycle.close();
    expect(seen).toEqual(['server begins', 'server ends', 'pool begins', 'pool ends', 'database begins', 'database ends']);
  });

  it('closes once, however often it is asked', async () => {
    const lifecycle = new Lifecycle();
    let closed = 0;
    lifecycle.register('thing', () => {
      closed += 1;
    });
    await Promise.all([lifecycle.close(), lifecycle.close()]);
    await lifecycle.close();
    expect(closed).toBe(1);
  });

  it('closes the rest when one fails, and names every failure', async () => {
    const lifecycle = new Lifecycle();
    const seen: string[] = [];
    lifecycle.register('database', () => {
      seen.push('database');
    });
    lifecycle.register('pool', () => Promise.reject(new Error('still in use')));
    lifecycle.register('server', () => {
      throw new Error('never started');
    });
    await expect(lifecycle.close()).rejects.toThrow('server did not close: never started; pool did not close: still in use');
    expect(seen).toEqual(['database']);
  });

  it('takes nothing more once closing has begun', async () => {
    const lifecycle = new Lifecycle();
    await lifecycle.close();
    expect(() => lifecycle.register('late one', () => undefined)).toThrow('late one was opened during shutdown.');
  });
});
