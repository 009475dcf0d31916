import type { z } from 'zod';
import { refusal } from './input-refusal.ts';
import { VERB_INPUTS } from './verb-inputs.ts';

type Verb = (...args: unknown[]) => unknown;
type Inputs = Readonly<Record<string, readonly z.ZodType[]>>;

/** Verbs that answer with a stream: what is wrong with their input is thrown when its first part is asked for. */
export const STREAMS: ReadonlySet<string> = new Set(['subscribers.export', 'imports.rejectionsCsv', 'campaigns.recipientsCsv']);

/**
 * The border of every face: arguments are checked before a verb sees them. A misspelt property, a malformed id or an
 * impossible page size is refused with a clear error and never reaches the database.
 */
export function checkedVerbs<const Resource extends keyof typeof VERB_INPUTS, Verbs extends object>(
  resource: Resource,
  verbs: Verbs & { readonly [Name in keyof (typeof VERB_INPUTS)[Resource]]: unknown },
): Verbs {
  const checked = Object.entries<readonly z.ZodType[]>(VERB_INPUTS[resource] satisfies Inputs).map(([name, inputs]) => {
    const verb = Reflect.get(verbs, name) as Verb;
    const call = (args: readonly unknown[]) => verb(...parsed(`${resource}.${name}`, inputs, args));
    return [name, STREAMS.has(`${resource}.${name}`) ? streamed(call) : async (...args: unknown[]) => call(args)] as const;
  });
  return Object.freeze(Object.fromEntries(checked)) as unknown as Verbs;
}

function streamed(call: (args: readonly unknown[]) => unknown): Verb {
  return async function* (...args: unknown[]) {
    yield* call(args) as AsyncIterable<unknown>;
  };
}

/** @throws NotFound for an invalid id, InvalidInput with a pointer into the argument for other faults */
function parsed(verb: string, inputs: readonly z.ZodType[], args: readonly unknown[]): unknown[] {
  const checked = inputs.map((schema, at) => {
    const result = schema.safeParse(args[at]);
    if (!result.success) throw refusal(verb, args[at], result.error.issues);
    return result.data;
  });
  // What a verb has no input for (a progress callback, an option of its own) goes on as it came.
  return [...checked, ...args.slice(inputs.length)];
}
