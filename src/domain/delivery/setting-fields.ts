/** Kinds of values that the settings of a transport have. No error repeats a value: it can be a credential in the wrong place. */
import { InvalidInput } from '../shared/errors.ts';

/** One setting: what it means, whether it is a credential, and how it is read. */
export interface SettingField<T> {
  readonly meaning: string;
  readonly secret: boolean;
  readonly required: boolean;
  /** @param value undefined where it is absent. @throws InvalidInput */
  readonly read: (value: unknown, pointer: string) => T;
}

const MOST_CHARACTERS = 16_384;
const LABEL = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?';
const HOST = new RegExp(`^(?:${LABEL}\\.)*${LABEL}\\.?$`);
const IPV6 = /^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]+$/;

function field<T>(meaning: string, read: (value: string, pointer: string) => T, kept = false): SettingField<T | undefined> {
  const readOptional = (value: unknown, pointer: string): T | undefined =>
    value === undefined ? undefined : read(textIn(value, pointer), pointer);
  return { meaning, secret: kept, required: false, read: readOptional };
}

function textIn(value: unknown, pointer: string): string {
  if (typeof value !== 'string') throw new InvalidInput('A text is expected.', pointer);
  const written = value.trim();
  if (written === '') throw new InvalidInput('The value is empty. Leave the setting out, or give a value.', pointer);
  if (written.length > MOST_CHARACTERS || !written.isWellFormed())
    throw new InvalidInput(`At most ${MOST_CHARACTERS} characters of valid Unicode are expected.`, pointer);
  return written;
}

function oneLine(value: string, pointer: string): string {
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(value))
    throw new InvalidInput('A text on one line is expected, without control characters.', pointer);
  return value;
}

/** A setting that must be given. */
export function required<T>(optional: SettingField<T | undefined>): SettingField<T> {
  const read = (value: unknown, pointer: string): T => {
    const found = optional.read(value, pointer);
    if (found === undefined) throw new InvalidInput(`This setting is required. ${optional.meaning}`, pointer);
    return found;
  };
  return { ...optional, required: true, read };
}

export const text = (meaning: string, form?: RegExp): SettingField<string | undefined> =>
  field(meaning, (value, pointer) => {
    if (form !== undefined && !form.test(value))
      throw new InvalidInput(`The value does not have the expected form. ${meaning}`, pointer);
    return oneLine(value, pointer);
  });

/** A credential, character for character. */
export function secret(meaning: string): SettingField<string | undefined> {
  const read = (value: unknown, pointer: string): string | undefined => {
    if (value === undefined) return undefined;
    textIn(value, pointer);
    return oneLine(String(value), pointer);
  };
  return { meaning, secret: true, required: false, read };
}

/** A credential that is sent in a header of a request. */
export const token = (meaning: string): SettingField<string | undefined> =>
  field(
    meaning,
    (value, pointer) => {
      if (/^[!-~]+$/.test(value)) return value;
      throw new InvalidInput('A key of printable ASCII characters without spaces is expected.', pointer);
    },
    true,
  );

/** A certificate or key in PEM. */
export const pem = (meaning: string, kept = false): SettingField<string | undefined> => field(meaning, pemIn, kept);

function pemIn(value: string, pointer: string): string {
  const written = value.replaceAll('\r\n', '\n');
  if (!/^-----BEGIN [A-Z0-9 ]+-----\n[\s\S]+\n-----END [A-Z0-9 ]+-----$/.test(written))
    throw new InvalidInput('PEM is expected: "-----BEGIN ...-----", lines of base64, "-----END ...-----".', pointer);
  return `${written}\n`;
}

export const hostName = (meaning: string): SettingField<string | undefined> =>
  field(meaning, (value, pointer) => {
    const host = value.replace(/^\[(.*)\]$/, '$1');
    if (host.length > 255 || !(HOST.test(host) || IPV6.test(host)))
      throw new InvalidInput('A host name such as mail.example.com or an IP address is expected.', pointer);
    return host.toLowerCase();
  });

/** An https URL. Plain http only to this machine, because requests carry credentials. */
export const url = (meaning: string): SettingField<string | undefined> =>
  field(meaning, (value, pointer) => {
    const found = URL.parse(value);
    const secure = found?.protocol === 'https:' || (found?.protocol === 'http:' && isLoopbackHost(found.hostname));
    if (found === null || !secure || `${found.username}${found.password}${found.search}${found.hash}` !== '')
      throw new InvalidInput(
        'A URL such as https://api.example.com is expected, without user, password, query and fragment.',
        pointer,
      );
    return `${found.origin}${found.pathname}`.replace(/\/+$/, '');
  });

export function port(meaning: string): SettingField<number | undefined> {
  const read = (value: unknown, pointer: string): number | undefined => {
    if (value === undefined) return undefined;
    const number = typeof value === 'string' && /^\d{1,5}$/.test(value.trim()) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isInteger(number) || number < 1 || number > 65_535)
      throw new InvalidInput('A port is a whole number from 1 to 65535.', pointer);
    return number;
  };
  return { meaning, secret: false, required: false, read };
}

export function flag(fallback: boolean, meaning: string): SettingField<boolean> {
  const read = (value: unknown, pointer: string): boolean => {
    if (value === undefined) return fallback;
    if (value === true || value === 'true' || value === 'yes') return true;
    if (value === false || value === 'false' || value === 'no') return false;
    throw new InvalidInput('true or false is expected.', pointer);
  };
  return { meaning: `${meaning} Default: ${fallback}.`, secret: false, required: false, read };
}

export function oneOf<const V extends string, const D extends V | undefined>(
  values: readonly V[],
  fallback: D,
  meaning: string,
): SettingField<V | D> {
  const read = (value: unknown, pointer: string): V | D => {
    if (value === undefined) return fallback;
    const found = values.find((known) => known === value);
    if (found === undefined) throw new InvalidInput(`One of ${values.join(', ')} is expected.`, pointer);
    return found;
  };
  const words = fallback === undefined ? meaning : `${meaning} One of ${values.join(', ')}. Default: ${fallback}.`;
  return { meaning: words, secret: false, required: false, read };
}

/** A path that cannot leave the directory that it is relative to. */
export const relativePath = (meaning: string): SettingField<string | undefined> =>
  field(meaning, (value, pointer) => {
    const parts = oneLine(value, pointer).split('/');
    if (!parts.every((part) => /^[\w-][\w.-]{0,99}$/.test(part)))
      throw new InvalidInput('A relative path of letters, digits, "-", "_" and "." is expected, without "..".', pointer);
    return parts.join('/');
  });

/** This machine; a name such as `127.example.com` is not. */
export const isLoopbackHost = (host: string): boolean =>
  /^(?:.+\.)?localhost\.?$/i.test(host) || /^\[?::1\]?$/.test(host) || /^127(?:\.\d{1,3}){3}$/.test(host);
