import { type DkimKey, type DkimKeyStatus, recordOf } from './dkim-key.ts';
import { ASK_AGAIN, type Dns, inWords } from './dns.ts';
import type { Finding, FindingLevel } from './finding.ts';

export interface KeyFound {
  readonly finding: Finding;
  /** The DNS shows exactly this key. */
  readonly shown: boolean;
}

/** Compares what is published for a key with the key (RFC 6376 section 3.6.1). @param lacking how grave a missing record is */
export async function findKey(
  dns: Dns,
  domain: string,
  key: DkimKey,
  status: DkimKeyStatus,
  lacking: FindingLevel,
): Promise<KeyFound> {
  const host = `${key.selector}._domainkey.${domain}`;
  const wanted = recordOf(key);
  const told = (level: FindingLevel, found: string, advice: string, shown = false): KeyFound => ({
    finding: { about: 'dkim', level, host, found, wanted, advice },
    shown,
  });
  const answer = await dns.ask(host, 'TXT');
  if (answer.kind === 'failed') return told('warn', inWords(answer, host, 'TXT'), ASK_AGAIN);
  if (answer.kind === 'absent') {
    const keep = status === 'retiring' ? 'Mail on its way still needs this record: publish it again.' : '';
    return told(
      lacking,
      inWords(answer, host, 'TXT'),
      keep || 'Publish this TXT record. A new record may take some minutes to show.',
    );
  }
  const [record = '', ...others] = answer.values;
  if (others.length > 0)
    return told(lacking, `${answer.values.length} TXT records`, 'Keep one TXT record at this name and remove the others.');
  const fault = faultOf(record, key);
  if (fault !== undefined) return told(lacking, shortened(record), fault);
  if (tagsOf(record).get('t')?.split(':').includes('y') === true)
    return told('warn', shortened(record), 'Remove t=y: receivers may ignore signatures of a domain in test mode.', true);
  return told('pass', shortened(record), '', true);
}

/** What is wrong with a record, as advice; undefined when it publishes this key. */
function faultOf(record: string, { algorithm, publicKey }: DkimKey): string | undefined {
  if (/["\\]/.test(record))
    return 'The value contains quotation marks or backslashes. Enter it without them, or as whole quoted strings with nothing between.';
  const tags = tagsOf(record);
  const kind = algorithm === 'rsa-sha256' ? 'rsa' : 'ed25519';
  if ((tags.get('v') ?? 'DKIM1') !== 'DKIM1') return 'The record must begin with v=DKIM1.';
  if (!tags.has('p')) return 'The record has no p= tag. Publish the whole value.';
  if (tags.get('p') === '') return 'p= is empty, which means that the key is revoked. Publish the whole value.';
  if ((tags.get('k') ?? 'rsa') !== kind) return `The record says k=${tags.get('k') ?? 'rsa'}; this key is k=${kind}.`;
  if (tags.get('h')?.split(':').includes('sha256') === false) return 'h= excludes sha256. Remove the tag.';
  const services = tags.get('s')?.split(':') ?? ['*'];
  if (!services.includes('*') && !services.includes('email')) return 's= excludes e-mail. Remove the tag.';
  const published = tags.get('p') ?? '';
  if (published === publicKey) return undefined;
  return publicKey.startsWith(published)
    ? 'The key is cut off. The value is longer than 255 characters: enter it as several quoted strings of one record.'
    : 'The record publishes another key. Replace its value.';
}

/** Tags of a record; white space has no meaning in any of them. */
function tagsOf(record: string): ReadonlyMap<string, string> {
  return new Map(
    record.split(';').flatMap((tag): [string, string][] => {
      const at = tag.indexOf('=');
      return at < 0 ? [] : [[tag.slice(0, at).trim(), tag.slice(at + 1).replace(/\s+/g, '')]];
    }),
  );
}

const shortened = (record: string): string => (record.length > 120 ? `${record.slice(0, 117)}...` : record);
