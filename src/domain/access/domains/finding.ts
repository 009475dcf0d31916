/** `fail` blocks a launch. A question that the DNS did not answer is a `warn`: it says nothing about the records. */
export type FindingLevel = 'pass' | 'warn' | 'fail';

export const FINDING_SUBJECTS = ['dkim', 'dmarc', 'spf', 'return_path', 'mx', 'ptr'] as const;

/** One thing that was looked at in the DNS. */
export interface Finding {
  readonly about: (typeof FINDING_SUBJECTS)[number];
  readonly level: FindingLevel;
  /** The name that was asked for. */
  readonly host: string;
  /** What is set. */
  readonly found: string;
  readonly wanted: string;
  /** What to do; empty when there is nothing to do. */
  readonly advice: string;
}
