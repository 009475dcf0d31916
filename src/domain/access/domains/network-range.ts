/** An address as a number, with its width in bits; undefined for other texts. */
interface ParsedAddress {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

export function parseAddress(text: string): ParsedAddress | undefined {
  return text.includes(':') ? parseSix(text) : parseFour(text);
}

function parseFour(text: string): ParsedAddress | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined;
  return { bits: 32, value: parts.reduce((value, part) => value * 256n + BigInt(part), 0n) };
}

function parseSix(text: string): ParsedAddress | undefined {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const four = tail === null ? undefined : parseFour(tail[2]!);
  if (tail !== null && four === undefined) return undefined;
  const written = tail === null ? text : `${tail[1]}${(four!.value >> 16n).toString(16)}:${(four!.value & 0xffffn).toString(16)}`;
  const [left = '', right, ...more] = written.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const before = groups(left);
  const after = groups(right ?? '');
  const gap = right === undefined ? 0 : 8 - before.length - after.length;
  const all = [...before, ...Array<string>(Math.max(gap, 0)).fill('0'), ...after];
  if (more.length > 0 || all.length !== 8 || !all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return { bits: 128, value: all.reduce((value, group) => value * 65_536n + BigInt(`0x${group}`), 0n) };
}

/** Whether an address is inside `network` (an address, with or without a prefix length). False for texts that are neither. */
export function isInNetwork(address: string, network: string, prefix?: number): boolean {
  const [base = '', length] = network.split('/');
  const one = parseAddress(address);
  const other = parseAddress(base);
  if (one === undefined || other === undefined || one.bits !== other.bits) return false;
  const kept = prefix ?? (length === undefined ? one.bits : Number(length));
  if (!Number.isInteger(kept) || kept < 0 || kept > one.bits) return false;
  const shift = BigInt(one.bits - kept);
  return one.value >> shift === other.value >> shift;
}

const PRIVATE = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '::/127',
  'fc00::/7',
  'fe80::/10',
];

/** Whether receivers on the internet can see mail come from this address. */
export const isPublicAddress = (address: string): boolean =>
  parseAddress(address) !== undefined && !PRIVATE.some((network) => isInNetwork(address, network));
