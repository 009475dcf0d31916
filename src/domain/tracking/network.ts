/**
 * The network of an address: /24 for IPv4 (also written inside IPv6), /48 for IPv6; undefined for anything else.
 *
 * Raw events may keep the whole address for seven days (data protection: no longer than the purpose needs). Until there
 * are rules that need it and a job that cuts it after those days, the address is cut here and never reaches the disk.
 */
export function networkOf(ip: string): string | undefined {
  const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(ip);
  if (v4 !== null) {
    const octets = v4.slice(1).map(Number);
    return octets.every((octet) => octet <= 255) ? `${octets.slice(0, 3).join('.')}.0/24` : undefined;
  }
  const groups = ipv6Groups(ip);
  if (groups === undefined) return undefined;
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return `${groups[6]! >> 8}.${groups[6]! & 0xff}.${groups[7]! >> 8}.0/24`;
  return `${groups
    .slice(0, 3)
    .map((group) => group.toString(16))
    .join(':')}::/48`;
}

/** The eight groups of an IPv6 address. The URL parser reads every way of writing one, and writes them in one way. */
function ipv6Groups(ip: string): readonly number[] | undefined {
  const [address = ''] = ip.split('%'); // a zone (`fe80::1%eth0`) is no part of the address
  if (!/^[0-9a-f:.]+$/i.test(address)) return undefined;
  const host = URL.parse(`http://[${address}]/`)?.hostname;
  if (host === undefined) return undefined;
  const [head = [], tail = []] = host
    .slice(1, -1)
    .split('::')
    .map((half) => (half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16))));
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}
