import type { Id } from '../../shared/ids.ts';
import { checkPtr, checkReturnPath, publicAddressesOf } from './check-hosts.ts';
import { checkSpf } from './check-spf.ts';
import { type DkimKey, keyStatus } from './dkim-key.ts';
import { findKey } from './dkim-record.ts';
import { checkDmarc } from './dmarc.ts';
import type { Dns } from './dns.ts';
import type { Finding, FindingLevel } from './finding.ts';
import type { SendingDomain } from './sending-domain.ts';

export interface DomainCheck {
  readonly findings: readonly Finding[];
  /** Keys that the DNS shows exactly. */
  readonly shown: ReadonlySet<Id>;
}

/** A host that is not of the internet: `localhost`, or a name of one label. */
const isLocalName = (host: string): boolean => !host.includes('.') && !host.includes(':');

/**
 * Looks at everything that receivers look at.
 * @param facts.author domain of the author; default: the sending domain itself
 * @param facts.hosts that mail is handed to, as far as they are known
 */
export async function checkDomain(
  dns: Dns,
  domain: SendingDomain,
  facts: { readonly hosts: readonly string[]; readonly now: Date; readonly author?: string | undefined },
): Promise<DomainCheck> {
  const { name } = domain;
  const author = facts.author ?? name;
  const addresses = await publicAddressesOf(
    dns,
    facts.hosts.filter((host) => !isLocalName(host)),
  );
  const [keys, dmarc, spf, returnPath, ptr] = await Promise.all([
    checkKeys(dns, domain, facts.now),
    checkDmarc(dns, author, name),
    // The return path is the author's address.
    checkSpf(dns, author, addresses),
    checkReturnPath(dns, author),
    Promise.all(addresses.map((address) => checkPtr(dns, address))),
  ]);
  return { findings: [...keys.findings, dmarc, spf, ...returnPath, ...ptr], shown: keys.shown };
}

/** The keys alone: what a rotation waits for. */
async function checkKeys(dns: Dns, domain: SendingDomain, now: Date): Promise<DomainCheck> {
  const looked = await Promise.all(
    domain.keys.map(async (key) => {
      const status = keyStatus(key, now);
      return status === 'retired'
        ? undefined
        : { key, ...(await findKey(dns, domain.name, key, status, lackOf(domain, key, now))) };
    }),
  );
  const found = looked.filter((one) => one !== undefined);
  return {
    findings: found.map(({ finding }) => finding),
    shown: new Set(found.flatMap(({ key, shown }) => (shown ? [key.id] : []))),
  };
}

/** How grave it is that a key is not published: mail fails only without the one that signs for all receivers. */
function lackOf(domain: SendingDomain, key: DkimKey, now: Date): FindingLevel {
  const status = keyStatus(key, now);
  if (status === 'active') return 'fail';
  const signs = domain.keys.some((other) => other.algorithm === 'rsa-sha256' && keyStatus(other, now) === 'active');
  return status === 'pending' && !signs && key.algorithm === 'rsa-sha256' ? 'fail' : 'warn';
}
