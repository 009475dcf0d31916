import type { Id } from '../shared/ids.ts';
import type { Attributes } from './attributes.ts';
import type { ExclusionReason } from './exclusion.ts';

/** Why a subscriber is not mailed after all. `deleted`: no such subscriber (any more). */
export type Refusal = ExclusionReason | 'deleted';

/** The facts about one subscriber that a campaign's message needs, at the time of the query. */
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

export interface AudiencePage {
  /** A PostgreSQL `uuid[]` literal in order of id, as text: a million ids never become objects. */
  readonly ids: string;
  readonly count: number;
  readonly last: Id;
}
