import type { Attempt } from '../../../domain/delivery/index.ts';

/** Its worker ended before it. */
export const VANISHED: Attempt = {
  outcome: 'in_doubt',
  code: undefined,
  enhancedCode: undefined,
  reply: 'the worker ended during the attempt',
  fault: 'transport',
};
/** Its worker lives, and could not write down how it ended. */
export const UNRECORDED: Attempt = { ...VANISHED, reply: 'the outcome of the attempt could not be recorded' };
export const UNSTORABLE_REPLY = '(the reply could not be stored)';
