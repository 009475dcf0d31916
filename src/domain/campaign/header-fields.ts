import { hasControl } from '../shared/control-characters.ts';

/** Why a header field of the author's own cannot be sent. */
export interface HeaderFault {
  readonly code: 'header.invalid' | 'header.reserved' | 'header.injection' | 'line.too_long';
  readonly message: string;
}

/**
 * A token (RFC 9110) that begins with a letter or digit. RFC 5322 allows more, but a receiver removes a dot at the start of a
 * line, and `.Bcc` would arrive as `Bcc`.
 */
const NAME = /^[A-Za-z0-9][A-Za-z0-9!#$%&'*+\-.^_`|~]{0,75}$/;

/**
 * Fields that pennypost or the servers on the way write: sender, recipients, date, ids, encoding, and what receivers judge
 * bulk mail by. A second one would break RFC 5322 section 3.6 or the unsubscribe. Postfix takes Delivered-To for a loop.
 */
const RESERVED = new RegExp(
  `^(?:${[
    'from|sender|reply-to|to|cc|bcc|apparently-to|date|message-id|subject|return-path|received|received-spf|delivered-to',
    'mime-version|content-.*|resent-.*',
    'dkim-signature|domainkey-signature|arc-.*|authentication-results',
    'list-unsubscribe|list-unsubscribe-post|list-id|feedback-id|precedence|auto-submitted|x-auto-response-suppress',
    'errors-to|return-receipt-to|disposition-notification-.*|x-confirm-reading-to|x-pennypost-.*',
  ].join('|')})$`,
  'i',
);

/** SendGrid, SparkPost and Mandrill read recipients from them, by SMTP too: these would get mail past every suppression. */
const ADDRESSING = /^(?:x-smtpapi|x-msys-api|x-mc-bccaddress)$/i;

/** A line may have 998 octets (RFC 5322), and a value without a blank cannot be folded. */
const VALUE_LIMIT = 900;

/** The faults of an author's own header fields, each with the name of its field. The only list of reserved names. */
export function* headerFaults(headers: Readonly<Record<string, string>>): Generator<readonly [name: string, HeaderFault]> {
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(headers)) {
    const shown = JSON.stringify(name.slice(0, 60));
    const lower = name.toLowerCase();
    if (!NAME.test(name)) {
      const message = `${shown} is not a header name. Use letters, digits and hyphens, up to 76, and begin with a letter or digit.`;
      yield [name, { code: 'header.invalid', message }];
    } else if (RESERVED.test(name)) {
      yield [name, { code: 'header.reserved', message: `The header ${shown} is written by pennypost. Remove it.` }];
    } else if (ADDRESSING.test(name)) {
      const message = `The header ${shown} could make a provider send to further recipients. Remove it, and name them in the message.`;
      yield [name, { code: 'header.reserved', message }];
    } else if (seen.has(lower)) {
      yield [name, { code: 'header.invalid', message: `The header ${shown} is given twice. Remove one of them.` }];
    }
    seen.add(lower);
    if (hasControl(value)) {
      const message = `The value of the header ${shown} contains a line break or control character. Write it on one line.`;
      yield [name, { code: 'header.injection', message }];
    } else if (value.length > VALUE_LIMIT) {
      const message = `The value of the header ${shown} has ${value.length} characters; the limit is ${VALUE_LIMIT}.`;
      yield [name, { code: 'line.too_long', message }];
    }
  }
}
