import type { EmailAddress } from '../shared/email-address.ts';
import { InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';
import { type Attributes, mergeAttributes } from './attributes.ts';

/** `erased` keeps only the id, so that reports still add up; it contains no personal data. */
export type SubscriberStatus = 'active' | 'erased';

/** What a caller says about a subscriber. `null` clears; an attribute set to `null` is removed; absent stays as it is. */
export interface SubscriberChanges {
  readonly attributes?: Attributes | undefined;
  /** BCP 47 (`de-AT`); decides the language of public pages. */
  readonly locale?: string | null | undefined;
  /** IANA name (`Europe/Vienna`). */
  readonly timeZone?: string | null | undefined;
}

export interface SubscriberState {
  readonly projectId: Id;
  readonly id: Id;
  /** As first written (see `EmailAddress.address`); null once erased. */
  readonly address: string | null;
  readonly emailKey: string | null;
  readonly status: SubscriberStatus;
  readonly locale: string | null;
  readonly timeZone: string | null;
  readonly attributes: Attributes;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly erasedAt: Date | null;
  /** Grows with every change. */
  readonly version: number;
}

/** A subscriber's address and attributes in one project. */
export class Subscriber implements SubscriberState {
  readonly projectId!: Id;
  readonly id!: Id;
  readonly address!: string | null;
  readonly emailKey!: string | null;
  readonly status!: SubscriberStatus;
  readonly locale!: string | null;
  readonly timeZone!: string | null;
  readonly attributes!: Attributes;
  readonly createdAt!: Date;
  readonly updatedAt!: Date;
  readonly erasedAt!: Date | null;
  readonly version!: number;

  constructor(state: SubscriberState) {
    Object.assign(this, state);
  }

  /** @throws InvalidInput with a pointer to the field at fault. */
  static create(projectId: Id, id: Id, email: EmailAddress, wish: SubscriberChanges, now: Date): Subscriber {
    const subscriber = new Subscriber({
      projectId,
      id,
      address: email.address,
      emailKey: email.key,
      status: 'active',
      locale: null,
      timeZone: null,
      attributes: {},
      createdAt: now,
      updatedAt: now,
      erasedAt: null,
      version: 1,
    });
    subscriber.change(wish, now);
    return subscriber;
  }

  /** Changes what is named and nothing else. @throws InvalidInput; then nothing has changed. */
  change(changes: SubscriberChanges, now: Date): void {
    const next = {
      ...(changes.attributes !== undefined && { attributes: mergeAttributes(this.attributes, changes.attributes) }),
      ...(changes.locale !== undefined && { locale: changes.locale === null ? null : parseLocale(changes.locale) }),
      ...(changes.timeZone !== undefined && { timeZone: changes.timeZone === null ? null : parseTimeZone(changes.timeZone) }),
    };
    if (Object.keys(next).length > 0) Object.assign(this, next, { updatedAt: now });
  }

  /** Changes the address, or only its spelling. */
  readdress(email: EmailAddress, now: Date): void {
    if (email.address !== this.address) Object.assign(this, { address: email.address, emailKey: email.key, updatedAt: now });
  }

  /** Erases all personal data, permanently. The id stays. */
  erase(now: Date): void {
    if (this.status === 'erased') return;
    Object.assign(this, {
      address: null,
      emailKey: null,
      status: 'erased',
      locale: null,
      timeZone: null,
      attributes: {},
      updatedAt: now,
      erasedAt: now,
    });
  }
}

/** The canonical BCP 47 tag. @throws InvalidInput */
export function parseLocale(text: string, pointer = '/locale'): string {
  try {
    const [tag] = Intl.getCanonicalLocales(text.trim().replaceAll('_', '-'));
    // Longer first parts are reserved (BCP 47): "german" is well-formed, and no language.
    if (tag !== undefined && tag.length <= 35 && /^[a-z]{2,3}(?:-|$)/.test(tag)) return tag;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw new InvalidInput(`"${text.slice(0, 60)}" is not a language tag (BCP 47) such as en or de-AT.`, pointer);
}

/** The canonical IANA name. Offsets (`+01:00`) are refused: they know no summer time. @throws InvalidInput */
export function parseTimeZone(text: string, pointer = '/timeZone'): string {
  try {
    if (/^[A-Za-z]/.test(text.trim())) return new Intl.DateTimeFormat('en', { timeZone: text.trim() }).resolvedOptions().timeZone;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw new InvalidInput(`"${text.slice(0, 60)}" is not an IANA time zone such as Europe/Berlin.`, pointer);
}
