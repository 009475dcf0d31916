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
    .filter((name) => /^pennypost[_-]/i.test(name) && !NAMES.includes(name) && !FOREIGN.test(name))
    .sort()
    .map((name) => {
      const near = nearest(name);
      const meant = near === undefined ? '' : ` Did you mean ${near}?`;
      return { name, advice: `${name} is not used.${meant} All settings are in docs/operations.md.` };
    });
}

/** By its first word, as in PENNYPOST_SMTP_HOST, else by its letters. */
function nearest(name: string): string | undefined {
  const spelled = name.toUpperCase().replaceAll('-', '_');
  const word = (one: string): string | undefined => one.split('_')[1];
  const ranked = NAMES.map((known) => ({ known, distance: changesBetween(spelled, known) })).sort(
    (one, other) => one.distance - other.distance,
  );
  const akin = ranked.find(({ known }) => word(known) === word(spelled));
  const [close] = ranked;
  if (close !== undefined && close.distance <= Math.min(SLIP, (spelled.length - 'PENNYPOST_'.length) / 3)) return close.known;
  return akin?.known;
}
