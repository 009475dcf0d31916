import { Resolver } from 'node:dns/promises';
import type { Dns, DnsAnswer, DnsType } from '../../domain/access/index.ts';

/** Answers of name servers that are slower are rare; each question is asked twice. */
const TIMEOUT_MS = 2_000;
const TRIES = 2;

/** Asks the name servers of this machine, without a cache of its own. */
export class SystemDns implements Dns {
  readonly #resolver: Resolver;

  /** @param servers in place of those of the machine: `192.0.2.1` or `192.0.2.1:5353` */
  constructor(servers?: readonly string[]) {
    this.#resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
    if (servers !== undefined) this.#resolver.setServers(servers);
  }

  async ask(name: string, type: DnsType): Promise<DnsAnswer> {
    try {
      const values = await this.#values(name, type);
      return values.length === 0 ? { kind: 'absent', why: 'no_record' } : { kind: 'found', values };
    } catch (error) {
      return answerFor(error);
    }
  }

  async #values(name: string, type: DnsType): Promise<readonly string[]> {
    switch (type) {
      case 'TXT':
        return (await this.#resolver.resolveTxt(name)).map((strings) => strings.join(''));
      case 'MX':
        return (await this.#resolver.resolveMx(name)).map(({ priority, exchange }) => `${priority} ${plain(exchange) || '.'}`);
      case 'A':
        return this.#resolver.resolve4(name);
      case 'AAAA':
        return this.#resolver.resolve6(name);
      case 'PTR':
        return (await this.#resolver.reverse(name)).map(plain);
    }
  }
}

const plain = (name: string): string => name.toLowerCase().replace(/\.$/, '');

/** Codes of c-ares: a question that cannot be asked (a name of empty or overlong labels) finds no name. */
function answerFor(error: unknown): DnsAnswer {
  switch ((error as { code?: unknown }).code) {
    case 'ENOTFOUND':
    case 'EBADNAME':
      return { kind: 'absent', why: 'no_name' };
    case 'ENODATA':
      return { kind: 'absent', why: 'no_record' };
    case 'ETIMEOUT':
    case 'ECANCELLED':
      return { kind: 'failed', why: 'timeout' };
    case 'EREFUSED':
      return { kind: 'failed', why: 'refused' };
    case 'ECONNREFUSED':
      return { kind: 'failed', why: 'unreachable' };
    default:
      return { kind: 'failed', why: 'server_failure' };
  }
}
