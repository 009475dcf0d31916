import { describe, expect, it } from 'vitest';
import type { Status } from '../../../src/application/application.ts';
import { StuckNews } from '../../../src/interfaces/cli/stuck-workers.ts';

type Stuck = NonNullable<Status['workers'][number]['progress']['stuck']>;

/** What is new, one look after the other: who is a worker then, and stuck at what. */
function newsroom() {
  const news = new StuckNews();
  return (known: Readonly<Record<number, Stuck | undefined>>): readonly string[] =>
    news.of(
      Object.entries(known).map(([pid, stuck]) => ({
        id: pid,
        host: 'node',
        pid: Number(pid),
        lanes: ['bulk'],
        startedAt: new Date(0),
        responds: true,
        progress: { shards: 1, submitted: 0, perSecond: 0, unrecorded: 1, stuck },
      })),
    );
}

describe('who watches a campaign', () => {
  it('hears once that a worker is stuck, once of its profile, and once that it goes on', () => {
    const once = newsroom();
    expect(once({ 1: undefined, 2: undefined })).toEqual([]);
    expect(once({ 1: { at: 'waits', forMs: 31_000 }, 2: undefined })).toEqual(['node:1 is stuck for 31 s: waits']);
    expect(once({ 1: { at: 'waits', forMs: 33_000 }, 2: undefined })).toEqual([]);
    const profiled = { at: 'waits', forMs: 35_000, profile: '/p.cpuprofile' };
    expect(once({ 1: profiled, 2: undefined })).toEqual(['node:1 is stuck for 35 s: waits\n  CPU profile: /p.cpuprofile']);
    expect(once({ 1: undefined, 2: undefined })).toEqual(['node:1 is no longer stuck']);
    expect(once({ 1: undefined, 2: undefined })).toEqual([]);
  });

  it('hears that one which was stuck has ended', () => {
    const once = newsroom();
    once({ 1: { at: 'waits', forMs: 31_000 } });
    expect(once({})).toEqual(['node:1 is no longer stuck: it has ended']);
  });
});
