import { ASK_AGAIN, type Dns, inWords } from './dns.ts';
import type { Finding, FindingLevel } from './finding.ts';
import { readSpf, type SpfPolicy } from './spf.ts';

/** @param addresses public ones that mail leaves from, as far as they are known */
export async function checkSpf(dns: Dns, domain: string, addresses: readonly string[]): Promise<Finding> {
  const wanted =
    addresses.length === 0 ? 'one record that allows the servers that send' : `one record that allows ${addresses.join(', ')}`;
  const told = (level: FindingLevel, found: string, advice: string): Finding => ({
    about: 'spf',
    level,
    host: domain,
    found,
    wanted,
    advice,
  });
  const outcome = await readSpf(dns, domain);
  if (outcome.kind === 'failed') return told('warn', inWords(outcome.answer, outcome.name, 'TXT'), ASK_AGAIN);
  if (outcome.kind === 'none') {
    const found = outcome.answer.kind === 'found' ? `${domain} has no SPF record` : inWords(outcome.answer, domain, 'TXT');
    // A relay that puts a return path of its own into the envelope has its own record.
    return told('warn', found, `Publish a TXT record such as "v=spf1 include:<record of your relay> -all"${ips(addresses)}.`);
  }
  if (outcome.kind === 'permanent_error')
    return told(
      'fail',
      `${outcome.record}: ${outcome.reason}`,
      'Correct the record. Receivers treat it as an error for every message.',
    );
  return judged(outcome.policy, addresses, told);
}

const ips = (addresses: readonly string[]): string =>
  addresses.length === 0
    ? ''
    : `, or with ${addresses.map((one) => `${one.includes(':') ? 'ip6' : 'ip4'}:${one}`).join(' ')} for a server of your own`;

function judged(
  policy: SpfPolicy,
  addresses: readonly string[],
  told: (level: FindingLevel, found: string, advice: string) => Finding,
): Finding {
  const { record, lookups, fallback } = policy;
  const found = `${record} (${lookups} of 10 lookups)`;
  if (fallback === 'pass') return told('fail', found, 'Remove +all: with it, every server of the world may send for the domain.');
  const refused = addresses.filter((address) => policy.resultFor(address) !== 'pass');
  if (refused.length > 0)
    return told(
      'warn',
      `${found}; ${refused.map((one) => `${one}: ${policy.resultFor(one)}`).join(', ')}`,
      'Add the include that your relay documents, or the address of your own server. Ignore this if the relay sends from other addresses.',
    );
  if (policy.usesPtr) return told('warn', found, 'Replace ptr: RFC 7208 advises against it, and some receivers ignore it.');
  if (fallback === 'neutral') return told('warn', found, 'End the record with -all or ~all. Without it, it forbids nothing.');
  return told('pass', found, '');
}
