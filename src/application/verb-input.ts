import type { z } from 'zod';
import { InvalidInput, NotFound } from '../domain/shared/errors.ts';
import { VERB_INPUTS } from './verb-inputs.ts';

type Verb = (...args: unknown[]) => unknown;

/** The compiler refuses a group with a verb that is not in the table. */
type Listed<Group extends string, Verbs> = {
  [Name in keyof Verbs & string]: `${Group}.${Name}` extends keyof typeof VERB_INPUTS ? Verbs[Name] : never;
};

const INPUTS: Readonly<Record<string, readonly z.ZodType[] | undefined>> = VERB_INPUTS;

/** Verbs that answer with a stream: what is wrong with their input is thrown when its first part is asked for. */
const STREAMS: ReadonlySet<string> = new Set(['campaign.recipientsCsv', 'imports.rejectionsCsv', 'exports.subscribersCsv']);

/**
 * The border of every face: arguments are checked before a verb sees them, so that a misspelt property, an id that is none or a
 * number that no page can have is a clear refusal and never a question to the database.
 * @param group the resource, as `VERB_INPUTS` names it
 */
export function checkedVerbs<const Group extends string, Verbs extends object & Listed<Group, Verbs>>(
  group: Group,
  verbs: Verbs,
): Verbs {
  return new Proxy(verbs, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name);
      if (typeof found !== 'function' || typeof name === 'symbol') return found;
      const inputs = INPUTS[`${group}.${name}`];
      // What only the service itself calls is no verb.
      if (inputs === undefined) return undefined;
      const verb = found as Verb;
      const checked = (args: readonly unknown[]) => verb.apply(target, parsed(`${group}.${name}`, inputs, args));
      if (STREAMS.has(`${group}.${name}`))
        return async function* (...args: unknown[]) {
          yield* checked(args) as AsyncIterable<unknown>;
        };
      return async (...args: unknown[]) => checked(args);
    },
  });
}

/** @throws NotFound for an id that is none, InvalidInput with a pointer into the argument for everything else */
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
    return new InvalidInput(`${verb}: "${shown}" is not the id of a project. access.getProject finds a project by its slug.`);
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
