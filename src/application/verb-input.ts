import type { z } from 'zod';
import { InvalidInput, NotFound } from '../domain/shared/errors.ts';
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

function refusal(verb: string, given: unknown, issues: readonly z.core.$ZodIssue[]): InvalidInput | NotFound {
  const issue = issues.flatMap(innermost)[0];
  const path = issue?.path ?? [];
  if (issue?.code === 'custom' && typeof issue.params?.missing === 'string') {
    const value = path.reduce<unknown>((part, step) => Reflect.get(Object(part), step), given);
    const shown =
      typeof value === 'string'
        ? value
            .toWellFormed()
            .replace(/\p{Cc}/gu, '\ufffd')
            .slice(0, 80)
        : String(typeof value);
    if (issue.params.missing !== 'project') return new NotFound(issue.params.missing, shown);
    return new InvalidInput(`${verb}: "${shown}" is not the id of a project. projects.get finds a project by its slug.`);
  }
  const pointer = (steps: readonly PropertyKey[]) =>
    steps.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  if (issue?.code === 'unrecognized_keys') {
    const [unknown = ''] = issue.keys;
    return new InvalidInput(`${verb} knows no property "${unknown.slice(0, 80)}".`, pointer([...path, unknown]));
  }
  const where = path.length === 0 ? 'an argument' : `"${path.map(String).join('.')}"`;
  return new InvalidInput(`${verb}: ${where} is wrong. ${issue?.message ?? 'It cannot be read.'}`, pointer(path));
}

/** Of a union, what the alternative that came furthest says. */
function innermost(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const deepest = issue.errors.flat().toSorted((a, b) => b.path.length - a.path.length)[0];
  return deepest === undefined ? [issue] : [{ ...deepest, path: [...issue.path, ...deepest.path] }];
}
