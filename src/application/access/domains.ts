import {
  checkDomain,
  type DkimKey,
  type DkimKeyStatus,
  type Dns,
  type DnsRecord,
  type Finding,
  generateKeys,
  type KeyAlgorithm,
  type KeyRing,
  keyStatus,
  removableAt,
  type SendingDomain,
  sealedPlaceOf,
} from '../../domain/access/index.ts';
import type { Clock } from '../../domain/shared/clock.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Log } from '../log.ts';
import type { Scope, UnitOfWork } from '../unit-of-work.ts';

/** A sending domain as every face shows it: without private keys. */
export interface DomainFacts {
  readonly id: Id;
  readonly name: string;
  /** `verified`: the DNS has shown its keys, and mail of its authors is signed. */
  readonly status: 'pending' | 'verified';
  readonly createdAt: Date;
  readonly verifiedAt: Date | undefined;
  readonly checkedAt: Date | undefined;
  readonly keys: readonly {
    readonly id: Id;
    readonly selector: string;
    readonly algorithm: KeyAlgorithm;
    readonly status: DkimKeyStatus;
    readonly publicKey: string;
    readonly createdAt: Date;
    readonly activatedAt: Date | undefined;
    readonly replacedAt: Date | undefined;
    /** When the DNS record of a replaced key may be removed. */
    readonly removableAt: Date | undefined;
  }[];
  /** DNS records to set. */
  readonly records: readonly DnsRecord[];
  /** Of the last check. */
  readonly findings: readonly Finding[];
}

/** The sending domains of a project, by id or name. */
export interface Domains {
  /** Makes an RSA and an Ed25519 key; the domain is pending until a check finds their records. @throws InvalidInput, DomainTaken */
  create(projectId: Id, input: { readonly name: string }): Promise<DomainFacts>;
  list(projectId: Id, page?: PageRequest): Promise<Page<DomainFacts>>;
  /** @throws NotFound */
  get(projectId: Id, domain: string): Promise<DomainFacts>;
  /**
   * Asks the DNS. Keys that it shows begin to sign; those that they replace are kept for verification for seven days.
   * @throws NotFound
   */
  check(projectId: Id, domain: string): Promise<DomainFacts>;
  /** Makes new keys. The present ones sign until a check finds the records of the new ones. @throws NotFound, RotationPending */
  rotate(projectId: Id, domain: string): Promise<DomainFacts>;
  /** Mail is not signed for it any more. @throws NotFound */
  delete(projectId: Id, domain: string): Promise<DomainFacts>;
}

/** A check of the whole domain takes no longer, however slow its name servers are. */
const PATIENCE_MS = 20_000;

/** Hosts that the mail of a project is handed to, as far as they are known. */
export type SendingHosts = (scope: Pick<Scope, 'delivery'>, projectId: Id) => Promise<readonly string[]>;

/** The SMTP servers of the project, or the one of the environment where it has no transports. */
export const sendingHostsOf =
  (ofEnvironment: readonly string[]): SendingHosts =>
  async ({ delivery }, projectId) => {
    const transports = (await delivery.transports.list(projectId)).filter(({ state }) => state === 'active');
    if (transports.length === 0) return ofEnvironment;
    return transports.flatMap(({ kind, settings }) =>
      kind === 'smtp' && typeof settings.host === 'string' ? [settings.host] : [],
    );
  };

export interface DomainDeps {
  readonly work: UnitOfWork;
  readonly keys: KeyRing;
  readonly dns: Dns;
  readonly clock: Clock;
  readonly sendingHosts: SendingHosts;
}

export function domainVerbs(deps: DomainDeps): Domains {
  const { work, keys, clock } = deps;
  const shown = (domain: SendingDomain): DomainFacts => domainFacts(domain, clock.now());
  const sealFor = (projectId: Id) => (keyId: Id, privateKey: string) => keys.seal(projectId, privateKey, sealedPlaceOf(keyId));
  return {
    async create(projectId, { name }) {
      const generated = await generateKeys();
      return shown(await work.run(({ access }) => access.domains.create(projectId, name, generated, sealFor(projectId))));
    },
    async list(projectId, page) {
      const { items, next } = await work.run(({ access }) => access.domains.list(projectId, page));
      return { items: items.map(shown), next };
    },
    get: async (projectId, domain) => shown(await work.run(({ access }) => access.domains.get(projectId, domain))),
    async check(projectId, name) {
      const { domain, hosts } = await work.run(async (scope) => ({
        domain: await scope.access.domains.get(projectId, name),
        hosts: await deps.sendingHosts(scope, projectId),
      }));
      // Outside any transaction: name servers may take seconds.
      const check = await checkDomain(patiently(deps), domain, { hosts, now: clock.now() });
      return shown(await work.run(({ access }) => access.domains.recordCheck(projectId, domain.id, check)));
    },
    async rotate(projectId, domain) {
      const generated = await generateKeys();
      return shown(await work.run(({ access }) => access.domains.rotate(projectId, domain, generated, sealFor(projectId))));
    },
    delete: async (projectId, domain) => shown(await work.run(({ access }) => access.domains.delete(projectId, domain))),
  };
}

/** Questions after `PATIENCE_MS` are not asked: they count as not answered. */
export function patiently({ dns, clock }: Pick<DomainDeps, 'dns' | 'clock'>): Dns {
  const deadline = clock.monotonic() + PATIENCE_MS;
  return {
    ask: async (name, type) => (clock.monotonic() > deadline ? { kind: 'failed', why: 'timeout' } : dns.ask(name, type)),
  };
}

function domainFacts(domain: SendingDomain, now: Date): DomainFacts {
  const { id, name, status, createdAt, verifiedAt, checkedAt, findings } = domain;
  return {
    id,
    name,
    status,
    createdAt,
    verifiedAt,
    checkedAt,
    keys: domain.keys.map((key) => keyFacts(key, now)),
    records: domain.records(now),
    findings,
  };
}

const keyFacts = (key: DkimKey, now: Date): DomainFacts['keys'][number] => ({
  id: key.id,
  selector: key.selector,
  algorithm: key.algorithm,
  status: keyStatus(key, now),
  publicKey: key.publicKey,
  createdAt: key.createdAt,
  activatedAt: key.activatedAt,
  replacedAt: key.replacedAt,
  removableAt: removableAt(key),
});

const RESEALED_AT_ONCE = 500;

/** After the instance's key was replaced: private keys are sealed under the new one, so that the old one can be removed. */
export async function resealKeys({ work, keys, log }: { work: UnitOfWork; keys: KeyRing; log: Log }): Promise<void> {
  const unreadable = await work.run(({ access }) => access.domains.reseal(keys, RESEALED_AT_ONCE));
  if (unreadable.length > 0)
    log.error(
      { keys: unreadable.length },
      'private keys of sending domains cannot be opened with the keys of this node; rotate these domains',
    );
}
