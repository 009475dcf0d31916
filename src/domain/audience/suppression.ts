import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { InvalidInput } from '../shared/errors.ts';
import { type Id, isId } from '../shared/ids.ts';
import { isSlug } from '../shared/slug.ts';

/**
 * `project`: no mail at all. `marketing`: no campaigns, transactional mail goes on. `list:<id>`: nothing of that list. `stream:<name>`: no
 * transactional mail of that stream.
 */
export type SuppressionScope = 'project' | 'marketing' | `list:${Id}` | `stream:${string}`;

/** The scopes that stop a message of each kind, whatever its list; `list:<id>` stops marketing of that list. */
export const STOPPING_SCOPES = { transactional: ['project'], marketing: ['project', 'marketing'] } as const satisfies Readonly<
  Record<string, readonly SuppressionScope[]>
>;

/** From the lightest to the gravest: a graver reason replaces a lighter one of the same scope, never the reverse. */
export const SUPPRESSION_REASONS = ['manual', 'unsubscribe', 'hard_bounce', 'complaint', 'erased'] as const;
export type SuppressionReason = (typeof SUPPRESSION_REASONS)[number];

/** An address that is not mailed. It belongs to the address, not to the subscriber, and outlives the subscriber. */
export interface Suppression {
  readonly projectId: Id;
  /** The address's key, or the mark of an erased one (`erasureMark`). */
  readonly emailKey: string;
  readonly scope: SuppressionScope;
  readonly reason: SuppressionReason;
  /** Facts as they were told: the reply of a bounce, the id of a message, a note. */
  readonly evidence: Readonly<Record<string, string>>;
  readonly at: Date;
}

/** @throws InvalidInput */
export function parseScope(text: string, pointer = '/scope'): SuppressionScope {
  if (text === 'project' || text === 'marketing') return text;
  const listId = /^list:(.*)$/.exec(text)?.[1];
  if (listId !== undefined && isId(listId)) return `list:${listId.toLowerCase()}`;
  const stream = /^stream:(.*)$/.exec(text)?.[1];
  if (stream !== undefined && isSlug(stream)) return `stream:${stream}`;
  throw new InvalidInput(
    'A scope is "project", "marketing", "list:" and the id of a list, or "stream:" and the name of a stream.',
    pointer,
  );
}

/** @throws InvalidInput; `erased` is what erasing a subscriber leaves behind and cannot be asked for. */
export function parseReason(text: string, pointer = '/reason'): SuppressionReason {
  const reason = SUPPRESSION_REASONS.find((known) => known === text);
  if (reason !== undefined && reason !== 'erased') return reason;
  throw new InvalidInput('A reason is one of manual, unsubscribe, hard_bounce and complaint.', pointer);
}

/** A project's keys for the marks of erased addresses. The first, present one makes new marks; marks of the older ones still count. */
export type ErasureKeys = readonly [Uint8Array, ...Uint8Array[]];

/**
 * What is kept of an erased address: HMAC-SHA256 under a key of the project, so that the address is recognised when it
 * comes back and can be read from nowhere. It holds no "@" and so never equals an address's key.
 */
export function erasureMark(key: Uint8Array | KeyObject, emailKey: string): string {
  return `erased:${createHmac('sha256', key).update(emailKey).digest('hex')}`;
}

/** The same for many addresses: a prepared key makes it six times as fast. */
export function erasureMarker(key: Uint8Array): (emailKey: string) => string {
  const prepared = createSecretKey(key);
  return (emailKey) => erasureMark(prepared, emailKey);
}

/** Scope and reason of a search, as text from outside. */
export interface SuppressionFilter {
  readonly scope?: string | undefined;
  readonly reason?: string | undefined;
}

/** @throws InvalidInput for an unknown scope or reason */
export function parseSuppressionFilter(filter: SuppressionFilter) {
  const reason = SUPPRESSION_REASONS.find((known) => known === filter.reason);
  if (filter.reason !== undefined && reason === undefined)
    throw new InvalidInput(`A reason is one of ${SUPPRESSION_REASONS.join(', ')}.`, '/reason');
  return { scope: filter.scope === undefined ? undefined : parseScope(filter.scope), reason };
}
