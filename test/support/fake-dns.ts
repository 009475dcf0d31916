import type { Dns, DnsAnswer, DnsType } from '../../src/domain/access/index.ts';

type Failure = Extract<DnsAnswer, { kind: 'failed' }>['why'];

/** A domain name system of a test's own. Names that were never set do not exist. */
export class FakeDns implements Dns {
  readonly asked: string[] = [];
  readonly #records = new Map<string, Map<DnsType, readonly string[]>>();
  readonly #failures = new Map<string, Failure>();

  set(name: string, type: DnsType, ...values: string[]): this {
    const known = this.#records.get(name) ?? new Map<DnsType, readonly string[]>();
    this.#records.set(name, known.set(type, values));
    return this;
  }

  /** The name exists, and has no such record any more. */
  unset(name: string, type: DnsType): this {
    this.#records.get(name)?.delete(type);
    return this;
  }

  /** Every question about this name fails; without a reason it is answered again. */
  fail(name: string, why: Failure | undefined): this {
    if (why === undefined) this.#failures.delete(name);
    else this.#failures.set(name, why);
    return this;
  }

  /** What a sending domain is told to publish, and what every domain with mail has. */
  publish(domain: {
    readonly name: string;
    readonly records: readonly { readonly host: string; readonly value: string }[];
  }): this {
    for (const { host, value } of domain.records) this.set(host, 'TXT', value);
    return this.set(domain.name, 'MX', `10 mx.${domain.name}`)
      .set(`mx.${domain.name}`, 'A', '198.51.100.1')
      .set(domain.name, 'TXT', 'v=spf1 mx -all');
  }

  async ask(name: string, type: DnsType): Promise<DnsAnswer> {
    this.asked.push(`${type} ${name}`);
    const why = this.#failures.get(name);
    if (why !== undefined) return { kind: 'failed', why };
    const known = this.#records.get(name);
    if (known === undefined) return { kind: 'absent', why: 'no_name' };
    const values = known.get(type) ?? [];
    return values.length === 0 ? { kind: 'absent', why: 'no_record' } : { kind: 'found', values };
  }
}
