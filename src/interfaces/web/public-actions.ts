import type { RequestFacts } from './request-facts.ts';

/** What the unsubscribe page shows. The mail may have been forwarded, so it shows no more than this. */
export interface UnsubscribeDetails {
  readonly projectName: string;
  /** `m…@example.org` */
  readonly maskedAddress: string;
  /** The lists that one click leaves. */
  readonly listNames: readonly string[];
  /** The subscriber's own locale (BCP 47), where known. */
  readonly language: string | undefined;
  readonly alreadyUnsubscribed: boolean;
  /** The link can take back what it did. */
  readonly undoable: boolean;
}

/**
 * What the public pages need done. Tokens are checked here and nowhere else: a token that is forged, cut off, of another
 * purpose or of another project is answered as unknown (`undefined`, `false`), never by an error.
 */
export interface PublicActions {
  /** Reads only. `test` for the link of a test mail, undefined for an unknown token. @throws when the database is away */
  openUnsubscribe(token: string): Promise<UnsubscribeDetails | 'test' | undefined>;
  /** No more mail like that one; safe to repeat. False for an unknown token and a test's. @throws when it could not be stored */
  unsubscribe(token: string, facts: RequestFacts): Promise<boolean>;
  /** Takes that back. False when there is nothing to take back. @throws when it could not be stored */
  resubscribe(token: string, facts: RequestFacts): Promise<boolean>;
  /**
   * Where the link leads, from the signed tokens alone: it settles soon, with the target, even when the hit could not be
   * stored. Undefined for unknown tokens.
   */
  click(messageToken: string, linkToken: string, facts: RequestFacts): Promise<string | undefined>;
  /** Stores an open; unknown tokens are ignored. */
  open(token: string, facts: RequestFacts): Promise<void>;
}
