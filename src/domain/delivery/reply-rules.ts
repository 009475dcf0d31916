import type { AttemptOutcome, Fault } from './attempt.ts';

/** The command that was answered; `body` is the reply to the final dot. */
export type ReplyStage = 'mail' | 'rcpt' | 'data' | 'body';

/** Why a message was refused, in the words of reports. */
export type ReplyReason =
  | 'accepted'
  | 'unknown_recipient'
  | 'bad_address'
  | 'mailbox_disabled'
  | 'mailbox_full'
  | 'recipient_busy'
  | 'no_mail_domain'
  | 'greylisted'
  | 'rate_limited'
  | 'authentication'
  | 'reputation'
  | 'content'
  | 'too_big'
  | 'policy'
  | 'sender_address'
  | 'relay_denied'
  | 'relay_configuration'
  | 'unsupported'
  | 'next_hop'
  | 'protocol'
  | 'unknown';

/** One row: every condition that is given must hold. The first row that matches wins. */
export interface ReplyRule {
  /** A verdict names its rule; stable. */
  readonly name: string;
  readonly stages?: readonly ReplyStage[];
  readonly code?: RegExp;
  /** Against the RFC 3463 status; a reply without one never matches. */
  readonly enhanced?: RegExp;
  /** Against the text without the codes. */
  readonly text?: RegExp;
  /** Only where the class of the basic code must not decide. */
  readonly outcome?: Exclude<AttemptOutcome, 'submitted' | 'in_doubt'>;
  readonly fault: Fault;
  readonly reason: ReplyReason;
  /** The replies that the row was written for, as `stage: reply`; they are its test. */
  readonly examples: readonly string[];
}

/**
 * Replies of real servers, in order: what is about our own set-up first, then what names the recipient, then policy, then
 * the classes of RFC 3463, and at the end what the stage alone tells. A refusal is held against the recipient only where
 * the reply says so or where nothing but RCPT was refused: suppressing a good address costs more than one try too many.
 */
export const REPLY_RULES: readonly ReplyRule[] = [
  {
    // Nothing about this message: every other one meets the same answer, so it must not end as rejected for good.
    name: 'session-authentication',
    code: /^(?:530|534|535|538|454)$/,
    outcome: 'deferred',
    fault: 'transport',
    reason: 'relay_configuration',
    examples: [
      'mail: 530 5.7.0 Must issue a STARTTLS command first',
      'mail: 530 5.7.57 Client not authenticated to send mail. [AM0PR10CA0001.EURPRD10.PROD.OUTLOOK.COM]',
      'mail: 535 5.7.8 Error: authentication failed: authentication failure',
      'mail: 454 4.7.0 Temporary authentication failure: Connection lost to authentication server',
    ],
  },
  {
    name: 'command-sequence',
    code: /^503$/,
    outcome: 'deferred',
    fault: 'transport',
    reason: 'protocol',
    examples: ['data: 503 5.5.1 Error: need RCPT command', 'mail: 503 5.5.1 Error: nested MAIL command'],
  },
  {
    name: 'sender-address',
    enhanced: /^[45]\.1\.[78]$/,
    fault: 'sender',
    reason: 'sender_address',
    examples: [
      'rcpt: 450 4.1.8 <news@example.invalid>: Sender address rejected: Domain not found',
      'mail: 553 5.1.8 <news@example.invalid>... Domain of sender address news@example.invalid does not exist',
      'mail: 550 5.1.7 <b+1@bounces.example.com>: Sender address rejected: unverified address',
    ],
  },
  {
    name: 'sender-address-text',
    text: /sender (?:address )?(?:rejected|denied|is not allowed)|(?:domain of|unknown) sender|sender verif|not allowed to send|envelope (?:from|sender)|SendAsDenied/i,
    fault: 'sender',
    reason: 'sender_address',
    examples: [
      'mail: 554 5.2.252 SendAsDenied; news@example.com not allowed to send as shop@example.com',
      'rcpt: 550 Sender verify failed',
      'mail: 553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)',
    ],
  },
  {
    name: 'gmail-microsoft-authentication',
    enhanced: /^[45]\.7\.(?:20|21|22|23|25|26|27|29|30|32|509|515)$/,
    fault: 'sender',
    reason: 'authentication',
    examples: [
      'body: 550-5.7.26 Your email has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM.',
      'body: 421-4.7.26 Your email has been rate limited because it is unauthenticated.',
      'body: 421-4.7.27 Your email has been rate limited because the SPF record of the domain did not pass.',
      'body: 550-5.7.25 [192.0.2.1] The IP address sending this message does not have a PTR record setup.',
      'body: 421-4.7.29 Your email has been rate limited because this message was not sent over a TLS connection.',
      'body: 550-5.7.30 Your email has been blocked because the DKIM signature did not pass.',
      'body: 421-4.7.32 Your email has been rate limited because the From: header is not aligned with either the authenticated SPF or DKIM organizational domain.',
      'body: 550 5.7.515 Access denied, sending domain example.com does not meet the required authentication level.',
      'body: 550 5.7.509 Access denied, sending domain example.com does not pass DMARC verification and has a DMARC policy of reject.',
    ],
  },
  {
    name: 'authentication-text',
    text: /\b(?:dmarc|dkim|spf)\b|unauthenticated|not authenticated|reverse (?:dns|host|hostname)|\bptr\b/i,
    fault: 'sender',
    reason: 'authentication',
    examples: [
      "body: 550 5.7.1 Unauthenticated email from example.com is not accepted due to domain's DMARC policy.",
      'body: 554 5.7.5 Permanent error evaluating DMARC policy',
      'body: 553 5.7.2 [TSS09] All messages from 192.0.2.1 will be permanently deferred; DKIM signature missing',
      'rcpt: 450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]',
      'rcpt: 550 5.7.1 SPF check failed',
    ],
  },
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
  {
    name: 'too-big',
    enhanced: /^[45]\.(?:3\.4|2\.3)$/,
    fault: 'sender',
    reason: 'too_big',
    examples: [
      "mail: 552-5.3.4 Your message exceeded Google's message size limits.",
      'mail: 552 5.3.4 Message size exceeds fixed limit',
      'rcpt: 552 5.2.3 Message length exceeds administrative limit',
    ],
  },
  {
    name: 'too-big-text',
    text: /(?:message|mail|size).{0,40}(?:too (?:big|large)|exceeds? .{0,20}(?:limit|size|maximum))/i,
    fault: 'sender',
    reason: 'too_big',
    examples: ['mail: 552 Message size exceeds maximum permitted', 'body: 554 Message is too large; limit is 10240000 bytes'],
  },
  {
    name: 'relay-denied',
    text: /relay(?:ing)? (?:access )?(?:denied|not permitted|not allowed|prohibited)|unable to relay|not permitted to relay|we do not relay/i,
    fault: 'sender',
    reason: 'relay_denied',
    examples: [
      'rcpt: 554 5.7.1 <reader@example.com>: Relay access denied',
      'rcpt: 550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain',
      'rcpt: 550 relay not permitted',
    ],
  },
  {
    name: 'gmail-rate',
    enhanced: /^4\.7\.28$/,
    fault: 'sender',
    reason: 'rate_limited',
    examples: ['body: 421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP address.'],
  },
  {
    name: 'rate-limit-text',
    text: /rate[- ]?limit|too many (?:messages|connections|recipients|emails|concurrent|sessions|errors|invalid)|throttl|sending (?:limit|quota|rate)|(?:daily|hourly|message) (?:limit|quota)|\[TS[S0]0?\d|temporarily deferred|server busy|maximum (?:send|sending) rate/i,
    fault: 'sender',
    reason: 'rate_limited',
    examples: [
      'mail: 421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes',
      'rcpt: 451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)',
      'mail: 451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.',
      'body: 451 4.3.0 Throttling failure: Maximum sending rate exceeded.',
      'rcpt: 450 4.7.1 Error: too many recipients from 192.0.2.1',
      'mail: 421 4.7.0 mx.example.com Error: too many errors',
      'mail: 421 Too many concurrent SMTP connections',
      'rcpt: 550-5.4.5 Daily user sending limit exceeded.',
    ],
  },
  {
    name: 'reputation-text',
    text: /spamhaus|barracuda|sorbs|spamcop|proofpoint|cloudmark|block(?:ed|ing)? ?list|black ?list|deny ?list|\brbl\b|dnsbl|reputation|\bS3(?:140|150)\b|banned sending ip|your (?:ip|network|host) .{0,40}block|client host .{0,60}(?:blocked|rejected)|poor sender/i,
    fault: 'sender',
    reason: 'reputation',
    examples: [
      'rcpt: 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1',
      "mail: 550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140).",
      'rcpt: 550 5.7.606 Access denied, banned sending IP [192.0.2.1]',
      'body: 550-5.7.1 [192.0.2.1] Our system has detected that this message is likely suspicious due to the very low reputation of the sending domain.',
    ],
  },
  {
    name: 'content-text',
    text: /\bspam|unsolicited|virus|malware|phish|content (?:rejected|denied|filter)|message content|header .{0,30}(?:missing|invalid)|objectionable|\[PH01\]/i,
    fault: 'sender',
    reason: 'content',
    examples: [
      'body: 550-5.7.1 [192.0.2.1 12] Our system has detected that this message is likely unsolicited mail.',
      'body: 550 5.7.1 This message has been blocked because it contains spam',
      'body: 554 5.7.9 Message not accepted for policy reasons: [PH01] see https://postmaster.yahooinc.com/error-codes',
      'body: 550 5.7.1 Message rejected: virus found (Eicar-Test-Signature)',
      'body: 554 5.7.1 The message was rejected because it contains prohibited virus or spam content',
      'body: 552-5.7.0 This message was blocked because its content presents a potential security issue: message content',
    ],
  },
  {
    name: 'policy',
    enhanced: /^[45]\.7\.\d+$/,
    fault: 'sender',
    reason: 'policy',
    examples: [
      'body: 550 5.7.1 Message rejected due to local policy',
      'rcpt: 450 4.7.1 <client.example.com[192.0.2.1]>: Helo command rejected: Host not found',
      'rcpt: 550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required',
      'body: 421-4.7.0 This message is suspicious, please visit https://support.google.com/mail/answer/188131',
      'body: 554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes',
    ],
  },
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
    // After RCPT was accepted a refusal without a word about the recipient is about what we sent.
    name: 'message-stage',
    fault: 'sender',
    reason: 'unknown',
    examples: ['body: 554 Transaction failed', 'data: 550 No', 'body: 450 Later, please'],
  },
];
