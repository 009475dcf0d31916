import { DomainError } from '../shared/errors.ts';

/** Another pass over the same campaign has not ended. */
export class RunOpen extends DomainError {
  readonly code = 'campaign.run_open';
  readonly kind = 'conflict';
  constructor() {
    super('A run of this campaign has not ended. Wait until its report shows no pending recipients, then resend.');
  }
}
