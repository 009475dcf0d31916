import { InvalidInput } from '../shared/errors.ts';
import { storableJson } from '../shared/json.ts';
import { isSlug } from '../shared/slug.ts';

/** What a message is found by, and what its caller wants to know of it again. */
export interface MessageLabels {
  /** The named class of mail that it belongs to, such as `receipts`. */
  readonly stream: string | undefined;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
}

export interface MessageLabelsInput {
  /** 1 to 63 of `a-z`, `0-9` and inner hyphens. A recipient can unsubscribe from one stream alone. */
  readonly stream?: string | undefined;
  /** At most 10, each 1 to 64 of letters, digits and `. _ : -`. */
  readonly tags?: readonly string[] | undefined;
  /** A JSON object of at most 4 kB, kept with the message and given back with it; it goes with the content. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

const TAGS_LIMIT = 10;
const TAG = /^[A-Za-z0-9._:-]{1,64}$/;
const METADATA_LIMIT = 4_096;

/** @param at JSON pointer to the message @throws InvalidInput with a pointer */
export function parseLabels({ stream, tags = [], metadata }: MessageLabelsInput, at = ''): MessageLabels {
  return {
    stream: stream === undefined ? undefined : parseStream(stream, `${at}/stream`),
    tags: parseTags(tags, `${at}/tags`),
    metadata: metadata === undefined ? undefined : parseMetadata(metadata, `${at}/metadata`),
  };
}

/** @throws InvalidInput */
export function parseStream(text: string, pointer = '/stream'): string {
  if (!isSlug(text)) throw new InvalidInput('A stream is 1 to 63 of a-z, 0-9 and inner hyphens, such as receipts.', pointer);
  return text;
}

/** @throws InvalidInput */
export function parseTag(tag: string, pointer = '/tag'): string {
  if (!TAG.test(tag)) throw new InvalidInput('A tag is 1 to 64 of letters, digits and . _ : -', pointer);
  return tag;
}

function parseTags(tags: readonly string[], pointer: string): readonly string[] {
  if (tags.length > TAGS_LIMIT) throw new InvalidInput(`A message has at most ${TAGS_LIMIT} tags.`, pointer);
  return [...new Set(tags.map((tag, index) => parseTag(tag, `${pointer}/${index}`)))];
}

function parseMetadata(metadata: Readonly<Record<string, unknown>>, pointer: string): Readonly<Record<string, unknown>> {
  const parsed = storableJson(metadata, pointer);
  if (Buffer.byteLength(JSON.stringify(parsed)) > METADATA_LIMIT)
    throw new InvalidInput('The metadata is larger than 4 kB.', pointer);
  return parsed;
}
