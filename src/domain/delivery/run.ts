import type { Id } from '../shared/ids.ts';

/** Why a pass over recipients exists. Run 0 is always `first`; the others are cut from the ledger. */
export type RunPurpose = 'first' | 'retry' | 'resend_failed' | 'resend_in_doubt' | 'resend_new';

/**
 *   running <-> paused      running, paused -> cancelled      running -> done
 */
export type RunState = 'running' | 'paused' | 'done' | 'cancelled';

export type RunKey = Pick<Run, 'projectId' | 'mailingId'> & { readonly run: number };

export const runName = (key: RunKey): string => `${key.projectId}/${key.mailingId}/${key.run}`;

/** One pass over (a part of) a mailing's audience, with shards of its own. */
export interface Run {
  readonly projectId: Id;
  readonly mailingId: Id;
  readonly number: number;
  readonly launchedOn: string;
  readonly purpose: RunPurpose;
  readonly state: RunState;
  /** Recipients in its shards. */
  readonly audience: number;
  readonly createdAt: Date;
  readonly endedAt: Date | undefined;
}
