import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMoment } from '../../../src/domain/shared/moment.ts';

/** A quarter to one in the night of the 24th in Berlin, and the evening of the 23rd in New York. */
const NOW = new Date('2026-10-23T22:45:00Z');
const at = (text: string, zone = 'Europe/Berlin') => parseMoment(text, '/at').in(zone, NOW).toISOString();

describe('a time as people write it', () => {
  it.each([
    ['2026-11-22T10:00:00Z', '2026-11-22T10:00:00.000Z'],
    ['2026-11-22t10:00:00z', '2026-11-22T10:00:00.000Z'],
    ['2026-11-22T10:00:00.25+01:00', '2026-11-22T09:00:00.250Z'],
    ['2026-11-22T10:00:00.123456789-0330', '2026-11-22T13:30:00.123Z'],
    ['2026-11-22 10:00 +01:00', '2026-11-22T09:00:00.000Z'],
    ['2026-11-22 10:00', '2026-11-22T09:00:00.000Z'],
    ['  2026-11-22T10:00  ', '2026-11-22T09:00:00.000Z'],
    ['2026-07-22 10:00', '2026-07-22T08:00:00.000Z'],
    ['2026-11-22', '2026-11-21T23:00:00.000Z'],
    ['2026-11-22 10:00 Asia/Kathmandu', '2026-11-22T04:15:00.000Z'],
    ['2026-11-22 10:00 UTC', '2026-11-22T10:00:00.000Z'],
    ['2026-11-22 10:00 America/Argentina/Buenos_Aires', '2026-11-22T13:00:00.000Z'],
    ['2028-02-29', '2028-02-28T23:00:00.000Z'],
    ['2026-11-22 9:00', '2026-11-22T08:00:00.000Z'],
    ['today 18:30', '2026-10-24T16:30:00.000Z'],
    ['Tomorrow 9:00', '2026-10-25T08:00:00.000Z'],
    ['tomorrow', '2026-10-24T22:00:00.000Z'],
    ['tomorrow 09:00 America/New_York', '2026-10-24T13:00:00.000Z'],
    ['today 23:50 -04:00', '2026-10-24T03:50:00.000Z'],
    ['tomorrow 9:00Z', '2026-10-24T09:00:00.000Z'],
    ['9998-12-31T23:59:59Z', '9998-12-31T23:59:59.000Z'],
  ])('%s is %s in Berlin', (text, time) => {
    expect(at(text)).toBe(time);
  });

  it.each([
    '',
    'yesterday',
    'tomorrow at 9',
    'today 24:00',
    'tomorrow2026-11-22',
    'tomorrow 9:00 Z Europe/Berlin',
    '2026-11-22 9',
    '22.11.2026',
    '2026-11-22T25:00Z',
    '2026-11-22T10:60Z',
    '2026-11-22T10:00:60Z',
    '2026-02-29',
    '2026-13-01',
    '2026-00-01',
    '2026-11-22T10:00+24:00',
    '2026-11-22T10:00Z Europe/Berlin',
    '2026-11-22 10:00 Nowhere/Land',
    '1899-12-31',
    '9999-01-01',
    '0000-01-01',
    '2026-11-22T10',
    '2026-11-22 10:00\0',
    '２０２６-11-22',
    '2026-11-22T10:00:00Z; drop',
  ])('%j is refused, and shown how to write one', (text) => {
    expect(() => at(text)).toThrow(
      expect.objectContaining({ code: 'input.invalid', pointer: '/at', message: expect.stringContaining('2026-11-22 10:00') }),
    );
  });

  it('that clocks skip or show twice is refused, and taken with its offset', () => {
    expect(() => at('2026-03-29 02:30')).toThrow('clocks skip this time in Europe/Berlin');
    expect(() => at('2026-10-25 02:30')).toThrow('comes twice in Europe/Berlin');
    expect(at('2026-10-25 02:30 +02:00')).toBe('2026-10-25T00:30:00.000Z');
    expect(at('2026-10-25 02:30 +01:00')).toBe('2026-10-25T01:30:00.000Z');
    expect(at('2026-03-29 02:30', 'UTC')).toBe('2026-03-29T02:30:00.000Z');
    // A zone that has skipped a whole day.
    expect(() => at('2011-12-30 12:00 Pacific/Apia')).toThrow('clocks skip this time');
  });

  it('is the same again when its zone shows it', () => {
    const zones = ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'Pacific/Chatham', 'America/Sao_Paulo'];
    const times = fc.integer({ min: Date.UTC(1970, 0), max: Date.UTC(2100, 0) }).map((ms) => Math.floor(ms / 60_000) * 60_000);
    fc.assert(
      fc.property(times, fc.constantFrom(...zones), (time, zone) => {
        const shown = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }).format(time);
        try {
          expect(parseMoment(shown).in(zone, NOW).getTime()).toBe(time);
        } catch (error) {
          expect(String(error)).toContain('comes twice');
        }
        expect(parseMoment(new Date(time).toISOString()).in(zone, NOW).getTime()).toBe(time);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a day that is counted from now', () => {
  it('has the gaps and overlaps of its zone like any other', () => {
    expect(() => at('tomorrow 2:30')).toThrow('comes twice in Europe/Berlin');
    const beforeSpring = new Date('2026-03-28T12:00:00Z');
    expect(() => parseMoment('tomorrow 2:30').in('Europe/Berlin', beforeSpring)).toThrow(
      'clocks skip this time in Europe/Berlin',
    );
  });
});
