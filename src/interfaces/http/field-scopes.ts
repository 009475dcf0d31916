import { z } from '@hono/zod-openapi';
import type { Caller, Scope } from './authentication.ts';
import { withoutAddresses } from './without-addresses.ts';

/**
 * Fields that show a person, and the scope that a key needs for them beside the scope of the route: the one table of it. Keys
 * without the scope get an answer without the field, or, for texts that may quote an address, the text without the address.
 */
export const FIELD_SCOPES = {
  'subscriber.email': { scope: 'audience.read', others: 'absent' },
  'subscriber.locale': { scope: 'audience.read', others: 'absent' },
  'subscriber.timeZone': { scope: 'audience.read', others: 'absent' },
  'subscriber.attributes': { scope: 'audience.read', others: 'absent' },
  'suppression.emailKey': { scope: 'audience.read', others: 'absent' },
  'suppression.evidence': { scope: 'audience.read', others: 'absent' },
  'import.fileName': { scope: 'audience.read', others: 'masked' },
  'import.columns': { scope: 'audience.read', others: 'masked' },
  'import.warnings': { scope: 'audience.read', others: 'masked' },
  'import.failure': { scope: 'audience.read', others: 'masked' },
  'message.address': { scope: 'audience.read', others: 'absent' },
  'message.name': { scope: 'audience.read', others: 'absent' },
  'message.metadata': { scope: 'audience.read', others: 'absent' },
  'message.reply': { scope: 'audience.read', others: 'masked' },
  'batch.error': { scope: 'audience.read', others: 'masked' },
  'attempt.reply': { scope: 'audience.read', others: 'masked' },
  'campaign.pauseReason': { scope: 'audience.read', others: 'masked' },
  'campaign.launchFailure': { scope: 'audience.read', others: 'masked' },
  'recipient.address': { scope: 'audience.read', others: 'absent' },
  'recipient.reply': { scope: 'audience.read', others: 'masked' },
  'report.pauseReason': { scope: 'audience.read', others: 'masked' },
  'report.reason': { scope: 'audience.read', others: 'masked' },
  'transport.problem': { scope: 'audience.read', others: 'masked' },
  'transport.reply': { scope: 'audience.read', others: 'masked' },
  'worker.trouble': { scope: 'audience.read', others: 'masked' },
  'worker.stuck': { scope: 'audience.read', others: 'masked' },
} as const satisfies Readonly<Record<string, { readonly scope: Scope; readonly others: 'absent' | 'masked' }>>;

export type GuardedField = keyof typeof FIELD_SCOPES;

/** A field of an answer that is in the table; the route's own answer says nothing else about it. */
export function guarded<Schema extends z.ZodType>(name: GuardedField, schema: Schema, description?: string) {
  const { scope, others } = FIELD_SCOPES[name];
  const rule =
    others === 'absent' ? `Only for keys with the scope \`${scope}\`.` : `Without addresses, unless the key has \`${scope}\`.`;
  const described = schema.openapi({ description: description === undefined ? rule : `${description} ${rule}` } as object);
  return described.optional().meta({ guardedField: name });
}

/** What takes fields out of an answer; undefined where the schema has none that is guarded. */
export type AnswerGuard = (answer: unknown, caller: Caller) => unknown;

/** Compiles the guarded fields of an answer's schema, so that a request only walks to those. */
export function answerGuard(schema: z.core.$ZodType | undefined): AnswerGuard | undefined {
  if (schema === undefined) return undefined;
  if (schema instanceof z.ZodObject) return objectGuard(schema.shape);
  if (schema instanceof z.ZodArray) {
    const inner = answerGuard(schema.element);
    return inner && ((answer, caller) => (Array.isArray(answer) ? answer.map((item) => inner(item, caller)) : answer));
  }
  if (schema instanceof z.ZodPipe) return answerGuard(schema.in);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodReadonly)
    return answerGuard(schema.unwrap());
  return undefined;
}

function objectGuard(shape: Readonly<Record<string, z.core.$ZodType>>): AnswerGuard | undefined {
  const guards = Object.entries(shape).flatMap(([field, schema]) => {
    const name = guardedField(schema);
    const inner = answerGuard(schema);
    const guard: AnswerGuard | undefined = name === undefined ? inner : (value, caller) => shown(name, value, caller);
    return guard === undefined ? [] : [[field, guard] as const];
  });
  if (guards.length === 0) return undefined;
  return (answer, caller) => {
    if (typeof answer !== 'object' || answer === null) return answer;
    const copy: Record<string, unknown> = { ...answer };
    for (const [field, guard] of guards) {
      if (!(field in copy)) continue;
      const value = guard(copy[field], caller);
      if (value === undefined) delete copy[field];
      else copy[field] = value;
    }
    return copy;
  };
}

function guardedField(schema: z.core.$ZodType): GuardedField | undefined {
  const name = schema instanceof z.ZodType ? schema.meta()?.guardedField : undefined;
  return typeof name === 'string' && name in FIELD_SCOPES ? (name as GuardedField) : undefined;
}

function shown(name: GuardedField, value: unknown, caller: Caller): unknown {
  const { scope, others } = FIELD_SCOPES[name];
  if (caller.hasScope(scope)) return value;
  return others === 'absent' ? undefined : withoutAddressesIn(value);
}

function withoutAddressesIn(value: unknown): unknown {
  if (typeof value === 'string') return withoutAddresses(value);
  if (Array.isArray(value)) return value.map(withoutAddressesIn);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutAddressesIn(inner)]));
}
