import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addDays, daysBetween, localHours, parseDay } from '../../../src/domain/analytics/index.ts';
import { InvalidInput } from '../../../src/domain/shared/errors.ts';

// Whole, half and quarter offsets, both hemispheres, a change of clocks at midnight, and of half an hour.
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/Santiago',
  'Africa/Cairo',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Pacific/Kiritimati',
] as const;
const HOUR_MS = 3_600_000;

const instants = fc.date({ min: new Date('2015-01-01T00:00:00Z'), max: new Date('2035-01-01T00:00:00Z'), noInvalidDate: true });

describe('the local hour of an instant', () => {
  it.each([
    ['Europe/Berlin', '2026-03-29T00:59:59Z', '2026-03-29', 1],
    ['Europe/Berlin', '2026-03-29T01:00:00Z', '2026-03-29', 3],
    ['Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-25', 2],
    ['Europe/Berlin', '2026-10-25T01:30:00Z', '2026-10-25', 2],
    ['Europe/Berlin', '2026-12-31T23:00:00Z', '2027-01-01', 0],
    ['America/New_York', '2026-11-22T04:59:59Z', '2026-11-21', 23],
    ['Asia/Kathmandu', '2026-11-22T18:14:59Z', '2026-11-22', 23],
    ['Asia/Kathmandu', '2026-11-22T18:15:00Z', '2026-11-23', 0],
    ['America/Santiago', '2026-09-06T04:00:00Z', '2026-09-06', 1],
  ])('in %s at %s is %s, hour %i', (timeZone, at, day, hour) => {
    expect(localHours(timeZone)(new Date(at))).toEqual({ day, hour });
  });

  it('agrees with the platform for any instant and zone', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), fc.array(instants, { maxLength: 20 }), (timeZone, times) => {
        const local = localHours(timeZone);
        for (const at of times) {
          const [day, clock = ''] = at.toLocaleString('sv-SE', { timeZone }).split(' ');
          expect(local(at)).toEqual({ day, hour: Number(clock.slice(0, 2)) });
        }
      }),
    );
  });
});

describe('a range of days', () => {
  it('holds the local day of every instant between its ends exactly once, over changes of clocks', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), instants, fc.integer({ min: 0, max: 400 * 24 }), (timeZone, start, hours) => {
        const local = localHours(timeZone);
        const end = new Date(start.getTime() + hours * HOUR_MS);
        const days = daysBetween(local(start).day, local(end).day);
        expect(new Set(days).size).toBe(days.length);
        expect(days).toEqual([...days].sort());
        for (let time = start.getTime(); time <= end.getTime(); time += 12 * HOUR_MS) {
          expect(days).toContain(local(new Date(time)).day);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('has both ends, and leap days', () => {
    expect(daysBetween('2028-02-27', '2028-03-01')).toEqual(['2028-02-27', '2028-02-28', '2028-02-29', '2028-03-01']);
    expect(daysBetween('2026-11-22', '2026-11-22')).toEqual(['2026-11-22']);
    expect(daysBetween('2026-11-22', '2026-11-21')).toEqual([]);
    expect(addDays('2026-01-01', -1)).toBe('2025-12-31');
  });
});

describe('a day from outside', () => {
  it.each(['', '2026-1-1', '2026-02-29', '2026-13-01', '22.11.2026', '2026-11-22T00:00', '0000-00-00'])(
    '%j is refused',
    (text) => {
      expect(() => parseDay(text)).toThrow(InvalidInput);
    },
  );

  it('is taken as it is when it exists', () => {
    expect(parseDay('2028-02-29')).toBe('2028-02-29');
  });
});
