import type { Liquid } from 'liquidjs';
import { type FilterHandler, filterNamed } from './liquid-limits.ts';

/** Directives of Ruby's strftime that stand for several others, as Shopify's Liquid knows them and liquidjs does not. */
const COMPOSITE: Readonly<Record<string, string>> = {
  c: '%a %b %e %H:%M:%S %Y',
  D: '%m/%d/%y',
  F: '%Y-%m-%d',
  r: '%I:%M:%S %p',
  R: '%H:%M',
  T: '%H:%M:%S',
  v: '%e-%^b-%4Y',
  x: '%m/%d/%y',
  X: '%H:%M:%S',
  '+': '%a %b %e %H:%M:%S %Z %Y',
};

const DIRECTIVE = /%([-_0^#:]*)(\d*)[EO]?(.)/gs;

/** Makes the filter `date` write what Ruby writes. */
export function useRubyDates(engine: Liquid): void {
  const plain = filterNamed('date');
  const date: FilterHandler = function (value, format, ...zone): unknown {
    const written =
      typeof format === 'string' ? expanded(format, () => isoWeek(plain.call(this, value, '%Y-%j-%u', ...zone))) : format;
    return plain.call(this, value, written, ...zone);
  };
  engine.registerFilter('date', date);
}

interface IsoWeek {
  readonly year: number;
  readonly week: number;
}

function expanded(format: string, week: () => IsoWeek | undefined): string {
  return format.replace(DIRECTIVE, (whole: string, flags: string, _width: string, directive: string) => {
    const composite = COMPOSITE[directive];
    if (composite !== undefined) return flags.includes('^') ? composite.replaceAll(/%\^?/g, '%^') : composite;
    if (directive !== 'G' && directive !== 'g' && directive !== 'V') return whole;
    const iso = week();
    if (iso === undefined) return whole;
    const padded = (value: number, digits: number): string =>
      flags.includes('-') ? String(value) : String(value).padStart(digits, flags.includes('_') ? ' ' : '0');
    return directive === 'V' ? padded(iso.week, 2) : directive === 'G' ? padded(iso.year, 4) : padded(iso.year % 100, 2);
  });
}

/** The week of ISO 8601, from year, day of the year and day of the week (Monday is 1). */
function isoWeek(written: unknown): IsoWeek | undefined {
  const match = /^(\d+)-(\d+)-([1-7])$/.exec(String(written));
  if (match === null) return undefined;
  const [year, day, weekday] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const week = Math.floor((day - weekday + 10) / 7);
  if (week < 1) return { year: year - 1, week: weeksIn(year - 1) };
  return week > weeksIn(year) ? { year: year + 1, week: 1 } : { year, week };
}

/** 53 when the year begins or ends on a Thursday. */
function weeksIn(year: number): number {
  const lastDay = (of: number): number => (of + Math.floor(of / 4) - Math.floor(of / 100) + Math.floor(of / 400)) % 7;
  return lastDay(year) === 4 || lastDay(year - 1) === 3 ? 53 : 52;
}
