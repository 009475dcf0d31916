import { ATTRIBUTE_COUNT, ATTRIBUTE_NAME_LENGTH, checkAttributeName } from './attributes.ts';
import { ImportUnreadable } from './audience-errors.ts';
import { cleanCell, holdsAddress } from './cell-cleaning.ts';
import { recognisedName, type Target } from './column-names.ts';
import type { ImportWarnings } from './import-warnings.ts';
import { type StatusKind, statusKind } from './mail-status.ts';

/** The header row of a CSV file, and the first rows behind it. */
export interface FileHeader {
  readonly cells: readonly string[];
  readonly line: number;
  readonly sample: readonly (readonly string[])[];
}

export interface PlannedColumn {
  readonly name: string;
  readonly target: Target;
  readonly status: StatusKind | undefined;
}

export interface ImportPlan {
  readonly columns: readonly PlannedColumn[];
  /** The file has no header: its first row is a subscriber. */
  readonly headerIsRow: boolean;
}

/** A map as the caller states it: by the column's name, or by its position from 1. */
export type StatedMap = ReadonlyMap<string, Target>;

/** @throws InvalidInput that points to the name at fault */
export function parseMap(map: Readonly<Record<string, string>>): StatedMap {
  return new Map(Object.entries(map).map(([column, target]) => [cleanCell(column), parseTarget(column, target)]));
}

function parseTarget(column: string, target: string): Target {
  const name = target.trim();
  if (name === '-' || name === '') return { kind: 'ignored' };
  if (name === 'email' || name === 'locale') return { kind: name };
  if (name === 'time_zone' || name === 'timeZone') return { kind: 'timeZone' };
  checkAttributeName(name, `/map/${column.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  return { kind: 'attribute', name };
}

/**
 * Says what each column is about. What is stated counts, then what names say by themselves; every other column becomes an
 * attribute, and no such column costs the file.
 * @throws ImportUnreadable that names the columns seen, or proposes the one that holds addresses
 */
export function planColumns(header: FileHeader, map: StatedMap, warnings: ImportWarnings): ImportPlan {
  const zero = header.cells.findIndex((cell) => cell.includes('\0'));
  if (zero >= 0) {
    throw new ImportUnreadable(
      `Column ${zero + 1} of the header (line ${header.line}) holds a zero byte. The file is damaged or in another encoding; export it again as CSV in UTF-8.`,
    );
  }
  const names = header.cells.map(cleanCell);
  const headerIsRow = names.some(holdsAddress) && names.every((name) => recognisedName(name) === undefined);
  const shown = headerIsRow ? names.map((_, index) => String(index + 1)) : names;
  const stated = statedTargets(shown, map);
  const targets = shown.map((name, index) => stated[index] ?? (headerIsRow ? undefined : recognisedName(name)?.target));
  const email = emailColumn(shown, stated, { ...header, headerIsRow, cells: names });
  const taken = new Set<string>(stated.flatMap((target) => (target === undefined ? [] : [slot(target)])));
  const columns = shown.map((name, index): PlannedColumn => {
    const target =
      stated[index] ??
      (index === email ? { kind: 'email' } : planned(name, index, targets[index], { taken, warnings, headerIsRow }));
    return { name, target, status: target.kind === 'ignored' ? undefined : statusOf(name, target) };
  });
  leaveOutSurplus(columns, stated, warnings);
  if (headerIsRow) warnings.about(null, `The file has no header row: column ${email + 1} was read as e-mail addresses.`);
  return { columns, headerIsRow };
}

/** The first columns become attributes, those that the map names, and those that say who left; what a person cannot have beside them is left out. */
function leaveOutSurplus(columns: PlannedColumn[], stated: readonly (Target | undefined)[], warnings: ImportWarnings): void {
  const own = columns.flatMap(({ target, status }, index) =>
    target.kind === 'attribute' && status === undefined && stated[index] === undefined ? [index] : [],
  );
  const free = ATTRIBUTE_COUNT - columns.filter(({ target }) => target.kind === 'attribute').length + own.length;
  const surplus = own.slice(Math.max(0, free));
  for (const index of surplus) columns[index] = { ...columns[index]!, target: { kind: 'ignored' } };
  const [first] = surplus;
  if (first === undefined) return;
  const others = surplus.length === 1 ? '' : ` and ${surplus.length - 1} more`;
  warnings.about(
    columns[first]!.name,
    `A subscriber may have ${ATTRIBUTE_COUNT} attributes, so column ${first + 1}${others} were left out. Choose the columns to keep with a map: ${first + 1}=name.`,
  );
}

/** By the name that the column has, or that the caller gives it. */
const statusOf = (name: string, target: Target): StatusKind | undefined =>
  target.kind === 'attribute'
    ? (statusKind(target.name) ?? (target.name === attributeName(name) ? statusKind(name) : undefined))
    : undefined;

function statedTargets(names: readonly string[], map: StatedMap): (Target | undefined)[] {
  const stated: (Target | undefined)[] = names.map((name) => map.get(name));
  for (const [column, target] of map) {
    if (names.includes(column)) continue;
    const position = /^[1-9]\d{0,3}$/.test(column) ? Number(column) : 0;
    const sameName = names.filter((name) => name.toLowerCase() === column.toLowerCase());
    if (position >= 1 && position <= names.length) stated[position - 1] = target;
    else if (sameName.length > 0) {
      for (const [index, name] of names.entries()) if (name.toLowerCase() === column.toLowerCase()) stated[index] = target;
    } else {
      throw new ImportUnreadable(
        `The map names a column "${column}" that the file does not have. ${columnsSeen(names)} A column may be named by its position, too: 1 is the first.`,
        '/map',
      );
    }
  }
  const slots = new Map<string, number>();
  for (const [index, target] of stated.entries()) {
    if (target === undefined || target.kind === 'ignored') continue;
    const before = slots.get(slot(target));
    if (before !== undefined) {
      throw new ImportUnreadable(
        `The map gives the columns ${before + 1} ("${names[before]}") and ${index + 1} ("${names[index]}") the same meaning (${describe(target)}). Name them by position and ignore one: ${index + 1}=-.`,
        '/map',
      );
    }
    slots.set(slot(target), index);
  }
  return stated;
}

/** @returns the column of the address. @throws ImportUnreadable that says how to name it */
function emailColumn(
  names: readonly string[],
  stated: readonly (Target | undefined)[],
  header: FileHeader & { readonly headerIsRow: boolean },
): number {
  const mapped = stated.findIndex((target) => target?.kind === 'email');
  if (mapped >= 0) return mapped;
  // One address a line is the commonest list of all, and nothing about it is unclear.
  if (header.headerIsRow && names.length === 1 && stated[0] === undefined) return 0;
  const ranked = names.flatMap((name, index) => {
    const recognised = header.headerIsRow || stated[index] !== undefined ? undefined : recognisedName(name);
    return recognised?.target.kind === 'email' ? [{ index, rank: recognised.rank }] : [];
  });
  const holding = ranked.filter(({ index }) => mayHoldAddresses(header.sample, index));
  const others = names.some(
    (_, index) => stated[index] === undefined && header.sample.some((row) => holdsAddress(row[index] ?? '')),
  );
  // Only a name that its cells belie leads to the error that proposes another column.
  const candidates = holding.length > 0 || others ? holding : ranked;
  const least = Math.min(...candidates.map(({ rank }) => rank));
  const [first, second] = candidates.filter(({ rank }) => rank === least);
  if (first !== undefined && second === undefined) return first.index;
  if (first !== undefined) {
    const filled = candidates.filter(
      ({ rank, index }) => rank === least && header.sample.some((row) => cleanCell(row[index] ?? '') !== ''),
    );
    if (filled.length === 1) return filled[0]!.index;
    throw new ImportUnreadable(
      `The columns ${first.index + 1} ("${names[first.index]}") and ${second!.index + 1} ("${names[second!.index]}") both look like the e-mail address. Ignore one with a map: ${second!.index + 1}=- (by position) or a name instead of "-" to keep it.`,
      '/map',
    );
  }
  throw notFound(names, stated, header);
}

/** Not of a column such as "Email: yes, no". */
function mayHoldAddresses(sample: FileHeader['sample'], index: number): boolean {
  const cells = sample.map((row) => cleanCell(row[index] ?? '')).filter((cell) => cell !== '');
  return cells.length === 0 || cells.some(holdsAddress);
}

function notFound(
  names: readonly string[],
  stated: readonly (Target | undefined)[],
  header: FileHeader & { readonly headerIsRow: boolean },
): ImportUnreadable {
  const rows = header.headerIsRow ? [header.cells, ...header.sample] : header.sample;
  const holding = names.flatMap((_, index) => {
    const cells = rows.map((row) => cleanCell(row[index] ?? '')).filter((cell) => cell !== '');
    const addresses = cells.filter(holdsAddress).length;
    return stated[index] === undefined && addresses > 0 && addresses * 2 >= cells.length ? [index] : [];
  });
  const [only, other] = holding;
  if (header.headerIsRow) {
    const how =
      only === undefined ? '' : ` Add a header row such as email,first_name, or name its columns by position: ${only + 1}=email.`;
    return new ImportUnreadable(
      `The file has no header row: line ${header.line} already holds an e-mail address instead of column names.${how}`,
      '/map',
    );
  }
  if (only !== undefined && other === undefined) {
    return new ImportUnreadable(
      `No column has a name that means e-mail address, but column ${only + 1} ("${names[only]!.slice(0, 60)}") holds addresses. Choose it with a map: ${only + 1}=email.`,
      '/map',
    );
  }
  const which =
    only === undefined
      ? 'Name one "email", or choose it with a map (column=email).'
      : `Columns ${holding.map((index) => index + 1).join(' and ')} hold addresses. Choose one with a map, such as ${only + 1}=email.`;
  return new ImportUnreadable(`No column has a name that means e-mail address. ${which} ${columnsSeen(names)}`, '/map');
}

interface Planning {
  readonly taken: Set<string>;
  readonly warnings: ImportWarnings;
  readonly headerIsRow: boolean;
}

/** A column without a map that is not the address. */
function planned(
  name: string,
  index: number,
  recognised: Target | undefined,
  { taken, warnings, headerIsRow }: Planning,
): Target {
  if (name === '') return { kind: 'ignored' };
  if (headerIsRow) {
    warnings.about(name, `Column ${name} has no name and was left out. Name it with a map: ${name}=first_name.`);
    return { kind: 'ignored' };
  }
  const free = (target: Target): boolean => !taken.has(slot(target));
  if (recognised !== undefined && recognised.kind !== 'email' && free(recognised)) {
    taken.add(slot(recognised));
    return recognised;
  }
  const own = attributeName(name);
  if (own === undefined) {
    warnings.about(
      name,
      `The name has no letters for an attribute name, so the column was left out. To keep it, use a map: ${index + 1}=name.`,
    );
    return { kind: 'ignored' };
  }
  for (let number = 1; ; number += 1) {
    const target: Target = {
      kind: 'attribute',
      name: number === 1 ? own : `${own.slice(0, ATTRIBUTE_NAME_LENGTH - 4)}_${number}`,
    };
    if (!free(target)) continue;
    taken.add(slot(target));
    if (number > 1)
      warnings.about(name, `Another column has this name or meaning, so column ${index + 1} was stored as ${target.name}.`);
    return target;
  }
}

const slot = (target: Target): string => (target.kind === 'attribute' ? `attribute ${target.name}` : target.kind);
const describe = (target: Target): string => (target.kind === 'attribute' ? `the attribute ${target.name}` : target.kind);

function columnsSeen(names: readonly string[]): string {
  const some = names.slice(0, 30).map((name) => `"${name.slice(0, 40)}"`);
  return `Columns seen: ${some.join(', ')}${names.length > 30 ? ', ...' : ''}.`;
}

/** A name that Liquid can say: `Company Name` becomes `company_name`, `2nd line` becomes `_2nd_line`; undefined for `#`. */
function attributeName(column: string): string | undefined {
  const name = column
    .normalize('NFC')
    .toWellFormed()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, '_')
    .replace(/^_+|_+$/g, '');
  const named = /^\p{N}/u.test(name) ? `_${name}` : name;
  return /[\p{L}\p{N}]/u.test(named) ? named.slice(0, ATTRIBUTE_NAME_LENGTH).replace(/[\ud800-\udbff]$/, '') : undefined;
}
