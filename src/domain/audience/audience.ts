import type { AudienceEntry } from '../shared/audience.ts';
import { InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';

const KINDS: readonly string[] = ['list'] satisfies readonly (keyof AudienceEntry)[];

/**
 * The lists that these entries name, each once.
 * @throws InvalidInput for an entry of another kind, such as one that a newer release has stored
 */
export function listsIn(entries: readonly AudienceEntry[], pointer = '/audience'): readonly Id[] {
  const lists = new Set<Id>();
  for (const [index, entry] of entries.entries()) {
    const other = Object.keys(entry).find((kind) => !KINDS.includes(kind));
    if (other !== undefined || typeof entry.list !== 'string') throw notAnEntry(other, `${pointer}/${index}`);
    lists.add(entry.list);
  }
  return [...lists];
}

function notAnEntry(kind: string | undefined, pointer: string): InvalidInput {
  const what = kind === undefined ? 'An audience entry needs a kind' : `"${kind.slice(0, 80)}" is not a kind of audience entry`;
  return new InvalidInput(`${what}. The kinds are: ${KINDS.join(', ')}. Write an entry as { "list": "<id or slug>" }.`, pointer);
}
