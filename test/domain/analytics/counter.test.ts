import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeIncrements } from '../../../src/domain/analytics/counter.ts';
import {
  COUNTER_KINDS,
  domainSubject,
  linkSubject,
  localHours,
  mailingSubject,
  PROJECT,
} from '../../../src/domain/analytics/index.ts';

const mailingId = '01936c5e-1111-7111-9111-111111111111';
const subjects = [
  PROJECT,
  mailingSubject(mailingId),
  linkSubject(mailingId, 1),
  linkSubject(mailingId, 10),
  linkSubject(mailingId, 2),
  domainSubject(mailingId, 'example.com'),
];

const increments = fc.array(
  fc.record({
    subject: fc.constantFrom(...subjects),
    kind: fc.constantFrom(...COUNTER_KINDS),
    at: fc.date({ min: new Date('2026-10-24T00:00:00Z'), max: new Date('2026-10-27T00:00:00Z'), noInvalidDate: true }),
    by: fc.integer({ min: 1, max: 9 }),
  }),
);

describe('increments', () => {
  it('are merged by key without losing one', () => {
    fc.assert(
      fc.property(increments, (given) => {
        const rows = mergeIncrements(given, localHours('Europe/Berlin'));
        const keys = rows.map((row) => JSON.stringify([row.subject, row.day, row.hour, row.kind]));
        expect(new Set(keys).size).toBe(rows.length);
        const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
        expect(sum(rows.map((row) => row.value))).toBe(sum(given.map((increment) => increment.by)));
      }),
    );
  });

  it('come in the order of the primary key, whatever the order they were given in', () => {
    fc.assert(
      fc.property(increments, (given) => {
        const rows = mergeIncrements(given, localHours('Europe/Berlin'));
        const byKey = rows.toSorted((a, b) => {
          const [x, y] = [a, b].map((row) => [row.subject, row.day, String(row.hour).padStart(2, '0'), row.kind]);
          const at = x!.findIndex((part, index) => part !== y![index]);
          return at < 0 ? 0 : x![at]! < y![at]! ? -1 : 1;
        });
        expect(rows).toEqual(byKey);
        expect(mergeIncrements(given.toReversed(), localHours('Europe/Berlin'))).toEqual(rows);
      }),
    );
  });
});
