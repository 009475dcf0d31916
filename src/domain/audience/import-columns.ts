import type { EmailAddress } from '../shared/email-address.ts';
import { InvalidInput } from '../shared/errors.ts';
import { ATTRIBUTES_OCTETS, type Attributes, cleanText, parseAttributes } from './attributes.ts';
import { addressOf, cleanCell, holdsAddress, isBlank } from './cell-cleaning.ts';
import { type RecognisedName, recognisedName, type Target } from './column-names.ts';
import { type FileHeader, type ImportPlan, type PlannedColumn, parseMap, planColumns, type StatedMap } from './import-plan.ts';
import { ImportWarnings } from './import-warnings.ts';
import { type LeftBecause, leftBecause, type StatusKind, statusKind, unmistakably } from './mail-status.ts';
import { LanguageReader, readTimeZone } from './optional-values.ts';

export interface ImportedPerson {
  readonly email: EmailAddress;
  readonly locale: string | null;
  readonly timeZone: string | null;
  /** JSON object. Empty cells and nulls are left out: an import never takes an attribute away. */
  readonly attributes: string;
  /** The column and the value that mark the subscriber as no longer mailed. */
  readonly left: { readonly because: LeftBecause; readonly column: string; readonly value: string } | null;
}

/**
 * Turns rows into subscribers. For CSV the columns are known at the start; in JSON Lines every row names its own, attributes keep
 * the name that they have there, and the entries of an object under `attributes` count as columns of the row.
 * Only the address can cost a row: any other value that cannot be used is left out, with a warning.
 */
export class ImportColumns {
  readonly warnings = new ImportWarnings();
  private readonly map: StatedMap;
  private readonly plan: ImportPlan;
  private readonly languages = new LanguageReader();
  private readonly locales = new Map<string, string | undefined>();
  private readonly timeZones = new Map<string, string | undefined>();
  private readonly statuses = new Map<string, StatusKind | undefined>();
  private readonly meanings = new Map<string, RecognisedName | undefined>();

  /**
   * @param header undefined for JSON Lines
   * @throws ImportUnreadable that names the columns seen; InvalidInput for a map that cannot be
   */
  constructor(header: FileHeader | undefined, map: Readonly<Record<string, string>>) {
    this.map = parseMap(map);
    this.plan = header === undefined ? { columns: [], headerIsRow: false } : planColumns(header, this.map, this.warnings);
  }

  /** Names of a CSV file's columns; positions where it has no header. */
  get names(): readonly string[] {
    return this.plan.columns.map(({ name }) => name);
  }

  /** The first row of the file is a subscriber, not a header. */
  get headerIsRow(): boolean {
    return this.plan.headerIsRow;
  }

  /** @throws InvalidInput whose message is the reason of the rejection. */
  readCells(cells: readonly string[], line: number): ImportedPerson {
    const { columns } = this.plan;
    if (cells.length > columns.length && !cells.slice(columns.length).every(isBlank)) {
      throw new InvalidInput(
        `The row has ${cells.length} cells, the header has ${columns.length}. Quote values that hold the delimiter.`,
      );
    }
    const person = new Person(line);
    for (let index = 0; index < columns.length; index++) {
      const text = cells[index];
      if (text === undefined || text === '') continue;
      const column = columns[index]!;
      const cell = column.target.kind === 'email' ? text : cleanCell(text);
      if (cell !== '') this.take(person, column, cell);
    }
    return person.finish(this.warnings);
  }

  /** @throws InvalidInput whose message is the reason of the rejection. */
  readRecord(record: Readonly<Record<string, unknown>>, line: number): ImportedPerson {
    const person = new Person(line);
    const names = Object.keys(record);
    const email = this.emailKey(names);
    for (const [name, value] of Object.entries(record)) {
      if (value === null || value === '') continue;
      const stated = this.map.get(name);
      const target: Target = stated ?? (name === email ? { kind: 'email' } : ownTarget(name, this.meaningOf(name)));
      const named = target.kind === 'attribute' ? target.name : name;
      this.take(person, { name, target, status: target.kind === 'ignored' ? undefined : this.statusOf(named) }, value);
    }
    return person.finish(this.warnings, record);
  }

  /** Every row of JSON Lines repeats the names. */
  private meaningOf(name: string): RecognisedName | undefined {
    if (this.meanings.has(name)) return this.meanings.get(name);
    const meaning = recognisedName(name);
    if (this.meanings.size < 1_000) this.meanings.set(name, meaning);
    return meaning;
  }

  private statusOf(name: string): StatusKind | undefined {
    if (this.statuses.has(name)) return this.statuses.get(name);
    const status = statusKind(name);
    if (this.statuses.size < 1_000) this.statuses.set(name, status);
    return status;
  }

  /** The key that names the address, before others that could: `email` before `work_email`. */
  private emailKey(names: readonly string[]): string | undefined {
    if (names.some((name) => this.map.get(name)?.kind === 'email')) return undefined;
    const ranked = names.flatMap((name) => {
      const recognised = this.map.has(name) ? undefined : this.meaningOf(name);
      return recognised?.target.kind === 'email' ? [{ name, rank: recognised.rank }] : [];
    });
    return ranked.toSorted((one, other) => one.rank - other.rank)[0]?.name;
  }

  private take(person: Person, { name, target, status }: PlannedColumn, value: unknown): void {
    if (target.kind === 'ignored') return;
    if (target.kind !== 'attributes') this.notice(person, name, status, value);
    if (target.kind === 'email') {
      if (typeof value !== 'string') throw new InvalidInput('A text is expected as email.');
      if (!isBlank(value)) person.email = addressOf(value);
    } else if (target.kind === 'attributes') this.takeAttributes(person, name, value);
    else if (target.kind === 'attribute') this.takeAttribute(person, name, target.name, value);
    else if (target.kind === 'locale') person.locale = this.optional(person, name, value, 'language') ?? person.locale;
    else if (target.kind === 'timeZone') person.timeZone = this.optional(person, name, value, 'timeZone') ?? person.timeZone;
  }

  /** Whether the value says that the subscriber left; within objects as well: `{"email_marketing_consent":{"state":"unsubscribed"}}`. */
  private notice(person: Person, column: string, status: StatusKind | undefined, value: unknown, depth = 0): void {
    if (typeof value === 'object' && value !== null && depth < 3) {
      for (const [name, item] of Object.entries(value)) {
        this.notice(person, `${column}.${name}`, Array.isArray(value) ? status : this.statusOf(name), item, depth + 1);
      }
    }
    let because: LeftBecause | undefined;
    if (typeof value === 'string') because = status === undefined ? unmistakably(column, value) : leftBecause(status, value);
    else if (status !== undefined && (typeof value === 'boolean' || typeof value === 'number'))
      because = leftBecause(status, String(value));
    if (because !== undefined) person.leaves(because, column, String(value));
  }

  private takeAttribute(person: Person, column: string, name: string, value: unknown): void {
    if (typeof value === 'string' && value.includes('\ufffd')) {
      this.leaveOut(person, column, 'Values with broken characters were left out: their bytes do not fit the encoding.');
    } else if (typeof value === 'string' && this.plan.columns.length > 0) person.put(name, cleanText(value));
    else {
      try {
        person.put(name, Object.values(parseAttributes({ [name]: value }))[0]);
      } catch (error) {
        if (!(error instanceof InvalidInput)) throw error;
        this.leaveOut(person, column, `Values that cannot be stored were left out: ${error.message}`);
      }
    }
  }

  private leaveOut(person: Person, column: string, message: string): void {
    this.warnings.row(cleanText(column), message, person.line, () => message);
  }

  private takeAttributes(person: Person, column: string, value: unknown): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.leaveOut(person, column, 'Attributes that are not a JSON object were left out.');
      return;
    }
    for (const [name, item] of Object.entries(value)) {
      if (item === null) continue;
      this.take(person, { name: `${column}.${name}`, target: { kind: 'attribute', name }, status: this.statusOf(name) }, item);
    }
  }

  /** Languages and time zones repeat, and asking Intl costs 20 microseconds. */
  private optional(person: Person, column: string, value: unknown, what: 'language' | 'timeZone'): string | undefined {
    const known = what === 'language' ? this.locales : this.timeZones;
    const text = typeof value === 'string' ? cleanCell(value) : JSON.stringify(value).slice(0, 100);
    const found = known.has(text) ? known.get(text) : what === 'language' ? this.languages.read(text) : readTimeZone(text);
    if (known.size < 1_000) known.set(text, found);
    if (found === undefined) {
      const shown = text.includes('@') || text.length > 40 ? 'A value' : `"${cleanText(text)}"`;
      this.warnings.row(column, what, person.line, () =>
        what === 'language'
          ? `${shown} is not a language such as German, Français or pt-BR. Such values were left out.`
          : `${shown} is not a time zone such as Europe/Berlin. Such values were left out.`,
      );
    }
    return found;
  }
}

/** What a JSON key means by itself; `first_name` and its like need no renaming there. */
function ownTarget(name: string, meaning: RecognisedName | undefined): Target {
  if (name === 'attributes') return { kind: 'attributes' };
  const target = meaning?.target;
  return target?.kind === 'locale' || target?.kind === 'timeZone' ? target : { kind: 'attribute', name };
}

/** What one row has told so far. */
class Person {
  readonly line: number;
  email: EmailAddress | undefined;
  locale: string | null = null;
  timeZone: string | null = null;
  private left: ImportedPerson['left'] = null;
  /** Without a prototype, so that a column named `__proto__` is a name like any other. */
  private readonly attributes: Record<string, unknown> = Object.create(null);

  constructor(line: number) {
    this.line = line;
  }

  put(name: string, value: unknown): void {
    this.attributes[name] = value;
  }

  /** Of several columns the gravest counts. */
  leaves(because: LeftBecause, column: string, value: string): void {
    const grave: readonly LeftBecause[] = ['unsubscribe', 'hard_bounce', 'complaint'];
    if (this.left !== null && grave.indexOf(this.left.because) >= grave.indexOf(because)) return;
    this.left = { because, column, value: value.slice(0, 40) };
  }

  /** @param record of JSON Lines, where every row chooses its names */
  finish(warnings: ImportWarnings, record?: Readonly<Record<string, unknown>>): ImportedPerson {
    if (this.email === undefined)
      throw new InvalidInput(`The e-mail address is missing.${record === undefined ? '' : seenIn(record)}`);
    let attributes = JSON.stringify(this.attributes);
    if (attributes.length * 3 > ATTRIBUTES_OCTETS) attributes = this.fitting(warnings);
    // Counts and checks names where the file chose them; a header was checked once.
    if (record !== undefined) parseAttributes(this.attributes as Attributes);
    return { email: this.email, locale: this.locale, timeZone: this.timeZone, attributes, left: this.left };
  }

  /** The longest values are left out until the rest may be stored. */
  private fitting(warnings: ImportWarnings): string {
    const size = (): number => Buffer.byteLength(JSON.stringify(this.attributes));
    const longest = Object.keys(this.attributes).toSorted(
      (one, other) => JSON.stringify(this.attributes[other]).length - JSON.stringify(this.attributes[one]).length,
    );
    for (const name of longest) {
      if (size() <= ATTRIBUTES_OCTETS) break;
      delete this.attributes[name];
      warnings.row(
        name,
        'too long',
        this.line,
        () =>
          `Values were left out because they are too long: the attributes of a person may have ${ATTRIBUTES_OCTETS.toLocaleString('en')} bytes.`,
      );
    }
    return JSON.stringify(this.attributes);
  }
}

/** What a row without an address has, and which of it is one. */
function seenIn(record: Readonly<Record<string, unknown>>): string {
  const shown = (name: string): string => cleanText(name.slice(0, 40));
  const names = Object.keys(record);
  const address = names.find((name) => typeof record[name] === 'string' && holdsAddress(record[name]));
  const proposal = address === undefined ? '' : ` "${shown(address)}" holds one. Choose it with a map: ${shown(address)}=email.`;
  return ` The row has: ${names.slice(0, 20).map(shown).join(', ') || 'nothing'}.${proposal}`;
}
