import { InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';
import { parseSlug } from '../shared/slug.ts';
import { parseTransportSettings, secretSettings, type TransportKind, type TransportSettings } from './transport-settings.ts';

/** `disabled`: no message takes it; its routes stay. */
export const TRANSPORT_STATES = ['active', 'disabled'] as const;
export type TransportState = (typeof TRANSPORT_STATES)[number];

/** A transport of a project, as it is stored. Its credentials are not in it. */
export interface StoredTransport {
  readonly projectId: Id;
  readonly id: Id;
  readonly slug: string;
  readonly name: string;
  readonly kind: TransportKind;
  /** Without the kind and without credentials. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Names of the credentials that are stored. */
  readonly secretNames: readonly string[];
  /** Of all workers and lanes together. Undefined: the default of each worker. */
  readonly maxConnections: number | undefined;
  /** Of all workers and lanes together. Undefined: no limit. */
  readonly messagesPerSecond: number | undefined;
  readonly state: TransportState;
  /** Grows with every change: a process that has it open opens it anew. */
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface TransportLimits {
  readonly maxConnections?: number | null | undefined;
  readonly messagesPerSecond?: number | null | undefined;
}

export interface NewTransport extends TransportLimits {
  readonly kind: string;
  /** Default: the kind. */
  readonly name?: string | undefined;
  /** Default: made from the name, with a number when that is taken. */
  readonly slug?: string | undefined;
  /** Of this kind, credentials included. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
}

export interface TransportChanges extends TransportLimits {
  readonly name?: string | undefined;
  /** Only these are changed; null removes one. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
  readonly state?: TransportState | undefined;
}

const LONGEST_NAME = 200;

export function parseTransportName(text: string): string {
  const name = text.trim();
  if (name === '' || name.length > LONGEST_NAME || /[\p{Cc}\u2028\u2029]/u.test(name))
    throw new InvalidInput(`A name has 1 to ${LONGEST_NAME} characters on one line.`, '/name');
  return name;
}

export const parseTransportSlug = (text: string): string => parseSlug(text);

/** @throws InvalidInput */
export function parseLimits({ maxConnections, messagesPerSecond }: TransportLimits) {
  if (maxConnections != null && !(Number.isInteger(maxConnections) && maxConnections >= 1 && maxConnections <= 1_000))
    throw new InvalidInput('maxConnections is a whole number from 1 to 1000.', '/maxConnections');
  if (messagesPerSecond != null && !(messagesPerSecond >= 0.01 && messagesPerSecond <= 100_000))
    throw new InvalidInput('messagesPerSecond is a number from 0.01 to 100000.', '/messagesPerSecond');
  return { maxConnections: maxConnections ?? undefined, messagesPerSecond: messagesPerSecond ?? undefined };
}

/** Settings as they are stored: open ones, and credentials that are to be sealed. */
export interface SplitSettings {
  readonly kind: TransportKind;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, string>>;
}

/** Checks the settings of a kind and takes the credentials out. @throws InvalidInput with a pointer below `/settings` */
export function splitSettings(kind: string, given: Readonly<Record<string, unknown>>): SplitSettings {
  const { kind: known, ...parsed } = settingsOf(kind, given);
  const secret = new Set(secretSettings(known));
  const present = Object.entries(parsed).filter(([, value]) => value !== undefined);
  return {
    kind: known,
    settings: Object.fromEntries(present.filter(([name]) => !secret.has(name))),
    secrets: Object.fromEntries(present.filter(([name]) => secret.has(name)).map(([name, value]) => [name, String(value)])),
  };
}

function settingsOf(kind: string, given: Readonly<Record<string, unknown>>): TransportSettings {
  if (Object.hasOwn(given, 'kind'))
    throw new InvalidInput('The kind is not a setting: it stands beside "settings" and never changes.', '/settings/kind');
  try {
    return parseTransportSettings({ ...given, kind });
  } catch (error) {
    if (!(error instanceof InvalidInput) || error.pointer === '/kind') throw error;
    throw new InvalidInput(error.message, `/settings${error.pointer ?? ''}`);
  }
}
