import type { Audience, AudienceEntry } from '../shared/audience.ts';
import { InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';

const KINDS: readonly string[] = ['list'] satisfies readonly (keyof AudienceEntry)[];

/**
 * The ids of the lists among these entries, each once.
 * @throws InvalidInput for an entry of another kind, such as one that a newer release has stored
 */
export function listIdsOf(entries: Audience['include'], pointer = '/audience'): readonly Id[] {
  const ids = new Set<Id>();
  for (const entry of entries) {
    const kind = Object.keys(entry).find((key) => !KINDS.includes(key));
    if (kind !== undefined || typeof entry.list !== 'string') throw unknownKind(kind, pointer);
    ids.add(entry.list);
  }
  return [...ids];
}

function unknownKind(kind: string | undefined, pointer: string): InvalidInput {
  const found =
    kind === undefined ? 'An entry of an audience has no kind' : `"${kind.slice(0, 80)}" is not a kind of audience entry`;
  return new InvalidInput(
    `${found}. Each entry is an object such as { "list": "newsletter" }; the kinds are: ${KINDS.join(', ')}.`,
    pointer,
  );
}
