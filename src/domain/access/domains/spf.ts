import type { Dns, DnsAnswer } from './dns.ts';
import { isInNetwork, parseAddress } from './network-range.ts';

/** RFC 7208 section 4.6.4. */
const MOST_LOOKUPS = 10;
const MOST_VOID_LOOKUPS = 2;
/** Of one `mx` mechanism. */
const MOST_HOSTS = 10;

export type SpfResult = 'pass' | 'fail' | 'softfail' | 'neutral';

/** A record that was followed to its end. */
export interface SpfPolicy {
  readonly record: string;
  /** Questions that a receiver has to ask at most. */
  readonly lookups: number;
  readonly usesPtr: boolean;
  readonly hasMacros: boolean;
  /** Of an address that no other mechanism matches. */
  readonly fallback: SpfResult;
  resultFor(address: string): SpfResult;
}

export type SpfOutcome =
  | { readonly kind: 'policy'; readonly policy: SpfPolicy }
  | { readonly kind: 'none'; readonly answer: Exclude<DnsAnswer, { readonly kind: 'failed' }> }
  /** RFC 7208 section 2.6.7: receivers treat it like a fault of the sender, whatever the address. */
  | { readonly kind: 'permanent_error'; readonly reason: string; readonly record: string }
  | { readonly kind: 'failed'; readonly name: string; readonly answer: Extract<DnsAnswer, { readonly kind: 'failed' }> };

type Matcher = (address: string) => boolean;

interface Compiled {
  readonly record: string;
  readonly terms: readonly { readonly result: SpfResult; readonly matches: Matcher }[];
  readonly fallback: SpfResult;
}

/** What one evaluation has used up, over all records that it follows. */
interface Budget {
  lookups: number;
  voids: number;
  usesPtr: boolean;
  hasMacros: boolean;
}

class PermanentError extends Error {
  readonly record: string;
  constructor(reason: string, record: string) {
    super(reason);
    this.record = record;
  }
}

class LookupFailed extends Error {
  readonly asked: string;
  readonly answer: Extract<DnsAnswer, { readonly kind: 'failed' }>;
  constructor(asked: string, answer: Extract<DnsAnswer, { readonly kind: 'failed' }>) {
    super(answer.why);
    this.asked = asked;
    this.answer = answer;
  }
}

/**
 * Reads the SPF record of a domain with all that it includes. Every mechanism is followed, also those behind a match, so the lookups
 * are those of the worst address. Mechanisms with macros depend on the single message: they count and match nothing here.
 */
export async function readSpf(dns: Dns, domain: string): Promise<SpfOutcome> {
  const budget: Budget = { lookups: 0, voids: 0, usesPtr: false, hasMacros: false };
  try {
    const answer = await dns.ask(domain, 'TXT');
    if (answer.kind === 'failed') return { kind: 'failed', name: domain, answer };
    const records = recordsIn(answer);
    if (records.length === 0) return { kind: 'none', answer };
    const compiled = await compile(dns, domain, records, budget);
    const { lookups, usesPtr, hasMacros } = budget;
    return {
      kind: 'policy',
      policy: {
        record: compiled.record,
        lookups,
        usesPtr,
        hasMacros,
        fallback: compiled.fallback,
        resultFor: (address) => resultOf(compiled, address),
      },
    };
  } catch (error) {
    if (error instanceof PermanentError) return { kind: 'permanent_error', reason: error.message, record: error.record };
    if (error instanceof LookupFailed) return { kind: 'failed', name: error.asked, answer: error.answer };
    throw error;
  }
}

const recordsIn = (answer: DnsAnswer): readonly string[] =>
  answer.kind === 'found' ? answer.values.filter((text) => /^v=spf1( |$)/i.test(text)) : [];

const resultOf = ({ terms, fallback }: Compiled, address: string): SpfResult =>
  terms.find(({ matches }) => matches(address))?.result ?? fallback;

const RESULTS: Readonly<Record<string, SpfResult>> = { '+': 'pass', '-': 'fail', '~': 'softfail', '?': 'neutral' };
const TERM = /^([-+~?]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?:([:/])(.*))?$/i;

async function compile(dns: Dns, domain: string, records: readonly string[], budget: Budget): Promise<Compiled> {
  const [record = '', ...others] = records;
  if (others.length > 0) throw new PermanentError(`${domain} has ${records.length} SPF records; one is allowed`, record);
  const terms: { result: SpfResult; matches: Matcher }[] = [];
  let fallback: SpfResult | undefined;
  let redirect: string | undefined;
  for (const word of record.split(/ +/).slice(1).filter(Boolean)) {
    const modifier = /^([a-z][\w.-]*)=(.*)$/i.exec(word);
    if (modifier !== null) {
      if (modifier[1]!.toLowerCase() === 'redirect') redirect = modifier[2]!;
      continue;
    }
    const found = TERM.exec(word);
    if (found === null) throw new PermanentError(`"${word.slice(0, 60)}" of ${domain} is not an SPF mechanism`, record);
    const [, sign, name, mark, rest = ''] = found;
    const result = RESULTS[sign || '+']!;
    if (name!.toLowerCase() === 'all') {
      // RFC 7208 section 5.1: what stands behind it is ignored.
      fallback = result;
      redirect = undefined;
      break;
    }
    const argument = mark === '/' ? `/${rest}` : rest;
    terms.push({ result, matches: await matcherOf(dns, domain, name!.toLowerCase(), argument, record, budget) });
  }
  if (redirect !== undefined) {
    const target = await followed(dns, redirect, record, budget);
    if (target !== undefined) return { record, terms: [...terms, ...target.terms], fallback: target.fallback };
  }
  return { record, terms, fallback: fallback ?? 'neutral' };
}

async function matcherOf(
  dns: Dns,
  domain: string,
  name: string,
  argument: string,
  record: string,
  budget: Budget,
): Promise<Matcher> {
  switch (name) {
    case 'ip4':
    case 'ip6':
      if (parseAddress(argument.split('/')[0]!) === undefined)
        throw new PermanentError(`${name}:${argument.slice(0, 60)} of ${domain} is not an address`, record);
      return (address) => isInNetwork(address, argument);
    case 'include': {
      const target = await followed(dns, argument, record, budget);
      return target === undefined ? () => false : (address) => resultOf(target, address) === 'pass';
    }
    case 'a':
    case 'mx':
      return hostMatcher(dns, domain, name, argument, record, budget);
    default:
      // `exists` and `ptr` depend on the single message.
      count(budget, record);
      if (name === 'ptr') budget.usesPtr = true;
      else budget.hasMacros = true;
      return () => false;
  }
}

/** The record that `include` or `redirect` names; undefined where a macro names it. */
async function followed(dns: Dns, target: string, record: string, budget: Budget): Promise<Compiled | undefined> {
  count(budget, record);
  if (target.includes('%')) {
    budget.hasMacros = true;
    return undefined;
  }
  const records = recordsIn(await asked(dns, target, 'TXT', record, budget));
  // RFC 7208 section 5.2: an include of a domain without a record is an error.
  if (records.length === 0) throw new PermanentError(`${target} is included and has no SPF record`, record);
  return compile(dns, target, records, budget);
}

async function hostMatcher(
  dns: Dns,
  domain: string,
  name: 'a' | 'mx',
  argument: string,
  record: string,
  budget: Budget,
): Promise<Matcher> {
  count(budget, record);
  const [host = '', four, six] = argument.split(/\/+/);
  const target = host === '' ? domain : host;
  if (target.includes('%')) {
    budget.hasMacros = true;
    return () => false;
  }
  const hosts = name === 'a' ? [target] : exchangesIn(await asked(dns, target, 'MX', record, budget));
  if (hosts.length > MOST_HOSTS) throw new PermanentError(`${target} has more than ${MOST_HOSTS} MX hosts`, record);
  const addresses: string[] = [];
  for (const one of hosts) {
    const answers = await Promise.all([dns.ask(one, 'A'), dns.ask(one, 'AAAA')]);
    for (const answer of answers) {
      if (answer.kind === 'failed') throw new LookupFailed(one, answer);
      if (answer.kind === 'found') addresses.push(...answer.values);
    }
    if (name === 'a' && answers.every(({ kind }) => kind === 'absent')) countVoid(budget, record);
  }
  const prefix = (address: string): number | undefined => {
    const length = address.includes(':') ? six : four;
    return length === undefined || length === '' ? undefined : Number(length);
  };
  return (address) => addresses.some((own) => isInNetwork(address, own, prefix(address)));
}

/** The hosts of an answer for MX, the null MX left out. */
export const exchangesIn = (answer: DnsAnswer): readonly string[] =>
  answer.kind === 'found'
    ? answer.values.map((value) => value.split(' ')[1] ?? '').filter((host) => host !== '.' && host !== '')
    : [];

async function asked(
  dns: Dns,
  name: string,
  type: 'TXT' | 'MX',
  record: string,
  budget: Budget,
): Promise<Exclude<DnsAnswer, { readonly kind: 'failed' }>> {
  const answer = await dns.ask(name, type);
  if (answer.kind === 'failed') throw new LookupFailed(name, answer);
  if (answer.kind === 'absent') countVoid(budget, record);
  return answer;
}

function count(budget: Budget, record: string): void {
  budget.lookups += 1;
  if (budget.lookups > MOST_LOOKUPS)
    throw new PermanentError(`the record needs more than ${MOST_LOOKUPS} DNS lookups, which is the limit`, record);
}

function countVoid(budget: Budget, record: string): void {
  budget.voids += 1;
  if (budget.voids > MOST_VOID_LOOKUPS)
    throw new PermanentError(`more than ${MOST_VOID_LOOKUPS} lookups of the record find nothing, which is the limit`, record);
}
