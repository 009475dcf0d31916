import { DomainError } from '../shared/errors.ts';

/** Another subscriber of the project has this address. */
export class AddressTaken extends DomainError {
  readonly code = 'subscriber.address_taken';
  readonly kind = 'conflict';
  constructor(address: string) {
    super(`Another subscriber of this project has the address ${address}. Update that one, or delete it first.`, '/email');
  }
}

/** The address was erased at its owner's request; no import and no API call can add it again. */
export class SubscriberErased extends DomainError {
  readonly code = 'subscriber.erased';
  readonly kind = 'conflict';
  constructor() {
    super(
      'This address was erased at the request of its owner. If the owner wants to come back, remove the suppression of the address first.',
      '/email',
    );
  }
}

/** An archived list takes no new subscribers. */
export class ListArchived extends DomainError {
  readonly code = 'list.archived';
  readonly kind = 'conflict';
  constructor(name: string) {
    super(`The list "${name}" is archived and takes no new subscribers. Restore it, or choose another list.`);
  }
}

export class ListSlugTaken extends DomainError {
  readonly code = 'list.slug_taken';
  readonly kind = 'conflict';
  constructor(slug: string) {
    super(`The project already has a list "${slug}". Choose another slug.`, '/slug');
  }
}

/** The subscriber unsubscribed from the list, or never joined it; only a stated consent of the subscriber changes that. */
export class SubscriptionRefused extends DomainError {
  readonly code = 'subscription.refused';
  readonly kind = 'conflict';
}

/** The file marks rows as unsubscribed or suppressed, and the call does not say how to import them. */
export class ImportHoldsDepartures extends DomainError {
  readonly code = 'import.people_left';
  readonly kind = 'conflict';
}

/** The file as a whole cannot be imported; nothing of it was kept. */
export class ImportUnreadable extends DomainError {
  readonly code = 'import.unreadable';
  readonly kind = 'invalid';
}
