import { isAscii } from 'node:buffer';
import type { Attempt, Envelope, OutgoingMessage } from '../../domain/delivery/index.ts';
import { asBuffer, dotStuffed, endedByLine, StrayLineEnd } from './dot-stuffing.ts';

/** What the server said in its EHLO reply that a transaction depends on. */
export interface SmtpExtensions {
  /** RFC 2920. */
  readonly pipelining: boolean;
  /** RFC 3030. */
  readonly chunking: boolean;
  /** RFC 1870: undefined when not offered, 0 when offered without a limit. */
  readonly maxSize: number | undefined;
  /** RFC 6152. */
  readonly eightBitMime: boolean;
  /** RFC 6531. */
  readonly smtputf8: boolean;
}

const PLAIN_ADDRESS = /^[\w.+=~!#$%&'*/?^`{|}-]{1,64}@[A-Za-z0-9.-]{1,255}$/;
/** A dot-string or a quoted string, then a domain; nothing that could end the path or the command line. */
const ANY_ADDRESS = /^(?:"(?:[^"\\\p{Cc}]|\\[^\p{Cc}])*"|[^\s"<>@(),:;\\\p{Cc}]+)@[^\s<>@"\\\p{Cc}]+$/u;
const NOT_ASCII = /[\u0080-\uffff]/;
/** RFC 5321 section 4.5.3.1.3: 256 octets with the angle brackets. */
const MAX_PATH_OCTETS = 254;

/** Why an address cannot stand in an envelope, or undefined. The null return path is the empty string. */
function addressFault(address: string): string | undefined {
  if (PLAIN_ADDRESS.test(address) && address.length <= MAX_PATH_OCTETS) return undefined;
  if (Buffer.byteLength(address) > MAX_PATH_OCTETS) return 'is longer than 254 octets (RFC 5321 section 4.5.3.1)';
  return ANY_ADDRESS.test(address) ? undefined : 'is not valid in an SMTP envelope';
}

const refused = (enhancedCode: string, reply: string, fault: Attempt['fault']): Attempt => ({
  outcome: 'rejected',
  code: undefined,
  enhancedCode,
  reply,
  fault,
});

/** Refuses what must never reach a wire: an address with CR, LF, angle brackets or blanks is a command injection. */
export function refuseEnvelope(envelope: Envelope): Attempt | undefined {
  const recipient = addressFault(envelope.to);
  // Without the address, which the reader knows anyway: so equal refusals are counted together.
  if (recipient !== undefined) return refused('5.1.3', `The recipient's address ${recipient}.`, 'recipient');
  const returnPath = envelope.from === '' ? undefined : addressFault(envelope.from);
  if (returnPath !== undefined)
    return refused('5.1.7', `The return path ${JSON.stringify(envelope.from.slice(0, 100))} ${returnPath}.`, 'sender');
  return undefined;
}

/** One transaction, ready for the wire, or the attempt that ends it because this server cannot carry the message. */
export type Transaction =
  | { readonly mail: string; readonly rcpt: string; readonly content: Buffer }
  | { readonly refusal: Attempt };

/**
 * @param server name of the server in replies that the transport makes itself
 * @param asChunk the content goes in a BDAT chunk, whose size is told, so that no dot has to be doubled
 */
export function transactionFor(
  message: OutgoingMessage,
  extensions: SmtpExtensions,
  server: string,
  asChunk = false,
): Transaction {
  const { envelope, content } = message;
  let parameters = '';
  if (extensions.maxSize !== undefined) {
    if (extensions.maxSize > 0 && content.length > extensions.maxSize) {
      const reply = `The message has ${content.length} bytes; ${server} takes at most ${extensions.maxSize} (RFC 1870).`;
      return { refusal: refused('5.3.4', reply, 'sender') };
    }
    parameters = ` SIZE=${content.length}`;
  }
  if (envelope.smtputf8 || NOT_ASCII.test(envelope.to) || NOT_ASCII.test(envelope.from)) {
    const reply = `${server} does not offer SMTPUTF8, which the address needs (RFC 6531).`;
    if (!extensions.smtputf8) return { refusal: refused('5.6.7', reply, 'transport') };
    parameters += ' SMTPUTF8';
  }
  if (!isAscii(content)) {
    const reply = `${server} does not offer 8BITMIME, and the message has 8-bit bytes (RFC 6152).`;
    if (!extensions.eightBitMime) return { refusal: refused('5.6.3', reply, 'transport') };
    parameters += ' BODY=8BITMIME';
  }
  try {
    return {
      mail: `MAIL FROM:<${envelope.from}>${parameters}\r\n`,
      rcpt: `RCPT TO:<${envelope.to}>\r\n`,
      content: message.dotSafe === true ? asBuffer(content) : asChunk ? endedByLine(content) : dotStuffed(content),
    };
  } catch (error) {
    if (error instanceof StrayLineEnd) return { refusal: refused('5.6.0', error.message, 'sender') };
    throw error;
  }
}
