import { InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';
import { cleanText } from './attributes.ts';

/** Evidence of a consent, as an authority would ask for it (GDPR Art. 7(1)). */
export interface Evidence {
  /** Where it was said: `signup form /spring`, `trade fair 2026, signed sheet`, `one-click unsubscribe`. 1 to 200 characters. */
  readonly source: string;
  readonly ip?: string | undefined;
  readonly userAgent?: string | undefined;
  /** The wording that the subscriber agreed to, and its version. */
  readonly text?: string | undefined;
  readonly textVersion?: string | undefined;
  /** When the consent was given. Default: now. */
  readonly at?: Date | undefined;
}

/** `resubscribe`: the subscriber reverted an unsubscribe, by the same signed link. */
export type ConsentAction = 'subscribe' | 'confirm' | 'unsubscribe' | 'resubscribe' | 'import';

/** One entry of the proof. Entries are added and never changed; an erasure removes IP, user agent and text from them. */
export interface Consent {
  readonly projectId: Id;
  readonly id: Id;
  readonly subscriberId: Id;
  readonly listIds: readonly Id[];
  readonly action: ConsentAction;
  readonly source: string;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly text: string | null;
  readonly textVersion: string | null;
  /** The import that stated it for its whole file; the text is kept there, once. */
  readonly importId: Id | null;
  readonly givenAt: Date;
  readonly recordedAt: Date;
}

/** Evidence in a storable form, shortened where a stranger chose the length. @throws InvalidInput with a pointer under `pointer`. */
export function parseEvidence(evidence: Evidence, now: Date, pointer = '/consent'): Required<Evidence> & { readonly at: Date } {
  const source = cleanText(evidence.source).trim();
  if (source === '' || source.length > 200) {
    throw new InvalidInput(
      'State where the consent comes from, in 1 to 200 characters: "signup form /spring".',
      `${pointer}/source`,
    );
  }
  if (evidence.at !== undefined && !(evidence.at <= now)) {
    throw new InvalidInput('The time of a consent cannot lie in the future.', `${pointer}/at`);
  }
  if (evidence.ip !== undefined && !/^[0-9a-fA-F:.]{2,45}$/.test(evidence.ip)) {
    throw new InvalidInput('This is not an IP address.', `${pointer}/ip`);
  }
  const text = evidence.text === undefined ? undefined : cleanText(evidence.text);
  if (text !== undefined && text.length > 10_000)
    throw new InvalidInput('The text of a consent may have 10,000 characters.', `${pointer}/text`);
  return {
    source,
    ip: evidence.ip,
    userAgent: evidence.userAgent === undefined ? undefined : cleanText(evidence.userAgent).slice(0, 500),
    text,
    textVersion: evidence.textVersion === undefined ? undefined : cleanText(evidence.textVersion).slice(0, 100),
    at: evidence.at ?? now,
  };
}
