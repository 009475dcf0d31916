import type { Id } from '../shared/ids.ts';
import type { PageRequest } from '../shared/page.ts';
import type { MailingKey } from './mailing-key.ts';
import type { LedgerRow, LedgerState, StateTotals } from './message.ts';

/** Sums of the ledger. */
export interface LedgerTotals {
  readonly audience: number;
  readonly states: StateTotals;
  /** Acceptances beyond the first per recipient. */
  readonly repeated: number;
  /** Recipients who may have more copies than one: see `mayBeRepeated`. */
  readonly possibleRepeats: number;
}

/** A reply or reason, and how many recipients of a state have it. */
export interface StateReply {
  readonly state: LedgerState;
  readonly reply: string | undefined;
  readonly count: number;
}

export interface LedgerFilter extends PageRequest {
  readonly state?: LedgerState | undefined;
}

/** Recipients that earlier hand-overs have reached, surely or possibly. */
export interface Reached {
  /** Their acceptance is recorded: they must not be mailed again. */
  readonly accepted: ReadonlySet<Id>;
  /** A holder that crashed may have handed over to them: whatever is sent to them from now on carries the mark. */
  readonly possibly: ReadonlySet<Id>;
}

/** Ids of recipients in id order, as a PostgreSQL array literal. */
export interface RecipientPage {
  readonly ids: string;
  readonly count: number;
  readonly last: Id;
}

/** What the ledger tells: one row per mailing and recipient. */
export interface LedgerStore {
  /** Sums over these mailings. */
  totals(projectId: Id, mailingIds: readonly Id[]): Promise<LedgerTotals>;
  /** By subscriber id, from the one behind `after`. */
  rows(
    mailing: MailingKey,
    search: { readonly state: LedgerState | undefined; readonly after: Id | undefined; readonly limit: number },
  ): Promise<readonly LedgerRow[]>;
  /** Replies and reasons of the first `limit` recipients of each state but `submitted`, each with its number of recipients. */
  replies(mailing: MailingKey, limit: number): Promise<readonly StateReply[]>;
  /** The next recipients whose row is in one of `states`, or that are deferred and due by the clock of the database. */
  inStates(
    mailing: MailingKey,
    states: readonly LedgerState[] | 'due',
    after: Id | undefined,
    limit: number,
  ): Promise<RecipientPage | undefined>;
  /** Those of `ids` (a PostgreSQL array literal) that have no row. */
  withoutRow(mailing: MailingKey, ids: string): Promise<{ readonly ids: string; readonly count: number }>;
  /** What is known of earlier hand-overs to `ids`. */
  reached(mailing: MailingKey, ids: readonly Id[]): Promise<Reached>;
  hasDeferred(mailing: MailingKey): Promise<boolean>;
  /** Removes the replies of mail servers from a subscriber's rows. */
  stripReplies(projectId: Id, subscriberId: Id): Promise<void>;
}
