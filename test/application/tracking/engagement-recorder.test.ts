import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EngagementRecorder } from '../../../src/application/tracking/engagement-recorder.ts';
import type { EngagementEvent } from '../../../src/domain/tracking/index.ts';

class Passing extends Error {}

const clock = { now: () => new Date(), monotonic: () => performance.now() };
const isTransient = (error: unknown): boolean => error instanceof Passing;

function recorderOf(commit: (batch: readonly EngagementEvent[]) => Promise<void>, maxWaiting = 100) {
  const complaints: object[] = [];
  const log = { info: () => undefined, warn: () => undefined, error: (facts: object) => complaints.push(facts) };
  return { recorder: new EngagementRecorder({ commit, isTransient, clock, log, maxWaiting }), complaints };
}

const anOpen = (id: string): EngagementEvent => ({
  id,
  projectId: '01936c5e-0000-7000-8000-000000000001',
  at: new Date('2026-11-22T10:00:00Z'),
  kind: 'open',
  mailingId: '01936c5e-1111-7111-9111-111111111111',
  subscriberId: '01936c5e-2222-7222-a222-222222222222',
  messageId: undefined,
  link: undefined,
  method: 'GET',
  userAgent: undefined,
  secFetchSite: undefined,
  secFetchMode: undefined,
  secFetchDest: undefined,
  purpose: undefined,
  network: undefined,
  requests: 1,
  lastAt: new Date('2026-11-22T10:00:00Z'),
});

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('an open or click', () => {
  it('is answered when it is durable, not before', async () => {
    const committed = Promise.withResolvers<void>();
    const { recorder } = recorderOf(() => committed.promise);
    const answered = vi.fn();
    const answer = recorder.record(anOpen('1')).then(answered);
    await vi.advanceTimersByTimeAsync(200);
    expect(answered).not.toHaveBeenCalled();
    committed.resolve();
    await answer;
    expect(answered).toHaveBeenCalledWith('durable');
    expect(recorder.stats).toMatchObject({ recorded: 1, lost: 0, waiting: 0 });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is answered after 250 ms as lost while the database hangs', async () => {
    const { recorder } = recorderOf(() => new Promise(() => undefined));
    const answers = Promise.all([recorder.record(anOpen('1')), recorder.record(anOpen('2'))]);
    await vi.advanceTimersByTimeAsync(250);
    expect(await answers).toEqual(['lost', 'lost']);
    expect(recorder.stats).toMatchObject({ recorded: 0, lost: 2, recovered: 0 });
  });

  it('is written all the same when the database comes back, and counted as recovered', async () => {
    let away = true;
    const written: string[] = [];
    const { recorder } = recorderOf(async (batch) => {
      if (away) throw new Passing('refused');
      written.push(...batch.map((event) => event.id));
    });
    const answer = recorder.record(anOpen('1'));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await answer).toBe('lost');
    away = false;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(written).toEqual(['1']);
    expect(recorder.stats).toMatchObject({ recorded: 0, lost: 1, recovered: 1, waiting: 0 });
  });

  it('is answered at once as lost when memory is full', async () => {
    const { recorder } = recorderOf(() => Promise.reject(new Passing('refused')), 2);
    const waiting = [recorder.record(anOpen('1')), recorder.record(anOpen('2'))];
    expect(await recorder.record(anOpen('3'))).toBe('lost');
    await vi.advanceTimersByTimeAsync(250);
    expect(await Promise.all(waiting)).toEqual(['lost', 'lost']);
    expect(recorder.stats).toMatchObject({ lost: 3, waiting: 2 });
  });

  it('that PostgreSQL refuses is lost alone, and said so', async () => {
    const { recorder, complaints } = recorderOf(async (batch) => {
      if (batch.some((event) => event.id === 'poison')) throw new Error('invalid input syntax for type uuid');
    });
    const answers = Promise.all(['1', 'poison', '2'].map((id) => recorder.record(anOpen(id))));
    await vi.advanceTimersByTimeAsync(0);
    expect(await answers).toEqual(['durable', 'lost', 'durable']);
    expect(recorder.stats).toMatchObject({ recorded: 2, lost: 1, refused: 1 });
    expect(complaints).toMatchObject([{ event: 'poison', kind: 'open' }]);
  });

  it('is written by a clean shutdown', async () => {
    const written: string[] = [];
    const { recorder } = recorderOf(async (batch) => {
      written.push(...batch.map((event) => event.id));
    });
    const first = recorder.record(anOpen('1'));
    await first;
    const second = recorder.record(anOpen('2'));
    await recorder.close();
    expect(await second).toBe('durable');
    expect(await recorder.record(anOpen('3'))).toBe('lost');
    expect(written).toEqual(['1', '2']);
    expect(vi.getTimerCount()).toBe(0);
  });
});
