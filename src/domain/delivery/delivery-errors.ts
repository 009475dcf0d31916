import { DomainError } from '../shared/errors.ts';

/** Another pass over the same campaign has not ended. */
export class RunOpen extends DomainError {
  readonly code = 'campaign.run_open';
  readonly kind = 'conflict';
  constructor() {
    super('A run of this campaign has not ended. Wait until its report shows no pending recipients, then resend.');
  }
}

/** Another transport of the project has this short name. */
export class TransportSlugTaken extends DomainError {
  readonly code = 'transport.slug_taken';
  readonly kind = 'conflict';
  constructor(slug: string) {
    super(`Another transport of this project is named "${slug}". Choose another slug.`, '/slug');
  }
}

/** Messages may still take it. */
export class TransportInUse extends DomainError {
  readonly code = 'transport.in_use';
  readonly kind = 'conflict';
  constructor(slug: string, why: string) {
    super(`The transport "${slug}" is in use: ${why}.`);
  }
}

/** A message that is to be cancelled has no recipient any more that waits. */
export class NotWaiting extends DomainError {
  readonly code = 'message.not_waiting';
  readonly kind = 'conflict';
  constructor() {
    super('No recipient of this message waits any more: it is under way, or has ended.');
  }
}
