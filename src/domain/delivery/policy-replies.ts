import type { ReplyRule } from './reply-rule.ts';

/** Refusals of the sender's set-up: its login, its identity, and the proof of it. */
export const IDENTITY_REPLIES: readonly ReplyRule[] = [
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
];

/** Refusals of the content, the volume, and the reputation of the sender. */
export const POLICY_REPLIES: readonly ReplyRule[] = [
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
];
