import { type EmailAddress, parseEmailAddress } from '../shared/email-address.ts';
import { InvalidInput } from '../shared/errors.ts';
import { ATTRIBUTES_OCTETS, type Attributes, checkAttributeName, cleanText, parseAttributes } from './attributes.ts';
import { ImportUnreadable } from './audience-errors.ts';
import { parseLocale, parseTimeZone } from './subscriber.ts';

/** What the value of a column is about. */
type Target =
  | { readonly kind: 'email' | 'locale' | 'timeZone' | 'attributes' | 'ignored' }
  | { readonly kind: 'attribute'; readonly name: string };

/** Column names as other systems export them, without case, spaces and punctuation. */
const RECOGNISED: ReadonlyMap<string, Target> = new Map([
  ...named(
    { kind: 'email' },
    'email',
    'mail',
    'emailaddress',
    'mailaddress',
    'emailadresse',
    'mailadresse',
    'courriel',
    'correo',
  ),
  ...named({ kind: 'locale' }, 'locale', 'language', 'lang'),
  ...named({ kind: 'timeZone' }, 'timezone', 'tz'),
  ...named({ kind: 'attribute', name: 'first_name' }, 'firstname', 'givenname', 'fname', 'vorname', 'prenom'),
  ...named({ kind: 'attribute', name: 'last_name' }, 'lastname', 'surname', 'familyname', 'lname', 'nachname', 'nom'),
]);

export interface ImportedPerson {
  readonly email: EmailAddress;
  readonly locale: string | null;
  readonly timeZone: string | null;
  /** JSON object. Empty cells and nulls are left out: an import never takes an attribute away. */
  readonly attributes: string;
}

/**
 * Turns rows into people. For CSV the columns are known at the start; in JSON Lines every row names its own, attributes keep
 * the name that they have there, and an object under `attributes` counts as if its entries stood beside it.
 */
export class ImportColumns {
  private readonly map: ReadonlyMap<string, Target>;
  private readonly targets: readonly Target[];
  private readonly locales = new Map<string, string>();
  private readonly timeZones = new Map<string, string>();

  /**
   * @param columns the header row of a CSV file; undefined for JSON Lines
   * @throws ImportUnreadable that names the columns seen; InvalidInput for a map that cannot be
   */
  constructor(columns: readonly string[] | undefined, map: Readonly<Record<string, string>>) {
    this.map = new Map(Object.entries(map).map(([column, target]) => [column.trim(), parseTarget(column, target)]));
    this.targets = columns === undefined ? [] : this.plan(columns);
  }

  /** @throws InvalidInput whose message is the reason of the rejection. */
  readCells(cells: readonly string[]): ImportedPerson {
    const { targets } = this;
    if (cells.length > targets.length && cells.slice(targets.length).some((cell) => cell.trim() !== '')) {
      throw new InvalidInput(
        `The row has ${cells.length} cells, the header has ${targets.length}. Quote values that hold the delimiter.`,
      );
    }
    const person = new Person();
    for (let index = 0; index < targets.length; index++) {
      const cell = cells[index]?.trim();
      if (cell !== undefined && cell !== '') this.take(person, targets[index]!, cell);
    }
    return person.finish();
  }

  /** @throws InvalidInput whose message is the reason of the rejection. */
  readRecord(record: Readonly<Record<string, unknown>>): ImportedPerson {
    const person = new Person();
    for (const [name, value] of Object.entries(record)) {
      if (value === null || value === '') continue;
      const target = this.map.get(name) ?? this.recognise(name);
      if (target === undefined) this.take(person, { kind: 'attribute', name }, value);
      else this.take(person, target, value);
    }
    return person.finish(Object.keys(record));
  }

  private take(person: Person, target: Target, value: unknown): void {
    if (target.kind === 'ignored') return;
    if (target.kind === 'attribute') {
      person.put(target.name, value);
      return;
    }
    if (target.kind === 'attributes') {
      for (const [name, item] of Object.entries(parseAttributes(value))) if (item !== null) person.put(name, item);
      return;
    }
    if (typeof value !== 'string') throw new InvalidInput(`A text is expected as ${target.kind}.`);
    if (target.kind === 'email') person.email = parseEmailAddress(value);
    else if (target.kind === 'locale') person.locale = remembered(this.locales, value, parseLocale);
    else person.timeZone = remembered(this.timeZones, value, parseTimeZone);
  }

  /** What a JSON key means by itself; `first_name` and its like need no renaming there. */
  private recognise(name: string): Target | undefined {
    if (name === 'attributes') return { kind: 'attributes' };
    const target = RECOGNISED.get(plainName(name));
    return target?.kind === 'attribute' ? undefined : target;
  }

  private plan(columns: readonly string[]): readonly Target[] {
    const names = columns.map((column) => column.trim());
    const seen = `Columns seen: ${names
      .slice(0, 30)
      .map((name) => `"${name.slice(0, 40)}"`)
      .join(', ')}${names.length > 30 ? ', ...' : ''}.`;
    for (const column of this.map.keys()) {
      if (!names.includes(column))
        throw new ImportUnreadable(`The map names a column "${column}" that the file does not have. ${seen}`, '/map');
    }
    const mapsEmail = [...this.map.values()].some((target) => target.kind === 'email');
    const targets = names.map((name): Target => {
      const stated = this.map.get(name);
      if (stated !== undefined) return stated;
      if (name === '') return { kind: 'ignored' };
      const recognised = RECOGNISED.get(plainName(name));
      if (recognised !== undefined && !(recognised.kind === 'email' && mapsEmail)) return recognised;
      return { kind: 'attribute', name: attributeName(name) };
    });
    const emails = names.filter((_, index) => targets[index]!.kind === 'email');
    if (emails.length === 0) {
      throw new ImportUnreadable(
        names.some((name) => name.includes('@'))
          ? 'The first row holds an e-mail address instead of column names. Put a header row such as email,first_name above it.'
          : `No column holds e-mail addresses. Name one "email", or say which one it is with a map (column=email). ${seen}`,
      );
    }
    const doubled = targets.find(
      (target, index) => target.kind !== 'ignored' && targets.some((other, at) => at < index && same(target, other)),
    );
    if (doubled !== undefined) {
      const both = names.filter((_, index) => same(targets[index]!, doubled));
      throw new ImportUnreadable(
        `The columns ${both.map((name) => `"${name}"`).join(' and ')} both mean ${doubled.kind === 'attribute' ? `the attribute ${doubled.name}` : doubled.kind}. Say with a map which one counts, and "-" for the other.`,
      );
    }
    return targets;
  }
}

/** What one row has told so far. */
class Person {
  email: EmailAddress | undefined;
  locale: string | null = null;
  timeZone: string | null = null;
  /** Without a prototype, so that a column named `__proto__` is a name like any other. */
  private readonly attributes: Record<string, unknown> = Object.create(null);
  private simple = true;

  put(name: string, value: unknown): void {
    if (typeof value === 'string') this.attributes[name] = cleanText(value);
    else {
      this.simple = false;
      this.attributes[name] = value;
    }
  }

  finish(seen?: readonly string[]): ImportedPerson {
    if (this.email === undefined) {
      const hint =
        seen === undefined
          ? ''
          : ` The row has: ${
              seen
                .slice(0, 20)
                .map((name) => cleanText(name.slice(0, 40)))
                .join(', ') || 'nothing'
            }.`;
      throw new InvalidInput(`The e-mail address is missing.${hint}`);
    }
    // Texts alone, from a header that was checked once, are the common case: nothing to walk through again.
    const checked: Readonly<Record<string, unknown>> = this.simple && seen === undefined ? this.attributes : this.checked();
    const attributes = JSON.stringify(checked);
    if (attributes.length * 3 > ATTRIBUTES_OCTETS) parseAttributes(this.attributes);
    return { email: this.email, locale: this.locale, timeZone: this.timeZone, attributes };
  }

  private checked(): Attributes {
    return parseAttributes(this.attributes);
  }
}

function parseTarget(column: string, target: string): Target {
  const name = target.trim();
  if (name === '-' || name === '') return { kind: 'ignored' };
  if (name === 'email' || name === 'locale') return { kind: name };
  if (name === 'time_zone' || name === 'timeZone') return { kind: 'timeZone' };
  checkAttributeName(name, `/map/${column.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  return { kind: 'attribute', name };
}

const same = (one: Target, other: Target): boolean =>
  one.kind === other.kind && (one.kind !== 'attribute' || (other.kind === 'attribute' && one.name === other.name));

function named(target: Target, ...names: readonly string[]): [string, Target][] {
  return names.map((name) => [name, target]);
}

const plainName = (name: string): string =>
  name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '');

/** A name that Liquid can say: `Company Name` becomes `company_name`, `2nd line` becomes `_2nd_line`. */
function attributeName(column: string): string {
  const name = column
    .normalize('NFC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, '_')
    .replace(/^_+|_+$/g, '');
  if (name === '' || name.length > 100) {
    throw new ImportUnreadable(
      `No attribute can be named after the column "${column.slice(0, 40)}". Map it to a name, or to "-" to leave it out.`,
    );
  }
  return /^\p{N}/u.test(name) ? `_${name}` : name;
}

/** Locales and time zones repeat, and asking Intl costs 20 microseconds. */
function remembered(known: Map<string, string>, text: string, parse: (text: string) => string): string {
  const before = known.get(text);
  if (before !== undefined) return before;
  const parsed = parse(text);
  if (known.size < 1_000) known.set(text, parsed);
  return parsed;
}
