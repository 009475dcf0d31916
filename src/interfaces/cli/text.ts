import { stripVTControlCharacters } from 'node:util';

/**
 * Text and figures as a terminal shows them: how many columns a text takes, what must never reach a terminal, and how
 * numbers and times are written.
 */

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** East Asian Wide and Fullwidth (Unicode Standard Annex 11), as ranges; halfwidth forms are left out. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{17000}-\u{18cff}\u{1b000}-\u{1b2ff}\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]/u;
/** A code point that is an emoji by itself, or any sequence made one: by the variation selector 16, a keycap, a second flag letter. */
const EMOJI = /^\p{Emoji_Presentation}|\ufe0f|\u20e3|^\p{Regional_Indicator}{2}/u;
const WIDTHLESS = /^[\p{Mark}\p{Format}\p{Default_Ignorable_Code_Point}]*$/u;
const PLAIN = /^[\x20-\x7e]*$/;

/** Columns that the text takes in a terminal; escape sequences take none. */
export function textWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(stripVTControlCharacters(text))) width += graphemeWidth(segment);
  return width;
}

function graphemeWidth(grapheme: string): number {
  if (WIDTHLESS.test(grapheme)) return 0;
  return WIDE.test(grapheme) || EMOJI.test(grapheme) ? 2 : 1;
}

/**
 * One line that cannot steer a terminal: escape sequences go, line ends and tabs become blanks, other control characters
 * and the ones that turn the direction of writing become U+FFFD. Names and replies come from strangers.
 */
export function oneLine(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/[\t\r\n\u2028\u2029]+/g, ' ')
    .replace(/[\p{Control}\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}

/** The text, or as much of it as fits before an ellipsis. */
export function truncate(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let kept = '';
  let width = 0;
  for (const { segment } of segmenter.segment(stripVTControlCharacters(text))) {
    width += graphemeWidth(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return columns < 1 ? '' : `${kept}…`;
}

/** Fills up with blanks; a text that is too long stays as it is. */
export function pad(text: string, columns: number, align: 'left' | 'right'): string {
  const blanks = ' '.repeat(Math.max(0, columns - textWidth(text)));
  return align === 'left' ? text + blanks : blanks + text;
}

const counts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `12,345`. */
export const formatCount = (count: number): string => counts.format(count);

/** `1 recipient gets`, `2,500 recipients get`. */
export const formatCounted = (count: number, one: string, many: string): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`;

/** `4.2 %`; a dash when there is nothing to take a share of, never a rounded 100.0 % or 0.0 % that is not one. */
export function formatShare(part: number, whole: number): string {
  if (whole === 0) return '–';
  const tenths = Math.round((part / whole) * 1_000);
  if (tenths === 0 && part > 0) return '< 0.1 %';
  if (tenths === 1_000 && part < whole) return '> 99.9 %';
  return `${(tenths / 10).toFixed(1)} %`;
}

/** `9.4 s`, `3:07`, `1:02:03`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (value: number): string => String(Math.trunc(value)).padStart(2, '0');
  const minutes = Math.trunc(whole / 60);
  return minutes < 60 ? `${minutes}:${two(whole % 60)}` : `${Math.trunc(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** `2026-11-29 09:00 +01:00`: by the clocks of the zone, and in a form that options take as well. */
export function formatTime(time: Date, timeZone: string): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hourCycle: 'h23',
    hour: '2-digit',
    minute: '2-digit',
    timeZoneName: 'longOffset',
  }).formatToParts(time);
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.find((one) => one.type === type)?.value ?? '';
  const offset = part('timeZoneName').slice('GMT'.length);
  return `${formatDay(time, timeZone)} ${part('hour')}:${part('minute')} ${offset === '' || offset === '+00:00' ? 'UTC' : offset}`;
}

/** `2026-11-29`, by the clocks of the zone. */
export const formatDay = (time: Date, timeZone: string): string =>
  new Intl.DateTimeFormat('sv-SE', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(time);
