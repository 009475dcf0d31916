/** All settings: what config.ts reads, what docs/reference/settings.md says, and what is said about an unknown name. */
import { changesBetween } from '../domain/shared/nearest-name.ts';

/** One environment variable. */
export interface Setting {
  readonly name: string;
  /** The value of an unset variable. Undefined: `unset` says what applies then. */
  readonly fallback: string | number | undefined;
  readonly unset?: string;
  /** Least and most of a whole number. */
  readonly range?: readonly [least: number, most: number];
  readonly values?: readonly string[];
  readonly unit?: string;
  readonly example: string;
  /** One or two sentences. Code spans are written in backquotes. */
  readonly meaning: string;
  /** The page that says more, from docs/. */
  readonly page?: string;
}

/** A setting that is a whole number. */
export type NumberSetting = Setting & { readonly fallback: number | undefined; readonly range: readonly [number, number] };

export const SETTINGS = {
  smtpUrl: {
    name: 'PENNYPOST_SMTP_URL',
    fallback: undefined,
    unset: 'the development inbox',
    example: 'smtp://user:password@smtp.example.com:587',
    meaning:
      'SMTP server that mail is handed over to. `smtps://` uses TLS from the first byte. Percent-encode user and password.',
    page: 'operate/smtp.md',
  },
  allowPrivateHosts: {
    name: 'PENNYPOST_ALLOW_PRIVATE_HOSTS',
    fallback: 'no',
    values: ['yes', 'no'],
    example: 'yes',
    meaning:
      'Whether the transports of projects may connect to hosts of this machine and its network. `no` keeps a project from reaching internal servers. The server of `PENNYPOST_SMTP_URL` may always be private.',
    page: 'transports.md',
  },
  emlDir: {
    name: 'PENNYPOST_EML_DIR',
    fallback: undefined,
    unset: '`eml` in the data directory',
    example: '/srv/pennypost/eml',
    meaning: 'Parent of the directories to which transports of the kind `directory` write messages.',
    page: 'transports.md',
  },
  publicUrl: {
    name: 'PENNYPOST_PUBLIC_URL',
    fallback: undefined,
    unset: 'the value that `serve` had, otherwise the address that it listens on',
    example: 'https://mail.example.com',
    meaning:
      'Start of every link in mail. Recipients must reach it over https. `serve` stores it for all processes of the instance; a process with another value uses the stored one and warns. A campaign keeps the value of its launch. A project can have its own (`--tracking-url`).',
  },
  databaseUrl: {
    name: 'PENNYPOST_DATABASE_URL',
    fallback: undefined,
    unset: 'the embedded PostgreSQL',
    example: 'postgresql://user:password@host:5432/database?sslmode=verify-full',
    meaning: 'Database on a PostgreSQL server, version 15 to 18, encoding UTF-8.',
    page: 'operate/postgresql.md',
  },
  dataDir: {
    name: 'PENNYPOST_DATA_DIR',
    fallback: '.pennypost',
    example: '/srv/pennypost/data',
    meaning: 'Directory of the embedded database, its secret key, and the addresses of a running `serve`.',
  },
  secretKey: {
    name: 'PENNYPOST_SECRET_KEY',
    fallback: undefined,
    unset: 'a file in the data directory',
    example: 'the output of `openssl rand -hex 32`',
    meaning: '32 bytes that sign the links in mail, the same on every machine. Required with `PENNYPOST_DATABASE_URL`.',
    page: 'operate/secret-key.md',
  },
  secretKeyFile: {
    name: 'PENNYPOST_SECRET_KEY_FILE',
    fallback: undefined,
    unset: 'no file',
    example: '/etc/pennypost/secret-key',
    meaning: 'File that holds the secret key, in place of `PENNYPOST_SECRET_KEY`. One key per line, the current one first.',
    page: 'operate/secret-key.md',
  },
  host: {
    name: 'PENNYPOST_HOST',
    fallback: '127.0.0.1',
    example: '0.0.0.0',
    meaning: 'Address that `serve` listens on.',
  },
  port: {
    name: 'PENNYPOST_PORT',
    fallback: 8_025,
    range: [0, 65_535],
    example: '8080',
    meaning: 'Port that `serve` listens on. 0 takes a free one.',
  },
  logLevel: {
    name: 'PENNYPOST_LOG_LEVEL',
    fallback: 'info',
    values: ['debug', 'info', 'warn', 'error', 'silent'],
    example: 'warn',
    meaning:
      'Level of the log that `serve` and `work` write to standard error as JSON lines. Addresses, bodies and tokens are never logged.',
  },
  maxConnections: {
    name: 'PENNYPOST_MAX_CONNECTIONS',
    fallback: 10,
    range: [1, 1_000],
    unit: 'connections',
    example: '20',
    meaning:
      'Most SMTP connections of the bulk lane, over all processes of one `serve` or `work`. The transactional lane may open as many of its own.',
  },
  messagesPerSecond: {
    name: 'PENNYPOST_MESSAGES_PER_SECOND',
    fallback: undefined,
    unset: 'no limit',
    range: [1, 1_000_000],
    unit: 'messages per second',
    example: '50',
    meaning: 'Most messages that all workers on the database hand over together. Set it for all of them.',
  },
  maxUnrecorded: {
    name: 'PENNYPOST_MAX_UNRECORDED',
    fallback: 1_000,
    range: [1, 100_000],
    unit: 'messages',
    example: '100',
    meaning:
      'Most messages of a process that are handed over and not yet recorded. A process that is killed repeats at most this number.',
    page: 'inside/delivery.md',
  },
  stuckSeconds: {
    name: 'PENNYPOST_STUCK_SECONDS',
    fallback: 30,
    range: [1, 86_400],
    unit: 'seconds',
    example: '60',
    meaning: 'A worker that has messages to send and no outcome for this time is reported as stuck.',
    page: 'operate/monitoring.md',
  },
  profileDir: {
    name: 'PENNYPOST_PROFILE_DIR',
    fallback: undefined,
    unset: '`profiles` in the data directory',
    example: '/var/lib/pennypost/profiles',
    meaning: 'Directory of the CPU profiles of stuck workers. It keeps the newest 20 of the last 7 days.',
    page: 'operate/monitoring.md',
  },
  pauseAfterTransportErrors: {
    name: 'PENNYPOST_PAUSE_AFTER_TRANSPORT_ERRORS',
    fallback: undefined,
    unset: '500',
    range: [1, 1_000_000],
    unit: 'errors',
    example: '50',
    meaning: 'A campaign pauses after this number of transport errors of one process without an answer between them.',
    page: 'inside/delivery.md',
  },
  pauseAfterSenderFaults: {
    name: 'PENNYPOST_PAUSE_AFTER_SENDER_FAULTS',
    fallback: undefined,
    unset: '100',
    range: [1, 1_000_000],
    unit: 'refusals',
    example: '20',
    meaning:
      'A campaign pauses after this number of final refusals in a row that concern the sender (authentication, reputation, content).',
    page: 'inside/delivery.md',
  },
} as const satisfies Record<string, Setting>;

/** Set by bin/pennypost.js for the process that it starts. */
const LAUNCHER = 'PENNYPOST_LAUNCHER';
const NAMES: readonly string[] = [...Object.values(SETTINGS).map(({ name }) => name), LAUNCHER];

/** Variables of the test suite, and those that Kubernetes sets in every pod when a service is called pennypost. */
const FOREIGN = /^PENNYPOST_(TEST_\w+|SERVICE_(HOST|PORT\w*)|PORT_\d+_(TCP|UDP)\w*)$/;
/** Most letters by which a misspelled name differs from a known one. */
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

/** The first word may be misspelled as well: `PENYPOST_PORT`, `PENNY_POST_PORT`. */
function looksLikeOurs(name: string): boolean {
  const spelled = name
    .toUpperCase()
    .replaceAll('-', '_')
    .replace(/^PENNY_POST_/, 'PENNYPOST_');
  const [first, rest] = spelled.split('_', 2);
  return rest !== undefined && first !== undefined && Math.abs(first.length - 9) <= 2 && changesBetween(first, 'PENNYPOST') <= 2;
}

/** Words that other programs use for a setting, by the first word or the whole name. */
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

/** By letters, otherwise by the first word, as in PENNYPOST_SMTP_HOST. */
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
