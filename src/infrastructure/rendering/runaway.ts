import type { Template } from 'liquidjs';
import { usesOf } from './variables.ts';

/**
 * Filters whose work is bounded by what liquidjs counts (one pass over a text or list that the memory limit has room for).
 * Not here: those that evaluate an expression per element (`where_exp` over 200,000 elements ran 1.1 s under a limit of
 * 0.3 s), sort, or walk data of any depth.
 */
const BOUNDED = new Set([
  'abs',
  'append',
  'at_least',
  'at_most',
  'capitalize',
  'ceil',
  'date',
  'default',
  'divided_by',
  'downcase',
  'escape',
  'escape_once',
  'first',
  'floor',
  'join',
  'last',
  'lstrip',
  'minus',
  'modulo',
  'newline_to_br',
  'plus',
  'prepend',
  'raw',
  'remove',
  'replace',
  'round',
  'rstrip',
  'size',
  'slice',
  'split',
  'strip',
  'strip_html',
  'strip_newlines',
  'times',
  'truncate',
  'truncatewords',
  'upcase',
  'url_encode',
]);

/** Tags between whose turns liquidjs looks at the clock, so that its own limit holds. */
const CLOCKED = new Set([
  '#',
  'assign',
  'break',
  'capture',
  'case',
  'comment',
  'continue',
  'cycle',
  'decrement',
  'echo',
  'for',
  'if',
  'increment',
  'liquid',
  'pennypost_label',
  'pennypost_link',
  'pennypost_open',
  'raw',
  'unless',
]);

/** True for templates that need the hard limit (0.1 ms a message): anything that is not known to end soon by itself. */
export function mayRunAway(templates: readonly Template[]): boolean {
  const { filters, tags } = usesOf(templates);
  return [...filters].some((name) => !BOUNDED.has(name)) || [...tags].some((name) => !CLOCKED.has(name));
}
