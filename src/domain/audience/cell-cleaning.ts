import { type EmailAddress, parseEmailAddress } from '../shared/email-address.ts';

/** Invisible characters: zero width, direction marks, fillers, soft hyphen, zero byte, the end of a DOS file. */
const INVISIBLE = '[\\0\\x1a\\x85\\u2800\\p{Default_Ignorable_Code_Point}]';
/** Without what makes an emoji of the character before it. */
const BESIDE = `(?:\\s|(?![\\ufe0e\\ufe0f])${INVISIBLE})`;
const AROUND = new RegExp(`^${BESIDE}+|${BESIDE}+$`, 'gu');
const BLANK = new RegExp(`^(?:\\s|${INVISIBLE})*$`, 'u');
/** Within an address as well; U+200C and U+200D may be letters of a name in Persian or Hindi. */
const INSIDE = new RegExp(`(?![\u200c\u200d])${INVISIBLE}`, 'gu');

/** What spreadsheets and databases write for a cell without a value. */
const NO_VALUE = /^(?:NULL|null|\\N|#N\/A|#NV|#REF!|#NAME\?|#VALUE!|#WERT!|#DIV\/0!|#NULL!|#NUM!)$/;

interface Rule {
  readonly found: string;
  readonly cleaned: string;
  readonly pattern: RegExp;
  readonly replacement: string;
}

/** In this order; each with a cell that it was written for, and what that cell becomes (the test reads both). */
export const CELL_RULES: readonly Rule[] = [
  { found: '\u200e Ann\u00a0\u200b', cleaned: 'Ann', pattern: AROUND, replacement: '' },
  { found: '"Oslo, Norway" ', cleaned: 'Oslo, Norway', pattern: /^"((?:[^"]|"")*)"$/, replacement: '$1' },
  // How exports keep a spreadsheet from reading it as a number.
  { found: '="0123"', cleaned: '0123', pattern: /^="((?:[^"]|"")*)"$/, replacement: '$1' },
  { found: '" Ann "', cleaned: 'Ann', pattern: AROUND, replacement: '' },
];

const ADDRESS = '[^\\s@<>()\\[\\],;:"]+@[^\\s@<>()\\[\\],;:"]+';

/** What stands around an address in exports and in what people type, and names no other address. */
export const ADDRESS_RULES: readonly Rule[] = [
  { found: 'ann\u200b@example.com', cleaned: 'ann@example.com', pattern: INSIDE, replacement: '' },
  { found: 'ann\uff20example.com', cleaned: 'ann@example.com', pattern: /\uff20/g, replacement: '@' },
  {
    found: 'Ann Lee <ann@example.com>',
    cleaned: 'ann@example.com',
    pattern: new RegExp(`^[^<>@]*<\\s*((?:mailto:|smtp:)?${ADDRESS})\\s*>[\\s.,;]*$`, 'i'),
    replacement: '$1',
  },
  {
    found: 'Ann Lee (ann@example.com)',
    cleaned: 'ann@example.com',
    pattern: new RegExp(`^[^()@]*\\(\\s*(${ADDRESS})\\s*\\)$`),
    replacement: '$1',
  },
  {
    found: 'ann@example.com (Ann Lee)',
    cleaned: 'ann@example.com',
    pattern: new RegExp(`^(${ADDRESS})\\s*\\([^()@]*\\)$`),
    replacement: '$1',
  },
  {
    found: '[ann@example.com](mailto:ann@example.com)',
    cleaned: 'ann@example.com',
    pattern: new RegExp(`^\\[(${ADDRESS})\\]\\(mailto:\\1\\)$`, 'i'),
    replacement: '$1',
  },
  {
    found: 'mailto:ann@example.com?subject=Hi',
    cleaned: 'ann@example.com',
    pattern: /^(?:mailto|smtp|e-?mail)\s*:\s*([^?]*)(?:\?.*)?$/i,
    replacement: '$1',
  },
  { found: '“ann@example.com”', cleaned: 'ann@example.com', pattern: /^["'`´‘’“”„«»‹›]+|["'`´‘’“”„«»‹›]+$/g, replacement: '' },
  { found: 'ann@example.com.,;', cleaned: 'ann@example.com', pattern: /^[\s,;]+|[\s.,;:]+$/g, replacement: '' },
];

/** Most cells are clean already, and are not looked at rule by rule. */
const CLEAN_CELL = /^[!$-[\]-~](?:[ !#-~\u00c0-\u024f]*[!#-~])?$/;
const CLEAN_ADDRESS = /^[A-Za-z\d](?:[\w.%+-]*\w)?@[A-Za-z\d.-]*[A-Za-z]$/;

/** The value without quotes, names and other surroundings. '' for a cell without a value. */
export function cleanCell(text: string): string {
  if (CLEAN_CELL.test(text) && !/^null$/i.test(text)) return text;
  const cleaned = applied(CELL_RULES, text).replaceAll('""', '"');
  return NO_VALUE.test(cleaned) ? '' : cleaned;
}

export const isBlank = (cell: string): boolean => BLANK.test(cell);

/** The address in a cell. @throws InvalidInput whose message says what is wrong with it */
export function addressOf(text: string): EmailAddress {
  return parseEmailAddress(CLEAN_ADDRESS.test(text) ? text : applied(ADDRESS_RULES, cleanCell(text)));
}

/** Whether a cell of an unknown column is an address. */
export function holdsAddress(text: string): boolean {
  if (!text.includes('@') && !text.includes('\uff20')) return false;
  try {
    addressOf(text);
    return true;
  } catch {
    return false;
  }
}

function applied(rules: readonly Rule[], text: string): string {
  return rules.reduce((cleaned, { pattern, replacement }) => cleaned.replace(pattern, replacement), text);
}
