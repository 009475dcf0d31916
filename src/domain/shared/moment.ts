import { InvalidInput } from './errors.ts';

/** A point in time as a person wrote it. Which one it is may depend on the project's time zone. */
export interface Moment {
  /**
   * @param now what `today` and `tomorrow` are counted from
   * @throws InvalidInput for a local time that the zone skips or has twice
   */
  in(timeZone: string, now: Date): Date;
}

/**
 * What all faces take as a time: RFC 3339, with the offset or a zone's name or neither, to the minute or finer, or a day alone.
 * The day may be today or tomorrow.
 */
export const MOMENT_PATTERN =
  /^(?:(\d{4})-(\d\d)-(\d\d)|([Tt]oday|[Tt]omorrow))(?:[Tt ](\d\d?):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?: ?([Zz]|[+-]\d\d:?\d\d))?)?(?: ([A-Za-z]+(?:\/[A-Za-z0-9_+-]+){0,2}))?$/;

const DAY = 86_400_000;

const HOW =
  'Write it like 2026-11-22T10:00:00+01:00, like 2026-11-22 10:00 or tomorrow 10:00 for the time zone of the project, or like 2026-11-22 10:00 Europe/Berlin.';

/**
 * Reads a time. Without an offset it is local: in the zone that follows it, otherwise in the project's.
 * @param pointer JSON pointer to the field, for the error
 * @throws InvalidInput that shows how to write one
 */
export function parseMoment(text: string, pointer?: string): Moment {
  const match = MOMENT_PATTERN.exec(text.trim());
  const refuse = (reason: string) => new InvalidInput(`"${shown(text)}" is not a time${reason}. ${HOW}`, pointer);
  if (match === null) throw refuse('');
  const [, year, month, day, relative, hour = '0', minute = '0', second = '0', fraction = '', offset, zone] = match;
  if (offset !== undefined && zone !== undefined) throw refuse(': it has both an offset and a zone');
  const written = relative === undefined ? Date.UTC(Number(year), Number(month) - 1, Number(day)) : undefined;
  // Date.UTC counts on: the 30th of February is the 2nd of March to it.
  const noSuchDay = written !== undefined && new Date(written).toISOString().slice(0, 10) !== `${year}-${month}-${day}`;
  if (noSuchDay || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59)
    throw refuse(': there is no such day or hour');
  if (year !== undefined && (Number(year) < 1900 || Number(year) > 9998)) throw refuse(': the year must be from 1900 to 9998');
  const ahead = relative?.toLowerCase() === 'tomorrow' ? DAY : 0;
  const ofDay = ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000;
  /** As if the clocks that it is written for showed UTC. */
  const localOf = (now: Date, offset: number): number =>
    (written ?? Math.floor((now.getTime() + offset) / DAY) * DAY + ahead) + ofDay;
  const milliseconds = Number(fraction.padEnd(3, '0').slice(0, 3));
  if (offset !== undefined) {
    const minutes = offsetMinutes(offset);
    if (minutes === undefined) throw refuse(': an offset has at most 23 hours and 59 minutes');
    const before = minutes * 60_000;
    return { in: (_, now) => new Date(localOf(now, before) - before + milliseconds) };
  }
  if (zone !== undefined && !isZone(zone)) throw refuse(`: "${zone}" is not a time zone`);
  return {
    in(project, now) {
      const timeZone = zone ?? project;
      const local = localOf(now, offsetAt(now.getTime(), timeZone));
      const [first, second] = instantsOf(local, timeZone);
      if (first === undefined) throw refuse(`: clocks skip this time in ${timeZone}`);
      if (second !== undefined)
        throw new InvalidInput(
          `"${shown(text)}" comes twice in ${timeZone}, where clocks go back. Add the offset that is meant.`,
          pointer,
        );
      return new Date(first + milliseconds);
    },
  };
}

function offsetMinutes(offset: string): number | undefined {
  if (/^z$/i.test(offset)) return 0;
  const [hours, minutes] = [Number(offset.slice(1, 3)), Number(offset.slice(-2))];
  if (hours > 23 || minutes > 59) return undefined;
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

/** Every instant at which the zone's clocks show this: none when they skip it, two when they go back over it. */
function instantsOf(local: number, timeZone: string): number[] {
  const offsets = new Set([local - DAY, local + DAY].map((near) => offsetAt(near, timeZone)));
  return [...offsets]
    .map((offset) => local - offset)
    .filter((instant) => instant + offsetAt(instant, timeZone) === local)
    .sort();
}

/** How far the zone's clocks are ahead of UTC, in milliseconds. */
function offsetAt(instant: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(instant);
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value);
  const shownThere = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  return shownThere - Math.floor(instant / 1000) * 1000;
}

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

const shown = (text: string): string =>
  text
    .slice(0, 60)
    .toWellFormed()
    .replace(/\p{Cc}/gu, '\ufffd');
