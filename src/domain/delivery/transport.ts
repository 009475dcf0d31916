import type { Attempt } from './attempt.ts';

/** What the SMTP transaction says, as opposed to what the message says (RFC 5321 section 2.3.1). One recipient each. */
export interface Envelope {
  readonly from: string;
  readonly to: string;
  /** True when the local part needs SMTPUTF8 on every hop (RFC 6531). */
  readonly smtputf8: boolean;
}

export interface OutgoingMessage {
  readonly envelope: Envelope;
  /** Complete message, CRLF line ends, ends with CRLF, not dot-stuffed. Must not change until `submit` settles. */
  readonly content: Uint8Array;
  /**
   * The composer's promise that no line of the content begins with a dot and that every line ends with CRLF: then the transport does not look for
   * such dots again, which takes 7 us for 40 kB. Default: false.
   */
  readonly dotSafe?: boolean | undefined;
  /**
   * Whether the message may (still) be sent: false when the lease is gone, the campaign is paused or the recipient has unsubscribed.
   * A question without effects: a transport asks it as often as it likes, also of a message that waits. It decides before MAIL,
   * where false withdraws the message without a trace on the wire, and again before the content, where false closes the
   * connection and nothing was sent.
   */
  readonly proceed?: (() => boolean) | undefined;
  /** Called once, when the first byte of the transaction is about to be written. The message can still come back as withdrawn. */
  readonly onHandOver?: (() => void) | undefined;
  /**
   * Called once, when the content is about to be written: from here on the message may have arrived. It can come back as withdrawn only
   * where the next hop has said that it did not take it and is to be asked again later.
   */
  readonly onContent?: (() => void) | undefined;
}

/** The message was given back untouched. */
export interface Withdrawn {
  readonly outcome: 'withdrawn';
}

/** What a transport can do, as plain data that does not change. */
export interface TransportCapabilities {
  /** Most messages that one call to the next hop may hold. 1: each message is a call or an SMTP transaction of its own. */
  readonly batchSize: number;
  /**
   * `mime`: the next hop takes the composed message as it is, so that signatures hold. `fields`: it is given subject, bodies, headers and
   * attachments, and composes a message of its own.
   */
  readonly content: 'mime' | 'fields';
  /** Every header of the message reaches the recipient, but for those that the next hop itself must write. */
  readonly keepsHeaders: boolean;
  /** The Message-ID of the message reaches the recipient. Otherwise the provider writes its own. */
  readonly keepsMessageId: boolean;
  /** An accepted attempt has a `providerMessageId`. */
  readonly givesMessageId: boolean;
  /**
   * Milliseconds for which a message in doubt can be submitted again without a second copy, because the next hop recognises it by its
   * Message-ID and recipient. Undefined: a second submission may be a second copy.
   */
  readonly repeatSafeMs: number | undefined;
}

/**
 * Our means of handing messages over. It owns its connections, keeps them alive between messages, and never loses the
 * message at hand: every `submit` settles with what is known about it. `submit` rejects only for programming errors.
 */
export interface Transport {
  readonly name: string;
  /** How many connections it may have; callers keep about two messages per slot waiting. */
  readonly slots: number;
  /** How many messages a slot has on the way at once, as far as it is known now: grows where the next hop takes several together. */
  readonly depth: number;
  readonly capabilities: TransportCapabilities;
  submit(message: OutgoingMessage): Promise<Attempt | Withdrawn>;
  /** What its messages wait for, as text to display; read when nothing moves. Empty when there is no message. */
  waits(): readonly string[];
  /** Opens a connection, greets and authenticates, without mail. @throws Error that says what is wrong and where. */
  verify(): Promise<void>;
  /**
   * Withdraws what waits, finishes what is on the wire, says QUIT. What has no answer after `patienceMs` is cut off, and in doubt if
   * all of its content has left. Default: the transport's own.
   */
  close(patienceMs?: number): Promise<void>;
}
