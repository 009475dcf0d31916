export type DnsType = 'TXT' | 'MX' | 'A' | 'AAAA' | 'PTR';

/** What a question to the DNS came to. `failed` says nothing about the records: the same question may succeed later. */
export type DnsAnswer =
  | { readonly kind: 'found'; readonly values: readonly string[] }
  | { readonly kind: 'absent'; readonly why: 'no_name' | 'no_record' }
  | { readonly kind: 'failed'; readonly why: 'timeout' | 'server_failure' | 'refused' | 'unreachable' };

/** Asks the domain name system. Never rejects: a resolver that is away is an answer of the kind `failed`. */
export interface Dns {
  /**
   * TXT: one text per record, its strings joined. MX: `10 mail.example.com`. PTR: `name` is the address.
   * Names in answers are in lower case and have no dot at their end; the null MX of RFC 7505 is `0 .`.
   */
  ask(name: string, type: DnsType): Promise<DnsAnswer>;
}

export type DnsFailure = Exclude<DnsAnswer, { readonly kind: 'found' }>;

/** An answer without records, in words. */
export function inWords({ kind, why }: DnsFailure, name: string, type: DnsType): string {
  if (kind === 'absent')
    return why === 'no_name' ? `${name} does not exist (NXDOMAIN)` : `${name} exists, but has no ${type} record`;
  const reasons = {
    timeout: 'the name server did not answer in time',
    server_failure: 'the name server answered SERVFAIL',
    refused: 'the name server refused the question',
    unreachable: 'the name server cannot be reached',
  };
  return `${type} of ${name}: ${reasons[why]}`;
}

/** What to do about a question that failed. */
export const ASK_AGAIN = 'Check again later. If this stays, correct the name servers of the domain.';
