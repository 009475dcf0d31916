import type { z } from 'zod';
import { InvalidInput, NotFound } from '../domain/shared/errors.ts';

/** What a verb answers to input that it does not take. */
export function refusal(verb: string, given: unknown, issues: readonly z.core.$ZodIssue[]): InvalidInput | NotFound {
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
