import type { Id } from '../../shared/ids.ts';
import { type DkimKey, type DkimKeyStatus, keyStatus, recordOf, removableAt } from './dkim-key.ts';
import type { Finding } from './finding.ts';

export interface SendingDomainState {
  readonly projectId: Id;
  readonly id: Id;
  /** A-labels, lower case. */
  readonly name: string;
  readonly createdAt: Date;
  /** When the DNS first showed a key: proof that the project's owner rules the domain. It stays. */
  readonly verifiedAt: Date | undefined;
  readonly checkedAt: Date | undefined;
  readonly findings: readonly Finding[];
  /** Oldest first. */
  readonly keys: readonly DkimKey[];
}

/** A DNS record to set. */
export interface DnsRecord {
  readonly host: string;
  readonly type: 'TXT';
  readonly value: string;
  /** As a zone file has it: quoted strings of 255 characters at most. */
  readonly zoneValue: string;
  /** When it is needed, in words. */
  readonly note: string;
}

/** A domain that a project sends from, with the keys that sign for it. */
export class SendingDomain implements SendingDomainState {
  readonly projectId: Id;
  readonly id: Id;
  readonly name: string;
  readonly createdAt: Date;
  readonly verifiedAt: Date | undefined;
  readonly checkedAt: Date | undefined;
  readonly findings: readonly Finding[];
  readonly keys: readonly DkimKey[];

  constructor(state: SendingDomainState) {
    this.projectId = state.projectId;
    this.id = state.id;
    this.name = state.name;
    this.createdAt = state.createdAt;
    this.verifiedAt = state.verifiedAt;
    this.checkedAt = state.checkedAt;
    this.findings = state.findings;
    this.keys = state.keys;
  }

  get status(): 'pending' | 'verified' {
    return this.verifiedAt === undefined ? 'pending' : 'verified';
  }

  /** Keys that wait for their DNS records. */
  pendingKeys(now: Date): readonly DkimKey[] {
    return this.keys.filter((key) => keyStatus(key, now) === 'pending');
  }

  withKeys(added: readonly DkimKey[]): SendingDomain {
    return new SendingDomain({ ...this, keys: [...this.keys, ...added] });
  }

  /**
   * After a look at the DNS. A pending key that is shown signs from now on, and the active one of its algorithm retires, without its
   * private key. Retired keys are forgotten once their records may have been removed.
   */
  checked(findings: readonly Finding[], shown: ReadonlySet<Id>, now: Date): SendingDomain {
    const begins = new Set(this.pendingKeys(now).filter(({ id }) => shown.has(id)));
    const replaced = new Set([...begins].map(({ algorithm }) => algorithm));
    const keys = this.keys
      .filter((key) => keyStatus(key, now) !== 'retired')
      .map((key): DkimKey => {
        if (begins.has(key)) return { ...key, activatedAt: now };
        if (!replaced.has(key.algorithm) || keyStatus(key, now) !== 'active') return key;
        return { ...key, replacedAt: now, sealedPrivateKey: undefined };
      });
    // Receivers without RFC 8463 see RSA alone.
    const proven = keys.some((key) => key.algorithm === 'rsa-sha256' && key.activatedAt !== undefined);
    const verifiedAt = this.verifiedAt ?? (proven ? now : undefined);
    return new SendingDomain({ ...this, keys, findings, verifiedAt, checkedAt: now });
  }

  /** What must stand in the DNS now. */
  records(now: Date): readonly DnsRecord[] {
    const keys = this.keys.flatMap((key) => {
      const status = keyStatus(key, now);
      if (status === 'retired') return [];
      return [textRecord(`${key.selector}._domainkey.${this.name}`, recordOf(key), noteOf(key, status))];
    });
    return [...keys, textRecord(`_dmarc.${this.name}`, 'v=DMARC1; p=none', 'only if the domain has no DMARC record yet')];
  }
}

function noteOf(key: DkimKey, status: DkimKeyStatus): string {
  if (status === 'retiring') return `keep until ${removableAt(key)?.toISOString().slice(0, 10)}, then remove it`;
  return status === 'active' ? 'in use: keep it' : 'new: set it, then check the domain';
}

function textRecord(host: string, value: string, note: string): DnsRecord {
  const strings = value.match(/.{1,255}/g) ?? [];
  return { host, type: 'TXT', value, zoneValue: strings.map((part) => `"${part}"`).join(' '), note };
}
