import type { Clock } from '../../shared/clock.ts';
import { DomainError, InvalidInput, NotFound } from '../../shared/errors.ts';
import { type Id, type Ids, isId } from '../../shared/ids.ts';
import type { Page, PageRequest } from '../../shared/page.ts';
import { SealBroken } from '../access-errors.ts';
import { parseDomain } from '../domain-name.ts';
import type { KeyRing } from '../key-ring.ts';
import type { DomainCheck } from './check-domain.ts';
import { type DkimKey, type GeneratedKey, sealedPlaceOf, selectorOf } from './dkim-key.ts';
import type { DomainStore } from './domain-store.ts';
import { SendingDomain } from './sending-domain.ts';

export class DomainTaken extends DomainError {
  readonly code = 'domain.taken';
  readonly kind = 'conflict';
  constructor(name: string) {
    super(`The project has the sending domain ${name} already.`, '/name');
  }
}

/** The keys of an earlier rotation wait for their DNS records. */
export class RotationPending extends DomainError {
  readonly code = 'domain.rotation_pending';
  readonly kind = 'conflict';
  constructor(name: string, keys: readonly DkimKey[]) {
    super(
      `Keys of ${name} already wait for their DNS records (selectors ${keys.map(({ selector }) => selector).join(', ')}). ` +
        'Set the records, then check the domain. "pennypost domain get" shows them.',
    );
  }
}

/** Encrypts a private key for its row. */
export type SealKey = (keyId: Id, privateKey: string) => Uint8Array;

/** Sending domains of projects, part of `AccessService`. */
export class AccessDomains {
  private readonly store: DomainStore;
  private readonly clock: Clock;
  private readonly ids: Ids;

  constructor(deps: { store: DomainStore; clock: Clock; ids: Ids }) {
    this.store = deps.store;
    this.clock = deps.clock;
    this.ids = deps.ids;
  }

  /** @throws InvalidInput, DomainTaken */
  async create(projectId: Id, name: string, generated: readonly GeneratedKey[], seal: SealKey): Promise<SendingDomain> {
    const now = this.clock.now();
    const domain = new SendingDomain({
      projectId,
      id: this.ids.next(),
      name: parseDomain(name, '/name'),
      createdAt: now,
      verifiedAt: undefined,
      checkedAt: undefined,
      findings: [],
      keys: this.keysOf(generated, seal, now),
    });
    if (!(await this.store.add(domain))) throw new DomainTaken(domain.name);
    return domain;
  }

  /** By id or name. @throws NotFound */
  get(projectId: Id, idOrName: string): Promise<SendingDomain> {
    return this.found(projectId, idOrName, false);
  }

  list(projectId: Id, page: PageRequest = {}): Promise<Page<SendingDomain>> {
    return this.store.page(projectId, page);
  }

  /** Adds keys that wait for their DNS records; the present ones go on signing. @throws NotFound, RotationPending */
  async rotate(projectId: Id, idOrName: string, generated: readonly GeneratedKey[], seal: SealKey): Promise<SendingDomain> {
    const now = this.clock.now();
    const domain = await this.found(projectId, idOrName, true);
    const pending = domain.pendingKeys(now);
    if (pending.length > 0) throw new RotationPending(domain.name, pending);
    const rotated = domain.withKeys(this.keysOf(generated, seal, now));
    await this.store.save(rotated);
    return rotated;
  }

  /** Keeps what a look at the DNS has found. @throws NotFound */
  async recordCheck(projectId: Id, id: Id, { findings, shown }: DomainCheck): Promise<SendingDomain> {
    const domain = (await this.found(projectId, id, true)).checked(findings, shown, this.clock.now());
    await this.store.save(domain);
    return domain;
  }

  /** With its keys: mail is not signed for it any more. @throws NotFound */
  async delete(projectId: Id, idOrName: string): Promise<SendingDomain> {
    const domain = await this.found(projectId, idOrName, true);
    await this.store.remove(projectId, domain.id);
    return domain;
  }

  /** Keys that sign for a verified domain. */
  activeKeys(projectId: Id, name: string): Promise<readonly DkimKey[]> {
    return this.store.activeKeys(projectId, name);
  }

  /**
   * Seals private keys of all projects again that are under an older key of the instance.
   * @returns the ids of those that this node cannot open
   */
  async reseal(ring: KeyRing, limit: number): Promise<readonly Id[]> {
    const unreadable: Id[] = [];
    for (const key of await this.store.sealedOtherwise(ring.keyId, limit)) {
      const { projectId, id, sealedPrivateKey } = key;
      const place = sealedPlaceOf(id);
      try {
        await this.store.replaceSealed(key, ring.seal(projectId, ring.open(projectId, sealedPrivateKey, place), place));
      } catch (error) {
        if (!(error instanceof SealBroken)) throw error;
        unreadable.push(id);
      }
    }
    return unreadable;
  }

  private keysOf(generated: readonly GeneratedKey[], seal: SealKey, now: Date): readonly DkimKey[] {
    return generated.map(({ algorithm, publicKey, privateKey }) => {
      const id = this.ids.next();
      return {
        id,
        selector: selectorOf(id),
        algorithm,
        publicKey,
        sealedPrivateKey: seal(id, privateKey),
        createdAt: now,
        activatedAt: undefined,
        replacedAt: undefined,
      };
    });
  }

  private async found(projectId: Id, idOrName: string, lock: boolean): Promise<SendingDomain> {
    const named = isId(idOrName) ? idOrName.toLowerCase() : asDomain(idOrName);
    const domain = named === undefined ? undefined : await this.store.find(projectId, named, { lock });
    if (domain === undefined) throw new NotFound('sending domain', idOrName);
    return domain;
  }
}

/** As it is stored; undefined for what is not a domain name, and names nothing. */
function asDomain(text: string): string | undefined {
  try {
    return parseDomain(text, '/name');
  } catch (error) {
    if (error instanceof InvalidInput) return undefined;
    throw error;
  }
}
