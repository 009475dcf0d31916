import type { ReplyRule } from './reply-rule.ts';

/** Replies that name the recipient, or the recipient's turn to wait. */
export const RECIPIENT_REPLIES: readonly ReplyRule[] = [
  {
    name: 'greylisting',
    code: /^4/,
    text: /gr[ae]y[- ]?list|come back later|try again in \d+ (?:second|minute)/i,
    fault: 'none',
    reason: 'greylisted',
    examples: [
      'rcpt: 450 4.2.0 <reader@example.com>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.com.html',
      'rcpt: 451 4.7.1 Greylisting in action, please come back later',
      'rcpt: 450 4.7.1 Please try again in 300 seconds',
    ],
  },
  {
    name: 'mailbox-full',
    enhanced: /^[45]\.2\.2$/,
    fault: 'recipient',
    reason: 'mailbox_full',
    examples: [
      "rcpt: 452-4.2.2 The recipient's inbox is out of storage space and inactive. Please direct the recipient to https://support.google.com/mail/?p=OverQuotaTemp",
      'rcpt: 552 5.2.2 Mailbox full',
      'body: 452 4.2.2 <reader@example.com> Quota exceeded (mailbox for user is full)',
    ],
  },
  {
    name: 'mailbox-full-text',
    text: /over ?quota|(?:mailbox|inbox|account) (?:is )?full|quota (?:is )?exceeded|exceed(?:s|ed)? .{0,30}(?:mailbox|storage|quota)|out of storage/i,
    fault: 'recipient',
    reason: 'mailbox_full',
    examples: [
      'rcpt: 552 1 Requested mail action aborted, mailbox is full',
      'rcpt: 422 The recipient mailbox has exceeded its storage limit',
      'body: 554 delivery error: dd Sorry, your message to reader@yahoo.com cannot be delivered. This account is over quota.',
    ],
  },
  {
    name: 'recipient-busy',
    code: /^4/,
    enhanced: /^4\.2\.1$/,
    fault: 'recipient',
    reason: 'recipient_busy',
    examples: [
      'rcpt: 450-4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered.',
    ],
  },
  {
    name: 'mailbox-disabled',
    enhanced: /^5\.2\.1$/,
    fault: 'recipient',
    reason: 'mailbox_disabled',
    examples: [
      'rcpt: 550-5.2.1 The email account that you tried to reach is inactive. For more information, go to https://support.google.com/mail/?p=DisabledUser',
      'rcpt: 550 5.2.1 <reader@example.com>... Mailbox disabled for this recipient',
    ],
  },
  {
    // Microsoft answers an unknown recipient at its edge with a routing code and the word "Access denied".
    name: 'microsoft-unknown-recipient',
    enhanced: /^5\.4\.1$/,
    text: /recipient address rejected/i,
    fault: 'recipient',
    reason: 'unknown_recipient',
    examples: [
      'rcpt: 550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [DB5EUR01FT001.eop-EUR01.prod.protection.outlook.com]',
    ],
  },
  {
    name: 'no-mail-domain',
    enhanced: /^5\.1\.(?:2|10)$/,
    fault: 'recipient',
    reason: 'no_mail_domain',
    examples: [
      'rcpt: 556 5.1.10 <reader@example.com>: Recipient address rejected: Domain example.com does not accept mail (nullMX)',
      'rcpt: 550 5.1.2 <reader@exmaple.invalid>: Recipient address rejected: Domain not found',
    ],
  },
  {
    name: 'no-mail-domain-code',
    stages: ['rcpt', 'body'],
    code: /^(?:521|556)$/,
    fault: 'recipient',
    reason: 'no_mail_domain',
    examples: ['rcpt: 521 example.com does not accept mail (see RFC 7504)'],
  },
  {
    name: 'bad-address',
    enhanced: /^5\.1\.3$/,
    fault: 'recipient',
    reason: 'bad_address',
    examples: [
      'rcpt: 501 5.1.3 Bad recipient address syntax',
      'rcpt: 553-5.1.3 The recipient address <a..b@example.com> is not a valid RFC 5321 address.',
    ],
  },
  {
    name: 'unknown-recipient',
    stages: ['rcpt', 'data', 'body'],
    enhanced: /^5\.1\.[016]$/,
    fault: 'recipient',
    reason: 'unknown_recipient',
    examples: [
      "rcpt: 550-5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos",
      'rcpt: 550 5.1.1 <reader@example.com>: Recipient address rejected: User unknown in local recipient table',
      'rcpt: 550 5.1.0 Address rejected.',
      'rcpt: 551 5.1.6 The recipient has moved and left no forwarding address',
    ],
  },
  {
    name: 'unknown-recipient-text',
    stages: ['rcpt', 'data', 'body'],
    code: /^5/,
    text: /(?:user|recipient|mailbox|account|address|alias)\b.{0,40}(?:unknown|not (?:found|known|exist)|n['o]t exist|does not exist|doesn't (?:exist|have)|unavailable|is invalid|no longer)|(?:unknown|no such|invalid|nonexistent) (?:local )?(?:user|recipient|mailbox|account|address|person)|not our customer|no mailbox here/i,
    fault: 'recipient',
    reason: 'unknown_recipient',
    examples: [
      'rcpt: 550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). [VE1EUR01FT001.eop-EUR01.prod.protection.outlook.com]',
      "body: 554 delivery error: dd This user doesn't have a yahoo.com account (reader@yahoo.com) [0] - mta4001.mail.ne1.yahoo.com",
      'rcpt: 550 Requested action not taken: mailbox unavailable',
      'rcpt: 550 No such user here',
      'rcpt: 550 Unknown user',
      'rcpt: 550 5.7.1 <reader@example.com>: Recipient unknown',
    ],
  },
];
