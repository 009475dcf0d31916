import type { Id } from '../shared/ids.ts';
import type { Attributes } from './attributes.ts';

/** Why somebody of a fixed audience is not mailed after all. `deleted`: no such subscriber (any more). */
export type Refusal = 'unsubscribed' | 'unconfirmed' | 'suppressed' | 'erased' | 'deleted';

/** What a campaign's message needs to know of one person, judged at the moment of the question. */
export interface RecipientFacts {
  readonly id: Id;
  /** Empty for an erased or deleted subscriber. */
  readonly address: string;
  readonly smtputf8: boolean;
  readonly locale: string | undefined;
  readonly timeZone: string | undefined;
  readonly attributes: Attributes;
  /** Undefined: may be mailed now. */
  readonly refusal: Refusal | undefined;
}

/** People confirmed on one of `lists` and on none of `excludeLists` (there, waiting for confirmation counts as being on it). */
export interface AudienceFilter {
  readonly lists: readonly Id[];
  readonly excludeLists: readonly Id[];
}

export interface AudiencePage {
  /** A PostgreSQL `uuid[]` literal in order of id, as text: a million ids never become objects. */
  readonly ids: string;
  readonly count: number;
  readonly last: Id;
}
