import { IDENTITY_REPLIES, POLICY_REPLIES } from './policy-replies.ts';
import { RECIPIENT_REPLIES } from './recipient-replies.ts';
import type { ReplyRule } from './reply-rule.ts';

/** The classes of RFC 3463, then of RFC 5321, then what the refused command alone tells. */
const CLASS_REPLIES: readonly ReplyRule[] = [
  {
    name: 'unsupported-address',
    enhanced: /^5\.6\.7$/,
    fault: 'transport',
    reason: 'unsupported',
    examples: ['mail: 550 5.6.7 Non-ASCII addresses not permitted for that recipient'],
  },
  {
    name: 'content-class',
    enhanced: /^[45]\.6\.\d+$/,
    fault: 'sender',
    reason: 'content',
    examples: [
      'body: 554 5.6.0 Message contains bare CR and is violating 822.bis section 2.3',
      'body: 550 5.6.1 Headers are not RFC compliant [MSG0001]',
    ],
  },
  {
    name: 'next-hop-class',
    enhanced: /^[45]\.[34]\.\d+$/,
    fault: 'transport',
    reason: 'next_hop',
    examples: [
      'mail: 452 4.3.1 Insufficient system storage',
      'body: 451 4.3.0 Error: queue file write error',
      'rcpt: 451 4.3.5 Server configuration error',
      'mail: 421 4.4.2 mx.example.com Error: timeout exceeded',
      'body: 451 4.4.1 Connection timed out while talking to the next server',
    ],
  },
  {
    name: 'protocol-class',
    enhanced: /^[45]\.5\.\d+$/,
    fault: 'transport',
    reason: 'protocol',
    examples: ['rcpt: 452 4.5.3 Recipient count of this session reached', 'data: 554 5.5.1 Error: no valid recipients'],
  },
  {
    name: 'service-closing',
    code: /^421$/,
    fault: 'transport',
    reason: 'next_hop',
    examples: ['mail: 421 mx.example.com Service not available, closing transmission channel'],
  },
  {
    name: 'next-hop-code',
    code: /^45[12]$/,
    fault: 'transport',
    reason: 'next_hop',
    examples: [
      'mail: 451 Requested action aborted: local error in processing',
      'body: 452 Requested action not taken: insufficient system storage',
    ],
  },
  {
    name: 'command-refused',
    code: /^50[0-4]$/,
    stages: ['mail', 'data', 'body'],
    fault: 'transport',
    reason: 'protocol',
    examples: ['mail: 500 Command unrecognized', 'mail: 501 Syntax error in parameters', 'data: 502 Command not implemented'],
  },
  {
    name: 'sender-stage',
    stages: ['mail'],
    fault: 'sender',
    reason: 'sender_address',
    examples: ['mail: 550 Not welcome', 'mail: 553 5.1.0 Address refused', 'mail: 450 Later'],
  },
  {
    name: 'bad-address-code',
    stages: ['rcpt'],
    code: /^(?:501|553)$/,
    fault: 'recipient',
    reason: 'bad_address',
    examples: [
      'rcpt: 501 Syntax error in parameters or arguments',
      "rcpt: 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
    ],
  },
  {
    name: 'recipient-stage',
    stages: ['rcpt'],
    fault: 'recipient',
    reason: 'unknown',
    examples: ['rcpt: 550 Denied', 'rcpt: 450 Not now', 'rcpt: 450 4.1.1 Mailbox not usable right now'],
  },
  {
    // After RCPT was accepted a refusal that does not name the recipient concerns the message.
    name: 'message-stage',
    fault: 'sender',
    reason: 'unknown',
    examples: ['body: 554 Transaction failed', 'data: 550 No', 'body: 450 Later, please'],
  },
];

/**
 * Replies of real servers, in order: what concerns the sender's set-up first, then what names the recipient, then policy, then
 * the classes of RFC 3463, and at the end what the stage alone tells. A refusal is held against the recipient only where
 * the reply says so or where nothing but RCPT was refused: suppressing a good address costs more than one try too many.
 */
export const REPLY_RULES: readonly ReplyRule[] = [...IDENTITY_REPLIES, ...RECIPIENT_REPLIES, ...POLICY_REPLIES, ...CLASS_REPLIES];
