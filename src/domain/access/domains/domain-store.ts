import type { Id } from '../../shared/ids.ts';
import type { Page, PageRequest } from '../../shared/page.ts';
import type { DkimKey } from './dkim-key.ts';
import type { SendingDomain } from './sending-domain.ts';

/** Where sending domains are kept, for the length of one unit of work. `Project.verifiedDomains` follows every change. */
export interface DomainStore {
  /** @returns false when the project has a domain of this name */
  add(domain: SendingDomain): Promise<boolean>;
  /** By id or name. @param options `lock`: no other transaction changes it before this one ends */
  find(projectId: Id, idOrName: string, options?: { readonly lock?: boolean }): Promise<SendingDomain | undefined>;
  /** By name. */
  page(projectId: Id, page: PageRequest): Promise<Page<SendingDomain>>;
  save(domain: SendingDomain): Promise<void>;
  remove(projectId: Id, id: Id): Promise<void>;
  /** Those of a verified domain that sign. */
  activeKeys(projectId: Id, name: string): Promise<readonly DkimKey[]>;
  /** Every private key of the instance that was not sealed under this key id. */
  sealedOtherwise(keyId: string, limit: number): Promise<readonly SealedKey[]>;
  /** Nothing happens where it was sealed again or removed meanwhile. */
  replaceSealed(key: SealedKey, sealed: Uint8Array): Promise<void>;
}

export interface SealedKey {
  readonly projectId: Id;
  readonly id: Id;
  readonly sealedPrivateKey: Uint8Array;
}
