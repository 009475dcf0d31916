import { parseEmailAddress } from '../shared/email-address.ts';
import { InvalidInput } from '../shared/errors.ts';

/** A rejected row with more addresses is kept without its cells: no erasure could be sure of having found them all. */
const MOST_ADDRESSES = 50;
/** Local parts have at most 64 octets, domains 255. */
const CANDIDATE = /([^\s@<>()[\]\\,;:"]{1,64})@([\p{L}\p{M}\p{N}.-]{1,255})/gu;
/** Characters that are legal in a local part, and yet often only stand before an address in running text. */
const MAY_STAND_BEFORE = /[^\p{L}\p{M}\p{N}._%+-]/gu;

/**
 * The keys of all addresses that stand anywhere in these texts, in any writing: `Ada <ADA@bücher.example>`, `mailto:`,
 * `'ada@example.com'`. Rather one too many than one too few, for they serve to forget people. Undefined when there are
 * more than 50.
 */
export function addressesIn(texts: readonly string[]): readonly string[] | undefined {
  const keys = new Set<string>();
  for (const text of texts.flatMap(readingsOf)) {
    for (const [, local = '', run = ''] of text.matchAll(CANDIDATE)) {
      const domain = run.replace(/\.[.-].*$|[.-]+$/u, '');
      for (const start of startsOf(local)) {
        const key = keyOf(`${local.slice(start)}@${domain}`);
        if (key !== undefined) keys.add(key);
        if (keys.size > MOST_ADDRESSES) return undefined;
      }
    }
  }
  return [...keys];
}

/** As it stands, and as people and links mean it: `ada%40example.com`, `ada @ example.com`, wide characters, invisible ones within. */
function readingsOf(text: string): readonly string[] {
  const meant = text
    .replace(/%40|&#0*64;|&#x0*40;|&commat;/gi, '@')
    .normalize('NFKC')
    .replace(/\p{Cf}/gu, '')
    .replace(/"?\s{0,3}@\s{0,3}/g, '@');
  return meant === text ? [text] : [text, meant];
}

/** `name=ada` may be the whole local part, or end in one. */
function startsOf(local: string): readonly number[] {
  return [0, ...[...local.matchAll(MAY_STAND_BEFORE)].map((match) => match.index + match[0].length)];
}

function keyOf(address: string): string | undefined {
  try {
    return parseEmailAddress(address.replace(/^\.+/, '')).key;
  } catch (error) {
    if (error instanceof InvalidInput) return undefined;
    throw error;
  }
}
