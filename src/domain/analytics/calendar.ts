import { InvalidInput } from '../shared/errors.ts';

/** A calendar day, `2026-11-22`; which instants it covers depends on the time zone. */
export type Day = string;

/** A day and an hour of it (0 to 23) on the clocks of one time zone. */
export interface LocalHour {
  readonly day: Day;
  readonly hour: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Per time zone: a day's. */
const MINUTES_KNOWN = 1_440;

/**
 * Reads instants on the clocks of one time zone. When clocks go back, two hours have one name; both belong to their day.
 * @param timeZone IANA name, already checked where the project was made
 * @throws RangeError for a name that does not exist
 */
export function localHours(timeZone: string): (at: Date) => LocalHour {
  // Making a formatter takes 30 us and asking it 1 us: each minute is asked once.
  const format = new Intl.DateTimeFormat('en-CA-u-ca-iso8601-nu-latn', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    hourCycle: 'h23',
  });
  const known = new Map<number, LocalHour>();
  return (at) => {
    const minute = Math.floor(at.getTime() / MINUTE_MS);
    const found = known.get(minute);
    if (found !== undefined) return found;
    const parts: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {};
    for (const { type, value } of format.formatToParts(at)) parts[type] = value;
    if (known.size >= MINUTES_KNOWN) known.clear();
    const local = { day: `${parts.year?.padStart(4, '0')}-${parts.month}-${parts.day}`, hour: Number(parts.hour) };
    known.set(minute, local);
    return local;
  };
}

/** The clocks of every time zone that was asked for, for code that counts many times a second. */
export class LocalClocks {
  private readonly known = new Map<string, (at: Date) => LocalHour>();

  /** @throws RangeError for a name that does not exist */
  in(timeZone: string): (at: Date) => LocalHour {
    const found = this.known.get(timeZone);
    if (found !== undefined) return found;
    const local = localHours(timeZone);
    this.known.set(timeZone, local);
    return local;
  }
}

/** @throws InvalidInput unless the text is a day that exists, as `2026-11-22`. */
export function parseDay(text: string, pointer?: string): Day {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  if (Number.isNaN(time) || toDay(time) !== text) {
    throw new InvalidInput(`"${text.slice(0, 40)}" is not a day such as 2026-11-22.`, pointer);
  }
  return text;
}

/** `days` after that day, or before it. Days are counted on the calendar, where each has 24 hours; clocks do not matter. */
export function addDays(day: Day, days: number): Day {
  return toDay(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS);
}

/** Every day from `from` through `to`; empty when `to` is before `from`. */
export function daysBetween(from: Day, to: Day): readonly Day[] {
  const days: Day[] = [];
  for (let day = from; day <= to; day = addDays(day, 1)) days.push(day);
  return days;
}

const toDay = (time: number): Day => new Date(time).toISOString().slice(0, 10);
