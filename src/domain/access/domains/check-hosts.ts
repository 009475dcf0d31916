import { ASK_AGAIN, type Dns, inWords } from './dns.ts';
import type { Finding, FindingLevel } from './finding.ts';
import { isPublicAddress, parseAddress } from './network-range.ts';
import { exchangesIn } from './spf.ts';

/**
 * Bounces and replies go to the author's domain: it must take mail (RFC 5321 section 5.1). A domain that does not exist is refused by
 * most receivers as a return path.
 */
export async function checkReturnPath(dns: Dns, domain: string): Promise<readonly Finding[]> {
  const told = (about: 'return_path' | 'mx', level: FindingLevel, found: string, advice: string): Finding => ({
    about,
    level,
    host: domain,
    found,
    wanted: about === 'mx' ? 'MX hosts that have an address' : 'a domain that takes mail: bounces and replies come back to it',
    advice,
  });
  const answer = await dns.ask(domain, 'MX');
  if (answer.kind === 'failed') return [told('return_path', 'warn', inWords(answer, domain, 'MX'), ASK_AGAIN)];
  if (answer.kind === 'absent') {
    const addresses = await addressesOf(dns, domain);
    if (addresses.failed) return [told('return_path', 'warn', `the addresses of ${domain} could not be read`, ASK_AGAIN)];
    if (addresses.values.length === 0)
      return [
        told(
          'return_path',
          'fail',
          inWords(answer, domain, 'MX'),
          'Publish an MX record: many receivers refuse authors of a domain without.',
        ),
      ];
    return [
      told(
        'return_path',
        'warn',
        `no MX record; mail goes to ${domain} itself`,
        'Publish an MX record that names the host that takes mail.',
      ),
    ];
  }
  const exchanges = exchangesIn(answer);
  if (exchanges.length === 0)
    return [
      told(
        'return_path',
        'warn',
        'the null MX: the domain takes no mail',
        'Bounces and replies are lost. Publish an MX record of a mailbox.',
      ),
    ];
  const found = [...exchanges].sort().join(', ');
  const looked = await Promise.all(exchanges.map(async (host) => ({ host, ...(await addressesOf(dns, host)) })));
  const dead = looked.filter(({ failed, values }) => !failed && values.length === 0).map(({ host }) => host);
  const unread = looked.filter(({ failed }) => failed).map(({ host }) => host);
  const mx =
    dead.length > 0
      ? told(
          'mx',
          'warn',
          `${found}; without an address: ${dead.join(', ')}`,
          'Correct the MX record: a host name with an A or AAAA record.',
        )
      : unread.length > 0
        ? told('mx', 'warn', `${found}; could not be read: ${unread.join(', ')}`, ASK_AGAIN)
        : told('mx', 'pass', found, '');
  return [told('return_path', 'pass', 'the domain of the author, aligned with it', ''), mx];
}

/** Receivers want a name for the address that mail comes from, and that name to lead back to it. */
export async function checkPtr(dns: Dns, address: string): Promise<Finding> {
  const told = (level: FindingLevel, found: string, advice: string): Finding => ({
    about: 'ptr',
    level,
    host: address,
    found,
    wanted: 'a name that leads back to the address',
    advice,
  });
  const answer = await dns.ask(address, 'PTR');
  if (answer.kind === 'failed') return told('warn', inWords(answer, address, 'PTR'), ASK_AGAIN);
  if (answer.kind === 'absent')
    return told('warn', inWords(answer, address, 'PTR'), 'Ask the owner of the address for a PTR record.');
  for (const name of answer.values) {
    const { values } = await addressesOf(dns, name);
    if (values.includes(address)) return told('pass', name, '');
  }
  return told(
    'warn',
    answer.values.join(', '),
    'The name does not lead back to the address. Give it an A or AAAA record with the address.',
  );
}

/** The public addresses of the hosts that mail is handed to; those of this machine and of private networks say nothing. */
export async function publicAddressesOf(dns: Dns, hosts: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    hosts.map(async (host) => (parseAddress(host) === undefined ? (await addressesOf(dns, host)).values : [host])),
  );
  return [...new Set(found.flat())].filter(isPublicAddress).sort();
}

async function addressesOf(dns: Dns, host: string): Promise<{ readonly values: readonly string[]; readonly failed: boolean }> {
  const answers = await Promise.all([dns.ask(host, 'A'), dns.ask(host, 'AAAA')]);
  const values = answers.flatMap((answer) => (answer.kind === 'found' ? answer.values : []));
  return { values, failed: values.length === 0 && answers.some(({ kind }) => kind === 'failed') };
}
