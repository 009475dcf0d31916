import { DomainError } from '../shared/errors.ts';

/** Another subscriber of the project has this address. */
export class AddressTaken extends DomainError {
  readonly code = 'subscriber.address_taken';
  readonly kind = 'conflict';
  constructor(address: string) {
    super(`Another subscriber of this project has the address ${address}. Update that one, or delete it first.`, '/email');
  }
}

/** The person asked to be forgotten; nobody but the person brings the address back. */
export class SubscriberErased extends DomainError {
  readonly code = 'subscriber.erased';
  readonly kind = 'conflict';
  constructor() {
    super(
      'This address was erased at the request of its owner. If the person wants to come back, lift the suppression of the address first.',
      '/email',
    );
  }
}

/** Nobody joins an archived list. */
export class ListArchived extends DomainError {
  readonly code = 'list.archived';
  readonly kind = 'conflict';
  constructor(name: string) {
    super(`The list "${name}" is archived: nobody can be added to it. Bring it back or choose another list.`);
  }
}

export class ListSlugTaken extends DomainError {
  readonly code = 'list.slug_taken';
  readonly kind = 'conflict';
  constructor(slug: string) {
    super(`There is a list "${slug}" in this project already. Choose another slug.`, '/slug');
  }
}

/** The person left the list, or never joined it; only the person's own word changes that. */
export class SubscriptionRefused extends DomainError {
  readonly code = 'subscription.refused';
  readonly kind = 'conflict';
}

/** The file says that some of its people left, and the caller has not said what is to become of them. */
export class ImportHoldsDepartures extends DomainError {
  readonly code = 'import.people_left';
  readonly kind = 'conflict';
}

/** The file as a whole cannot be imported; nothing of it was kept. */
export class ImportUnreadable extends DomainError {
  readonly code = 'import.unreadable';
  readonly kind = 'invalid';
}
