import { isWithin } from '../domain-name.ts';
import { ASK_AGAIN, type Dns, type DnsAnswer, inWords } from './dns.ts';
import type { Finding, FindingLevel } from './finding.ts';

/** RFC 9989 section 4.10: a tree walk asks at most eight names. */
const MOST_QUERIES = 8;
/** RFC 9989 removed them; receivers ignore them. */
const REMOVED_TAGS = ['pct', 'rf', 'ri'];
const POLICIES = ['none', 'quarantine', 'reject'];

interface PublishedRecord {
  readonly domain: string;
  readonly text: string;
  readonly tags: ReadonlyMap<string, string>;
}

interface Walk {
  readonly records: readonly PublishedRecord[];
  /** Names with more than one record: they count as without. */
  readonly ambiguous: readonly string[];
  readonly failed: { readonly name: string; readonly answer: Extract<DnsAnswer, { readonly kind: 'failed' }> } | undefined;
}

/** The names that a walk asks, from the domain upwards; a long name continues with its last seven labels. */
function namesUpwards(domain: string): readonly string[] {
  const labels = domain.split('.');
  const names = [domain];
  for (let from = Math.max(1, labels.length - (MOST_QUERIES - 1)); from < labels.length; from += 1)
    names.push(labels.slice(from).join('.'));
  return names.slice(0, MOST_QUERIES);
}

async function walk(dns: Dns, domain: string): Promise<Walk> {
  const records: PublishedRecord[] = [];
  const ambiguous: string[] = [];
  for (const name of namesUpwards(domain)) {
    const answer = await dns.ask(`_dmarc.${name}`, 'TXT');
    if (answer.kind === 'failed') return { records, ambiguous, failed: { name: `_dmarc.${name}`, answer } };
    const texts = answer.kind === 'found' ? answer.values.filter((text) => /^v\s*=\s*DMARC1\s*(;|$)/.test(text)) : [];
    if (texts.length > 1) ambiguous.push(`_dmarc.${name}`);
    if (texts.length !== 1) continue;
    const tags = tagsOf(texts[0]!);
    records.push({ domain: name, text: texts[0]!, tags });
    const psd = tags.get('psd');
    if (psd === 'n' || (psd === 'y' && name !== domain)) break;
  }
  return { records, ambiguous, failed: undefined };
}

/** RFC 9989 section 4.10.2: a record with `psd=n`, or the name below one with `psd=y`, or the shortest name with a record. */
function organizationOf(domain: string, { records }: Walk): string {
  const own = records.find(({ tags }) => tags.get('psd') === 'n');
  if (own !== undefined) return own.domain;
  const suffix = records.find((record) => record.tags.get('psd') === 'y' && record.domain !== domain);
  if (suffix !== undefined)
    return domain
      .split('.')
      .slice(-(suffix.domain.split('.').length + 1))
      .join('.');
  return records.at(-1)?.domain ?? domain;
}

/**
 * Checks the DMARC policy of an author's domain, found as receivers find it, and that signatures of `signing` are aligned with it.
 * @param author the domain of the From field, `signing` or a subdomain of it
 */
export async function checkDmarc(dns: Dns, author: string, signing: string): Promise<Finding> {
  const wanted = 'v=DMARC1; p=none, quarantine or reject';
  const host = `_dmarc.${author}`;
  const told = (level: FindingLevel, found: string, advice: string): Finding => ({
    about: 'dmarc',
    level,
    host,
    found,
    wanted,
    advice,
  });
  const walked = await walk(dns, author);
  const { records, ambiguous, failed } = walked;
  const policy = records.find(({ domain }) => domain === author) ?? records.at(-1);
  if (failed !== undefined && policy === undefined) return told('warn', inWords(failed.answer, failed.name, 'TXT'), ASK_AGAIN);
  if (policy === undefined) {
    if (ambiguous.length > 0)
      return told(
        'fail',
        `several DMARC records at ${ambiguous.join(', ')}, which count as none`,
        'Keep one record and remove the others.',
      );
    return told('fail', `no DMARC record at ${host} or above it`, `Publish a TXT record at ${host}: v=DMARC1; p=none`);
  }
  const found = policy.domain === author ? policy.text : `${policy.text} (of _dmarc.${policy.domain})`;
  const asked = effectivePolicy(policy, author);
  if (!POLICIES.includes(asked))
    return told('fail', found, 'The record needs p= with none, quarantine or reject. Receivers ignore it otherwise.');
  const aligned = policy.tags.get('adkim') === 's' ? author === signing : isWithin(signing, organizationOf(author, walked));
  if (!aligned)
    return told(
      'fail',
      found,
      `Signatures of ${signing} are not aligned with ${author}. Add ${author} as a sending domain, or remove adkim=s and psd=n.`,
    );
  const removed = REMOVED_TAGS.filter((tag) => policy.tags.has(tag));
  if (removed.length > 0)
    return told(
      'warn',
      found,
      `Remove ${removed.map((tag) => `${tag}=`).join(', ')}: RFC 9989 has no such tags, and receivers ignore them.`,
    );
  return told('pass', found, '');
}

/** Of a record above the author's domain, `sp` counts before `p`. `np` is for domains that do not exist. */
function effectivePolicy({ domain, tags }: PublishedRecord, author: string): string {
  const policy = ((domain === author ? undefined : tags.get('sp')) ?? tags.get('p') ?? '').toLowerCase();
  // RFC 9989 section 4.10.1: a record that asks for reports counts without a valid policy.
  return !POLICIES.includes(policy) && tags.has('rua') ? 'none' : policy;
}

const tagsOf = (record: string): ReadonlyMap<string, string> =>
  new Map(
    record.split(';').flatMap((tag): [string, string][] => {
      const at = tag.indexOf('=');
      return at < 0 ? [] : [[tag.slice(0, at).trim().toLowerCase(), tag.slice(at + 1).trim()]];
    }),
  );
