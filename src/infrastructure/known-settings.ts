/** The names of all settings, and what is said about a name that is none. */
import { changesBetween } from '../domain/shared/nearest-name.ts';

/** All that config.ts reads. */
const NAMES = [
  ...['DATABASE_URL', 'DATA_DIR', 'SMTP_URL', 'PUBLIC_URL', 'HOST', 'PORT', 'LOG_LEVEL', 'SECRET_KEY', 'SECRET_KEY_FILE'],
  ...['MAX_CONNECTIONS', 'MAX_UNRECORDED', 'MESSAGES_PER_SECOND', 'STUCK_SECONDS', 'PROFILE_DIR', 'LAUNCHER'],
  ...['PAUSE_AFTER_TRANSPORT_ERRORS', 'PAUSE_AFTER_SENDER_FAULTS'],
].map((name) => `PENNYPOST_${name}`);

/** Those of our test suite, and those that Kubernetes gives to every pod beside a service called pennypost. */
const FOREIGN = /^PENNYPOST_(TEST_\w+|SERVICE_(HOST|PORT\w*)|PORT_\d+_(TCP|UDP)\w*)$/;
/** Letters to change, at most, so that a name is taken for a slip of another. */
const SLIP = 3;

export interface UnknownSetting {
  readonly name: string;
  readonly advice: string;
}

export function unknownAmong(names: readonly string[]): readonly UnknownSetting[] {
  return names
    .filter((name) => looksLikeOurs(name) && !NAMES.includes(name) && !FOREIGN.test(name))
    .sort()
    .map((name) => {
      const near = nearest(name);
      const meant = near === undefined ? '' : ` Did you mean ${near}?`;
      return { name, advice: `${name} is not used.${meant} All settings are in docs/reference/settings.md.` };
    });
}

/** Also with a slip in the first word: `PENYPOST_PORT`, `PENNY_POST_PORT`. */
function looksLikeOurs(name: string): boolean {
  const spelled = name
    .toUpperCase()
    .replaceAll('-', '_')
    .replace(/^PENNY_POST_/, 'PENNYPOST_');
  const [first, rest] = spelled.split('_', 2);
  return rest !== undefined && first !== undefined && Math.abs(first.length - 9) <= 2 && changesBetween(first, 'PENNYPOST') <= 2;
}

/** What other programs call it, by the first word or the whole name. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  DB: 'DATABASE_URL',
  PG: 'DATABASE_URL',
  POSTGRES: 'DATABASE_URL',
  POSTGRESQL: 'DATABASE_URL',
  MAIL: 'SMTP_URL',
  MAILER: 'SMTP_URL',
  EMAIL: 'SMTP_URL',
  RELAY: 'SMTP_URL',
  URL: 'PUBLIC_URL',
  BASE: 'PUBLIC_URL',
  SITE: 'PUBLIC_URL',
  APP: 'PUBLIC_URL',
  EXTERNAL: 'PUBLIC_URL',
  DOMAIN: 'PUBLIC_URL',
  HOSTNAME: 'PUBLIC_URL',
  LISTEN: 'HOST',
  BIND: 'HOST',
  DEBUG: 'LOG_LEVEL',
  VERBOSE: 'LOG_LEVEL',
  RATE: 'MESSAGES_PER_SECOND',
  STORAGE: 'DATA_DIR',
};

/** By its first word, as in PENNYPOST_SMTP_HOST, else by its letters. */
function nearest(name: string): string | undefined {
  const spelled = name
    .toUpperCase()
    .replaceAll('-', '_')
    .replace(/^(?:PENNY_POST|[A-Z]+)_/, 'PENNYPOST_');
  const word = (one: string): string | undefined => one.split('_')[1];
  const ranked = NAMES.map((known) => ({ known, distance: changesBetween(spelled, known) })).sort(
    (one, other) => one.distance - other.distance,
  );
  const akin = ranked.find(({ known }) => word(known) === word(spelled));
  const [close] = ranked;
  if (close !== undefined && close.distance <= Math.min(SLIP, (spelled.length - 'PENNYPOST_'.length) / 3)) return close.known;
  const elsewhere = ELSEWHERE[word(spelled) ?? ''];
  return akin?.known ?? (elsewhere === undefined ? undefined : `PENNYPOST_${elsewhere}`);
}
