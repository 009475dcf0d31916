import { describe, expect, it } from 'vitest';
import { cleanUp, closing } from '../../../src/domain/shared/clean-up.ts';

const fails = (words: string) => () => Promise.reject(new Error(words));
const failsAtOnce = (words: string) => () => {
  throw new Error(words);
};

describe('what is closed after work', () => {
  it('is closed after work that succeeds, whose result is given', async () => {
    const closed: string[] = [];
    const close = async () => void closed.push('it');
    expect(await closing(async () => 42, close)).toBe(42);
    expect(closed).toEqual(['it']);
  });

  it.each([
    ['the work fails', fails('first'), async () => undefined, 'first'],
    ['the work fails, and closing too', fails('first'), fails('second'), 'first'],
    ['the work fails, and closing too, before it gives a promise', fails('first'), failsAtOnce('second'), 'first'],
    ['only closing fails', async () => undefined, fails('second'), 'second'],
  ])('tells the first error when %s', async (_, work, close, told) => {
    await expect(closing(work, close)).rejects.toThrow(new RegExp(`^${told}$`));
  });

  it('is closed once when the work fails', async () => {
    let closed = 0;
    const close = () => {
      closed += 1;
      throw new Error('second');
    };
    await closing(fails('first'), close).catch(() => undefined);
    expect(closed).toBe(1);
  });

  it('keeps the error itself, not a copy', async () => {
    const error = new RangeError('first');
    await expect(cleanUp(error, failsAtOnce('second'))).rejects.toBe(error);
  });
});
