import type { Clock } from '../shared/clock.ts';
import { parseAddressee } from '../shared/email-address.ts';
import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { NewSuppression } from './audience-inputs.ts';
import type { AudienceLists } from './audience-lists.ts';
import type { Erasure } from './erasure.ts';
import type { SubscriberStore } from './subscriber-store.ts';
import {
  parseReason,
  parseScope,
  parseSuppressionFilter,
  STOPPING_SCOPES,
  type Suppression,
  type SuppressionFilter,
  type SuppressionReason,
  type SuppressionScope,
} from './suppression.ts';
import type { SuppressionStore } from './suppression-store.ts';

const STOPS_TRANSACTIONAL: ReadonlySet<SuppressionScope> = new Set(STOPPING_SCOPES.transactional);

/** Addresses that are not mailed. */
export class AudienceSuppressions {
  private readonly store: SuppressionStore;
  private readonly subscribers: SubscriberStore;
  private readonly lists: AudienceLists;
  private readonly erasure: Erasure;
  private readonly clock: Clock;

  constructor(
    parts: { lists: AudienceLists; erasure: Erasure },
    deps: { suppressions: SuppressionStore; subscribers: SubscriberStore; clock: Clock },
  ) {
    this.store = deps.suppressions;
    this.subscribers = deps.subscribers;
    this.lists = parts.lists;
    this.erasure = parts.erasure;
    this.clock = deps.clock;
  }

  /** Suppresses an address. Idempotent: false when it was suppressed for as grave a reason before. @throws InvalidInput */
  async add(projectId: Id, address: string, wish: NewSuppression = {}): Promise<boolean> {
    const email = parseAddressee(address, '/email');
    const scope = parseScope(wish.scope ?? 'project');
    if (scope.startsWith('list:')) await this.lists.get(projectId, scope.slice('list:'.length));
    const reason = parseReason(wish.reason ?? 'manual');
    const evidence = wish.evidence ?? {};
    // An erased address is refused for the gravest reason already, and must not be written down again.
    await this.subscribers.holdAddress(projectId, email.key);
    if (await this.erasure.knows(projectId, email.key)) return false;
    return this.store.add({ projectId, emailKey: email.key, scope, reason, evidence, at: this.clock.now() });
  }

  /** Lifts the suppression of an address in this scope (default `project`), an erasure included; false when there was none. @throws InvalidInput */
  async lift(projectId: Id, address: string, scope = 'project'): Promise<boolean> {
    const keys = this.erasure.keysOf(projectId, parseAddressee(address, '/email'));
    return (await this.store.remove(projectId, keys, parseScope(scope))) > 0;
  }

  /** Every suppression of this address, in any scope. @throws InvalidInput */
  of(projectId: Id, address: string): Promise<readonly Suppression[]> {
    return this.store.of(projectId, this.erasure.keysOf(projectId, parseAddressee(address, '/email')));
  }

  /** Why no transactional message of this stream may go to these addresses; an address that may be mailed is left out. */
  async transactionalRefusals(
    projectId: Id,
    addresses: readonly string[],
    stream?: string,
  ): Promise<ReadonlyMap<string, SuppressionReason>> {
    const keys = new Map(
      addresses.map((address) => [address, this.erasure.keysOf(projectId, parseAddressee(address, '/email'))]),
    );
    const own: SuppressionScope | undefined = stream === undefined ? undefined : `stream:${stream}`;
    const found = await this.store.of(projectId, [...keys.values()].flat());
    const inForce = found.filter(({ scope }) => STOPS_TRANSACTIONAL.has(scope) || scope === own);
    const refusals = new Map<string, SuppressionReason>();
    for (const [address, ofAddress] of keys) {
      const stops = inForce.filter(({ emailKey }) => ofAddress.includes(emailKey));
      const reason = stops.find((one) => one.reason === 'erased')?.reason ?? stops[0]?.reason;
      if (reason !== undefined) refusals.set(address, reason);
    }
    return refusals;
  }

  /** The same for one address; undefined when a message may go to it. */
  async transactionalRefusal(projectId: Id, address: string, stream?: string): Promise<SuppressionReason | undefined> {
    return (await this.transactionalRefusals(projectId, [address], stream)).get(address);
  }

  /** Newest first. @throws InvalidInput for an unknown scope or reason */
  async list(projectId: Id, search: PageRequest & SuppressionFilter = {}): Promise<Page<Suppression>> {
    return this.store.page(projectId, { ...search, ...parseSuppressionFilter(search) });
  }
}
