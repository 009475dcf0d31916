import { InvalidInput } from '../shared/errors.ts';
import { nearestName } from '../shared/nearest-name.ts';

interface ReceivingGroup {
  readonly name: string;
  readonly domains: RegExp;
  /** Domains of the group, and near ones that are not; they are the test of the row. */
  readonly examples: readonly string[];
  readonly others: readonly string[];
}

/** Large receivers with many domains. A domain that is hosted there under another name is not recognised: that takes its MX record. */
export const RECEIVING_GROUPS: readonly ReceivingGroup[] = [
  {
    name: 'gmail',
    domains: /^(?:gmail|googlemail)\.com$/,
    examples: ['gmail.com', 'googlemail.com'],
    others: ['gmail.co', 'google.com'],
  },
  {
    name: 'microsoft',
    domains: /^(?:(?:outlook|hotmail|live)\.(?:[a-z]{2,3}|com?\.[a-z]{2})|msn\.com|passport\.com|windowslive\.com)$/,
    examples: ['outlook.com', 'hotmail.co.uk', 'live.nl', 'msn.com', 'outlook.com.au'],
    others: ['microsoft.com', 'outlook.example.com'],
  },
  {
    name: 'yahoo',
    // yahoo.co.jp is another company with servers of its own.
    domains:
      /^(?:yahoo\.(?!co\.jp$)(?:[a-z]{2,3}|com?\.[a-z]{2})|(?:ymail|rocketmail|myyahoo|aol|aim|netscape)\.com|aol\.[a-z]{2})$/,
    examples: ['yahoo.com', 'yahoo.co.uk', 'yahoo.com.br', 'ymail.com', 'aol.com', 'aol.de'],
    others: ['yahoo.co.jp', 'yahooinc.com'],
  },
  { name: 'apple', domains: /^(?:icloud|me|mac)\.com$/, examples: ['icloud.com', 'me.com', 'mac.com'], others: ['apple.com'] },
];

/** The group of a receiving domain; undefined for one that stands for itself. */
export function receivingGroupOf(domain: string): string | undefined {
  return RECEIVING_GROUPS.find(({ domains }) => domains.test(domain))?.name;
}

const DOMAIN = /^(?=.{3,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$/;

/** What a route is for: the name of a group (`gmail`) or one domain (`example.org`). @throws InvalidInput */
export function parseReceivingGroup(text: string): string {
  const given = text.trim().toLowerCase();
  const names = RECEIVING_GROUPS.map(({ name }) => name);
  if (names.includes(given) || DOMAIN.test(given)) return given;
  const meant = nearestName(given, names);
  throw new InvalidInput(
    `A receiving group is ${names.join(', ')} or a domain such as example.org.${meant === undefined ? '' : ` Did you mean ${meant}?`}`,
    '/receivingGroup',
  );
}

/** Whether mail to this domain is mail to the group or domain. */
export const receives = (receivingGroup: string, domain: string): boolean =>
  receivingGroup === domain || receivingGroup === receivingGroupOf(domain);
