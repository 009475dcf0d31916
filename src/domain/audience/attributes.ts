import { InvalidInput } from '../shared/errors.ts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue };

/** What a project knows about a subscriber in addition to the address: `{ first_name: 'Ada', plan: { seats: 3 } }`. */
export type Attributes = Readonly<Record<string, JsonValue>>;

/** Most bytes of a subscriber's attributes, as JSON in UTF-8. A page of 500 recipients then stays under 32 MB. */
export const ATTRIBUTES_OCTETS = 64 * 1024;
export const ATTRIBUTE_COUNT = 500;
export const ATTRIBUTE_NAME_LENGTH = 100;
const DEPTH = 16;

/**
 * Validates attributes, and removes from texts the characters that PostgreSQL's jsonb refuses (NUL, lone surrogates).
 * @param pointer JSON pointer to the object
 * @throws InvalidInput that names the attribute at fault
 */
export function parseAttributes(value: unknown, pointer = '/attributes'): Attributes {
  if (!isObject(value)) throw new InvalidInput('Attributes must be a JSON object such as {"first_name": "Ada"}.', pointer);
  const entries = Object.entries(value);
  if (entries.length > ATTRIBUTE_COUNT) {
    throw new InvalidInput(
      `A subscriber may have at most ${ATTRIBUTE_COUNT} attributes; the object has ${entries.length}.`,
      pointer,
    );
  }
  const attributes = cleaned(value, pointer, 0) as Attributes;
  checkSize(attributes, pointer);
  return attributes;
}

/** The attributes with the changes applied: a value replaces, `null` removes. @throws InvalidInput when the result is too large. */
export function mergeAttributes(attributes: Attributes, changes: Attributes, pointer = '/attributes'): Attributes {
  const merged = Object.fromEntries(Object.entries({ ...attributes, ...changes }).filter(([, value]) => value !== null));
  if (Object.keys(merged).length > ATTRIBUTE_COUNT) {
    throw new InvalidInput(
      `A subscriber may have at most ${ATTRIBUTE_COUNT} attributes. Remove some by setting them to null.`,
      pointer,
    );
  }
  checkSize(merged, pointer);
  return merged;
}

function checkSize(attributes: Attributes, pointer: string): void {
  const octets = Buffer.byteLength(JSON.stringify(attributes));
  if (octets <= ATTRIBUTES_OCTETS) return;
  throw new InvalidInput(
    `The attributes of a subscriber may have at most ${ATTRIBUTES_OCTETS.toLocaleString('en')} bytes as JSON; these have ${octets.toLocaleString('en')}. Keep large data elsewhere and store a key to it.`,
    pointer,
  );
}

function cleaned(value: unknown, pointer: string, depth: number): JsonValue {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value === 'boolean' || value === null) return value;
  if (depth > DEPTH) throw new InvalidInput(`Attributes may be nested at most ${DEPTH} levels deep.`, pointer);
  if (Array.isArray(value)) return value.map((item, index) => cleaned(item, `${pointer}/${index}`, depth + 1));
  if (!isObject(value)) throw new InvalidInput('An attribute must be a JSON value.', pointer);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([name, item]) => {
        checkAttributeName(name, pointer);
        return [name, cleaned(item, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, depth + 1)];
      }),
  );
}

/** @throws InvalidInput for a name that is empty, too long, unprintable, or `__proto__` */
export function checkAttributeName(name: string, pointer: string): void {
  if (
    name === '' ||
    name.length > ATTRIBUTE_NAME_LENGTH ||
    name === '__proto__' ||
    /\p{Cc}/u.test(name) ||
    !name.isWellFormed()
  ) {
    throw new InvalidInput(
      `An attribute needs a name of 1 to ${ATTRIBUTE_NAME_LENGTH} printable characters; "${cleanText(name).slice(0, 40)}" is not such a name.`,
      pointer,
    );
  }
}

/** Removes NUL and replaces lone surrogates, because PostgreSQL cannot store them. */
export function cleanText(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed();
  return whole.includes('\0') ? whole.replaceAll('\0', '') : whole;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
