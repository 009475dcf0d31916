import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { isLoopbackHost } from '../../domain/delivery/index.ts';

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** All addresses of a name, as `dns.lookup` returns them. */
export type Lookup = (host: string) => Promise<readonly ResolvedAddress[]>;

/** A host that must not be connected to, because it is or resolves to an address of this machine or its network. */
export class PrivateHostRefused extends Error {
  readonly code = 'EPRIVATE';
  constructor(host: string, address: string) {
    const which = host === address ? host : `${host} resolves to ${address}, which`;
    super(
      `${which} is not a public address. Set PENNYPOST_ALLOW_PRIVATE_HOSTS=yes to allow hosts of this machine and its network`,
    );
    this.name = 'PrivateHostRefused';
  }
}

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * True for an address that is routed on the internet. False for this machine, private and link-local networks, carrier NAT, metadata
 * services, and IPv6 forms that contain an IPv4 address (mapped, NAT64, 6to4, Teredo), by which those could be reached.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  return parsed.range() === 'unicast' && (parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_UNICAST));
}

/** Resolves names for connections, and refuses those that lead to private addresses unless they are allowed. */
export class HostGuard {
  private readonly allowsPrivate: boolean;
  private readonly lookupName: Lookup;

  constructor(options: { readonly allowsPrivate: boolean; readonly lookup?: Lookup | undefined }) {
    this.allowsPrivate = options.allowsPrivate;
    this.lookupName = options.lookup ?? ((host) => systemLookup(host, { all: true, order: 'verbatim' }));
  }

  /**
   * Resolves once. The caller connects to one of these addresses and does not resolve again, because the second answer can be another.
   * @param host a name or an address, also in the forms that only the resolver of the system reads (`127.1`, `0x7f.1`, `2130706433`)
   * @throws PrivateHostRefused when one of the addresses is private; the error of the resolver
   */
  async resolve(host: string): Promise<readonly ResolvedAddress[]> {
    const literal = host.replace(/^\[(.*)\]$/, '$1');
    // Also where the resolver here does not know the name: another may.
    if (isLoopbackHost(literal)) this.check(literal, literal);
    const family = isIP(literal);
    const found = family === 0 ? await this.lookupName(literal) : [{ address: literal, family }];
    for (const { address } of found) this.check(literal, address);
    return found;
  }

  /** `dns.lookup` for sockets. A socket asks it for names only, so literals go through `resolve` or `check` before. */
  readonly lookup: LookupFunction = (host, { all, family }, callback) => {
    this.resolve(host).then(
      (found) => {
        const wanted = family === 4 || family === 6 ? found.filter((one) => one.family === family) : found;
        const [first] = wanted;
        if (first === undefined) callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' }), '');
        else if (all === true) callback(null, [...wanted]);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    );
  };

  /** @throws PrivateHostRefused */
  check(host: string, address: string): void {
    if (!this.allowsPrivate && !isPublicAddress(address)) throw new PrivateHostRefused(host, address);
  }
}
