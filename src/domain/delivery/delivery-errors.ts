import { DomainError } from '../shared/errors.ts';

/** Another pass over the same campaign has not ended. */
export class RunOpen extends DomainError {
  readonly code = 'campaign.run_open';
  readonly kind = 'conflict';
  constructor() {
    super('A pass over this campaign is still under way. Wait until it has ended (see its report), then resend.');
  }
}
