import { join, resolve } from 'node:path';
import { DomainError, InvalidInput } from '../domain/shared/errors.ts';
import { ownSecretKeys, readKeyFile, type SecretKeys, secretKeysIn } from './key-file.ts';
import { type NumberSetting, SETTINGS, type Setting, type UnknownSetting, unknownAmong } from './known-settings.ts';
import { parseSmtpUrl } from './transports/smtp-url.ts';

/** Default of `PENNYPOST_STUCK_SECONDS`, also where an instance is opened without the environment. */
export const STUCK_AFTER_MS = SETTINGS.stuckSeconds.fallback * 1_000;

/** The settings of a process, as read from its environment. known-settings.ts describes each variable. */
export interface Config {
  /** A PostgreSQL server; undefined: the embedded one. */
  readonly databaseUrl: string | undefined;
  readonly dataDir: string;
  /** Undefined: the development inbox of this process, or nowhere. */
  readonly smtpUrl: string | undefined;
  /** Transports of projects may connect to hosts of this machine and its network. */
  readonly allowPrivateHosts: boolean;
  /** Parent of the directories of transports of the kind `directory`. */
  readonly emlDir: string;
  readonly publicUrl: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
  readonly maxConnections: number;
  readonly maxUnrecorded: number;
  readonly messagesPerSecond: number | undefined;
  /** A worker with messages to send and no outcome for this time is stuck. */
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
      'The database has a server of its own, but no secret key is set. Set PENNYPOST_SECRET_KEY or PENNYPOST_SECRET_KEY_FILE (32 bytes, e.g. from `openssl rand -hex 32`), the same on every machine.',
    );
  }
}

/** Reads `PENNYPOST_*`, once. @throws InvalidInput that names the variable */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const dataDir = resolve(text(env, SETTINGS.dataDir) ?? SETTINGS.dataDir.fallback);
  return {
    databaseUrl: text(env, SETTINGS.databaseUrl),
    dataDir,
    smtpUrl: smtpUrl(text(env, SETTINGS.smtpUrl)),
    allowPrivateHosts: choice(env, SETTINGS.allowPrivateHosts) === 'yes',
    emlDir: path(text(env, SETTINGS.emlDir)) ?? join(dataDir, 'eml'),
    publicUrl: publicUrl(text(env, SETTINGS.publicUrl)),
    host: text(env, SETTINGS.host) ?? SETTINGS.host.fallback,
    port: whole(env, SETTINGS.port) ?? SETTINGS.port.fallback,
    logLevel: choice(env, SETTINGS.logLevel),
    maxConnections: whole(env, SETTINGS.maxConnections) ?? SETTINGS.maxConnections.fallback,
    maxUnrecorded: whole(env, SETTINGS.maxUnrecorded) ?? SETTINGS.maxUnrecorded.fallback,
    messagesPerSecond: whole(env, SETTINGS.messagesPerSecond),
    pauseAfterTransportErrors: whole(env, SETTINGS.pauseAfterTransportErrors),
    pauseAfterSenderFaults: whole(env, SETTINGS.pauseAfterSenderFaults),
    stuckAfterMs: (whole(env, SETTINGS.stuckSeconds) ?? SETTINGS.stuckSeconds.fallback) * 1_000,
    profileDir: path(text(env, SETTINGS.profileDir)),
  };
}

/**
 * The instance's secret keys, the current one first: from `PENNYPOST_SECRET_KEY` or `PENNYPOST_SECRET_KEY_FILE` (one per line),
 * otherwise from a file of mode 0600 in the data directory, created on first use with the embedded database.
 * @throws SecretKeyMissing, InvalidSecretKey, SecretKeyFileUnusable
 */
export async function readSecretKeys(config: Config, env: NodeJS.ProcessEnv = process.env): Promise<SecretKeys> {
  const given = text(env, SETTINGS.secretKey);
  if (given !== undefined) return secretKeysIn(given);
  const file = text(env, SETTINGS.secretKeyFile);
  if (file !== undefined) return readKeyFile(SETTINGS.secretKeyFile.name, file);
  if (config.databaseUrl !== undefined) throw new SecretKeyMissing();
  return ownSecretKeys(config.dataDir);
}

/** Variables that look like settings but are not, each with advice. */
export function unknownSettings(env: NodeJS.ProcessEnv = process.env): readonly UnknownSetting[] {
  return unknownAmong(Object.keys(env));
}

/** What started this process: npm (or npx, pnpm, yarn), or bin/pennypost.js under an old Node. */
export function startedBy(env: NodeJS.ProcessEnv = process.env): {
  readonly npm: boolean;
  readonly launcher: number | undefined;
} {
  const launcher = env.PENNYPOST_LAUNCHER;
  return { npm: env.npm_config_user_agent !== undefined, launcher: launcher ? Number(launcher) : undefined };
}

/** Undefined also for a variable that is set to blanks. */
const text = (env: NodeJS.ProcessEnv, { name }: Setting): string | undefined => env[name]?.trim() || undefined;

const path = (value: string | undefined): string | undefined => (value === undefined ? undefined : resolve(value));

function whole(env: NodeJS.ProcessEnv, setting: NumberSetting): number | undefined {
  const { name, range } = setting;
  const [least, most] = range;
  const given = text(env, setting);
  if (given === undefined) return undefined;
  const number = Number(given);
  // Kubernetes sets such values for a service of that name.
  if (/^(tcp|udp):\/\//.test(given))
    throw new InvalidInput(
      `${name} is "${given}", as Kubernetes sets it for a service called pennypost. Set enableServiceLinks: false for the pod, or ${name} itself.`,
    );
  if (!Number.isInteger(number) || number < least || number > most)
    throw new InvalidInput(`${name} is "${given}"; it must be a whole number from ${least} to ${most}.`);
  return number;
}

function choice(
  env: NodeJS.ProcessEnv,
  setting: Setting & { readonly fallback: string; readonly values: readonly string[] },
): string {
  const value = text(env, setting) ?? setting.fallback;
  if (setting.values.includes(value)) return value;
  throw new InvalidInput(`${setting.name} is "${value}"; it must be one of ${setting.values.join(', ')}.`);
}

/** @param name of the setting, for errors. @throws InvalidInput unless the URL names an SMTP server */
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
