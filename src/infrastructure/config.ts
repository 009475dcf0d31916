import { chmod, open, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { generateSecretKey, parseSecretKey } from '../domain/access/index.ts';
import { DomainError, InvalidInput } from '../domain/shared/errors.ts';
import { claimDataDirectory } from './postgres/embedded-directory.ts';

/** As long as a worker waits at most for the database before it tries another connection; relays answer in a few seconds. */
export const STUCK_AFTER_MS = 30_000;

/** Everything that the surroundings decide. See docs/operations.md for each variable. */
export interface Config {
  /** A server of one's own; undefined: the embedded one. */
  readonly databaseUrl: string | undefined;
  readonly dataDir: string;
  /** Undefined: the development inbox of this process, or nowhere. */
  readonly smtpUrl: string | undefined;
  readonly publicUrl: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
  readonly maxConnections: number;
  readonly maxUnrecorded: number;
  readonly messagesPerSecond: number | undefined;
  /** A worker with work in its hands that gets nowhere for so long is stuck. */
  readonly stuckAfterMs: number;
  /** Where CPU profiles of stuck workers go; undefined: `profiles` in the data directory. */
  readonly profileDir: string | undefined;
  /** Undefined: the lane's default, here and below. */
  readonly pauseAfterTransportErrors: number | undefined;
  readonly pauseAfterSenderFaults: number | undefined;
}

export class SecretKeyMissing extends DomainError {
  readonly code = 'config.secret_key_missing';
  readonly kind = 'unavailable';
  constructor() {
    super(
      'With a database of your own, set PENNYPOST_SECRET_KEY or PENNYPOST_SECRET_KEY_FILE (32 bytes, e.g. from `openssl rand -hex 32`), the same on every node.',
    );
  }
}

/** Reads `PENNYPOST_*`, once. @throws InvalidInput that names the variable */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  return {
    databaseUrl: text(env.PENNYPOST_DATABASE_URL),
    dataDir: resolve(text(env.PENNYPOST_DATA_DIR) ?? '.pennypost'),
    smtpUrl: smtpUrl(text(env.PENNYPOST_SMTP_URL)),
    publicUrl: publicUrl(text(env.PENNYPOST_PUBLIC_URL)),
    host: text(env.PENNYPOST_HOST) ?? '127.0.0.1',
    port: whole('PENNYPOST_PORT', env.PENNYPOST_PORT, 0, 65_535) ?? 8_025,
    logLevel: logLevel(text(env.PENNYPOST_LOG_LEVEL) ?? 'info'),
    maxConnections: whole('PENNYPOST_MAX_CONNECTIONS', env.PENNYPOST_MAX_CONNECTIONS, 1, 1_000) ?? 10,
    maxUnrecorded: whole('PENNYPOST_MAX_UNRECORDED', env.PENNYPOST_MAX_UNRECORDED, 1, 100_000) ?? 1_000,
    messagesPerSecond: whole('PENNYPOST_MESSAGES_PER_SECOND', env.PENNYPOST_MESSAGES_PER_SECOND, 1, 1_000_000),
    pauseAfterTransportErrors: whole(
      'PENNYPOST_PAUSE_AFTER_TRANSPORT_ERRORS',
      env.PENNYPOST_PAUSE_AFTER_TRANSPORT_ERRORS,
      1,
      1_000_000,
    ),
    pauseAfterSenderFaults: whole('PENNYPOST_PAUSE_AFTER_SENDER_FAULTS', env.PENNYPOST_PAUSE_AFTER_SENDER_FAULTS, 1, 1_000_000),
    stuckAfterMs: (whole('PENNYPOST_STUCK_SECONDS', env.PENNYPOST_STUCK_SECONDS, 1, 86_400) ?? STUCK_AFTER_MS / 1_000) * 1_000,
    profileDir: path(text(env.PENNYPOST_PROFILE_DIR)),
  };
}

/**
 * The instance's secrets, the present one first: `PENNYPOST_SECRET_KEY` or `PENNYPOST_SECRET_KEY_FILE` (one per line), else a
 * file of mode 0600 in the data directory, made on first use with the embedded database.
 * @throws SecretKeyMissing, InvalidSecretKey
 */
export async function readSecretKeys(
  config: Config,
  env: NodeJS.ProcessEnv = process.env,
): Promise<readonly [Buffer, ...Buffer[]]> {
  const given = text(env.PENNYPOST_SECRET_KEY);
  if (given !== undefined) return keysIn(given);
  const file = text(env.PENNYPOST_SECRET_KEY_FILE);
  if (file !== undefined) return keysIn(await readFile(file, 'utf8'));
  if (config.databaseUrl !== undefined) throw new SecretKeyMissing();
  const own = join(config.dataDir, 'secret-key');
  await claimDataDirectory(config.dataDir);
  try {
    // Exclusive: of two processes that start at once, one writes and the other reads.
    const handle = await open(own, 'wx', 0o600);
    await handle.writeFile(`${generateSecretKey().toString('hex')}\n`);
    await handle.sync();
    await handle.close();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  await chmod(own, 0o600);
  return keysIn(await readFile(own, 'utf8'));
}

function keysIn(written: string): readonly [Buffer, ...Buffer[]] {
  const [first, ...others] = written.split(/[\s,]+/).filter((part) => part !== '');
  return [parseSecretKey(first ?? ''), ...others.map(parseSecretKey)];
}

const text = (value: string | undefined): string | undefined =>
  value === undefined || value.trim() === '' ? undefined : value.trim();

const path = (value: string | undefined): string | undefined => (value === undefined ? undefined : resolve(value));

function whole(name: string, value: string | undefined, least: number, most: number): number | undefined {
  const given = text(value);
  if (given === undefined) return undefined;
  const number = Number(given);
  if (!Number.isInteger(number) || number < least || number > most)
    throw new InvalidInput(`${name} is "${given}"; it must be a whole number from ${least} to ${most}.`);
  return number;
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'];

function logLevel(value: string): string {
  if (LOG_LEVELS.includes(value)) return value;
  throw new InvalidInput(`PENNYPOST_LOG_LEVEL is "${value}"; it must be one of ${LOG_LEVELS.join(', ')}.`);
}

function smtpUrl(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const url = URL.parse(value);
  if (url === null || !/^smtps?:$/.test(url.protocol) || url.hostname === '') {
    throw new InvalidInput('PENNYPOST_SMTP_URL must be like smtp://user:password@relay.example.com:587 (or smtps://).');
  }
  return value;
}

function publicUrl(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new InvalidInput('PENNYPOST_PUBLIC_URL must be like https://mail.example.com.');
  return value.replace(/\/+$/, '');
}
