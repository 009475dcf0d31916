import { resolve } from 'node:path';
import { DomainError, InvalidInput } from '../domain/shared/errors.ts';
import { ownSecretKeys, readKeyFile, type SecretKeys, secretKeysIn } from './key-file.ts';
import { type UnknownSetting, unknownAmong } from './known-settings.ts';
import { parseSmtpUrl } from './transports/smtp-url.ts';

/** As long as a worker waits at most for the database before it tries another connection; relays answer in a few seconds. */
export const STUCK_AFTER_MS = 30_000;

/** Everything that the surroundings decide. See docs/reference/settings.md for each variable. */
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
 * @throws SecretKeyMissing, InvalidSecretKey, SecretKeyFileUnusable
 */
export async function readSecretKeys(config: Config, env: NodeJS.ProcessEnv = process.env): Promise<SecretKeys> {
  const given = text(env.PENNYPOST_SECRET_KEY);
  if (given !== undefined) return secretKeysIn(given);
  const file = text(env.PENNYPOST_SECRET_KEY_FILE);
  if (file !== undefined) return readKeyFile('PENNYPOST_SECRET_KEY_FILE', file);
  if (config.databaseUrl !== undefined) throw new SecretKeyMissing();
  return ownSecretKeys(config.dataDir);
}

/** Variables that look like settings and are none; each with what to do. */
export function unknownSettings(env: NodeJS.ProcessEnv = process.env): readonly UnknownSetting[] {
  return unknownAmong(Object.keys(env));
}

/** Who started this process: npm (npx, pnpm and yarn say the same), and bin/pennypost.js where it runs under an old Node. */
export function startedBy(env: NodeJS.ProcessEnv = process.env): {
  readonly npm: boolean;
  readonly launcher: number | undefined;
} {
  const launcher = text(env.PENNYPOST_LAUNCHER);
  return { npm: env.npm_config_user_agent !== undefined, launcher: launcher === undefined ? undefined : Number(launcher) };
}

const text = (value: string | undefined): string | undefined =>
  value === undefined || value.trim() === '' ? undefined : value.trim();

const path = (value: string | undefined): string | undefined => (value === undefined ? undefined : resolve(value));

function whole(name: string, value: string | undefined, least: number, most: number): number | undefined {
  const given = text(value);
  if (given === undefined) return undefined;
  const number = Number(given);
  // What Kubernetes sets for a service of that name.
  if (/^(tcp|udp):\/\//.test(given))
    throw new InvalidInput(
      `${name} is "${given}", as Kubernetes sets it for a service called pennypost. Set enableServiceLinks: false for the pod, or ${name} itself.`,
    );
  if (!Number.isInteger(number) || number < least || number > most)
    throw new InvalidInput(`${name} is "${given}"; it must be a whole number from ${least} to ${most}.`);
  return number;
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'];

function logLevel(value: string): string {
  if (LOG_LEVELS.includes(value)) return value;
  throw new InvalidInput(`PENNYPOST_LOG_LEVEL is "${value}"; it must be one of ${LOG_LEVELS.join(', ')}.`);
}

/** @param name of the setting, for errors. @throws InvalidInput when mail cannot go there as it says */
export function smtpUrl(value: string | undefined, name = 'PENNYPOST_SMTP_URL'): string | undefined {
  if (value === undefined) return undefined;
  parseSmtpUrl(value, name);
  return value;
}

function publicUrl(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new InvalidInput('PENNYPOST_PUBLIC_URL must be like https://mail.example.com.');
  return value.replace(/\/+$/, '');
}
