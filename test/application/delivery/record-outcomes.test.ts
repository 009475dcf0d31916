import { describe, expect, it } from 'vitest';
import { RecordOutcomes } from '../../../src/application/delivery/bulk/record-outcomes.ts';
import type { BulkScope, Scope } from '../../../src/application/unit-of-work.ts';
import type { ShardBatch } from '../../../src/domain/delivery/index.ts';
import { testTime } from '../../support/test-time.ts';

describe('the time zone in which outcomes are counted', () => {
  it('is the project’s own of the last five seconds, without a restart', async () => {
    const passing = testTime();
    let timeZone = 'Europe/Berlin';
    let asked = 0;
    const counted: string[] = [];
    const change = {
      projectId: 'p',
      mailingId: 'c',
      moved: [{ state: 'submitted', at: new Date('2026-11-22T10:00:00Z'), domain: undefined }],
    };
    const scope = {
      access: {
        getProject: async () => {
          asked += 1;
          return { timeZone };
        },
      },
      delivery: { lanes: { record: async () => ({ verdicts: new Map(), changes: [change] }) } },
      analytics: { count: async (_: string, zone: string) => void counted.push(zone) },
    };
    const work = {
      run: <T>(use: (given: Scope) => Promise<T>) => use(scope as unknown as Scope),
      bulk: <T>(use: (given: BulkScope) => Promise<T>) => use(scope as unknown as BulkScope),
      single: <T>(use: (given: BulkScope) => Promise<T>) => use(scope as unknown as BulkScope),
    };
    const outcomes = new RecordOutcomes({ work, clock: passing.clock });
    const batch = { projectId: 'p' } as ShardBatch;
    await outcomes.record([batch]);
    timeZone = 'America/New_York';
    await outcomes.record([batch]);
    expect([asked, counted]).toEqual([1, ['Europe/Berlin', 'Europe/Berlin']]);
    await passing.pass(5_000);
    await outcomes.record([batch]);
    expect(counted.at(-1)).toBe('America/New_York');
  });
});
