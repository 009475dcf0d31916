/**
 * The development inbox: a real SMTP server inside this process that accepts everything and delivers nothing. It keeps
 * the newest messages in memory for its web page, counts all received messages, and parses messages only when a page
 * looks at them, so that a campaign can be sent into it at full speed. No authentication, no TLS: bind it to loopback.
 */
import type { AddressInfo } from 'node:net';
import { domainToASCII } from 'node:url';
import type { SMTPServer, SMTPServerDataStream, SMTPServerOptions, SMTPServerSession } from 'smtp-server';
import { type MessageList, type MessageListRequest, MessageStore, type ReceivedMessage } from './message-store.ts';
import { type InboxMessage, parseMessage } from './parse.ts';
import { unstuffLikeServers } from './unstuffing.ts';

export interface InboxOptions {
  /** Default 0: a free one. */
  readonly port?: number | undefined;
  /** Default 127.0.0.1. The inbox has no authentication: do not open it to a network without need. */
  readonly host?: string | undefined;
  /** How many messages are kept, default 10,000. */
  readonly keep?: number | undefined;
  /** How many octets of messages are kept, default 512 MB. */
  readonly keepBytes?: number | undefined;
}

const MESSAGE_BYTES = 50 * 1024 * 1024;
/** How long clients may hold on to their idle connections once the inbox closes. */
const CLOSE_MILLISECONDS = 100;

/** @throws Error that names the port when it is taken or not ours to use. */
export async function startInbox(options: InboxOptions = {}): Promise<Inbox> {
  const { SMTPServer } = await import('smtp-server');
  const host = options.host ?? '127.0.0.1';
  const store = new MessageStore({ keep: options.keep ?? 10_000, keepBytes: options.keepBytes ?? 512 * 1024 * 1024 });
  const listeners = new Set<InboxListener>();
  const server = new SMTPServer({
    ...serverOptions,
    onData(stream, session, callback) {
      collect(stream, (raw) => {
        // smtp-server answers 552 by itself (`rejectOversized`).
        if (stream.sizeExceeded) return callback();
        const message = store.add({ receivedAt: new Date(), envelope: envelopeOf(session), raw });
        callback(null, `OK: kept as message ${message.id}`);
        for (const listener of listeners) listener(message);
      });
    },
  });
  unstuffLikeServers(server);
  await listen(server, options.port ?? 0, host);
  return new Inbox({ server, host, store, listeners });
}

export type InboxListener = (message: ReceivedMessage) => void;

export class Inbox {
  readonly host: string;
  readonly port: number;
  private readonly server: SMTPServer;
  private readonly store: MessageStore;
  private readonly listeners: Set<InboxListener>;

  constructor(parts: { server: SMTPServer; host: string; store: MessageStore; listeners: Set<InboxListener> }) {
    this.server = parts.server;
    this.host = parts.host;
    this.port = (parts.server.server.address() as AddressInfo).port;
    this.store = parts.store;
    this.listeners = parts.listeners;
  }

  /** What a transport is given: `smtp://127.0.0.1:2525`. */
  get url(): string {
    return `smtp://${this.host.includes(':') ? `[${this.host}]` : this.host}:${this.port}`;
  }

  /** All messages received so far, kept or not. */
  received(): number {
    return this.store.received;
  }

  /** Distinct envelope recipients of all messages received so far, kept or not. */
  recipients(): number {
    return this.store.recipients;
  }

  list(request?: MessageListRequest): MessageList {
    return this.store.list(request);
  }

  /** Undefined when there is no such message, or no longer. */
  async get(id: string): Promise<InboxMessage | undefined> {
    const message = this.store.get(id);
    return message === undefined ? undefined : parseMessage(message);
  }

  raw(id: string): Buffer | undefined {
    return this.store.get(id)?.raw;
  }

  /** Called for every message once it is accepted. Returns what ends the subscription. */
  onMessage(listener: InboxListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Forgets the messages and the counts. */
  clear(): void {
    this.store.clear();
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

const serverOptions: SMTPServerOptions = {
  name: 'inbox.localhost',
  banner: 'pennypost development inbox',
  disabledCommands: ['AUTH', 'STARTTLS'],
  authOptional: true,
  disableReverseLookup: true,
  // What a strict server would refuse should be seen here rather than vanish.
  lenientAddressParsing: true,
  size: MESSAGE_BYTES,
  rejectOversized: true,
  closeTimeout: CLOSE_MILLISECONDS,
  logger: false,
};

function collect(stream: SMTPServerDataStream, done: (raw: Buffer) => void): void {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => {
    if (!stream.sizeExceeded) chunks.push(chunk);
  });
  // Copied even when there is one chunk: it is a view on the socket's 64 kB buffer and would keep all of that alive.
  stream.on('end', () => done(Buffer.concat(chunks)));
}

function envelopeOf(session: SMTPServerSession): ReceivedMessage['envelope'] {
  const { mailFrom, rcptTo } = session.envelope;
  return {
    from: mailFrom === false ? '' : asWritten(mailFrom.address),
    to: rcptTo.map((recipient) => asWritten(recipient.address)),
  };
}

/** smtp-server shows international domains as Unicode; the inbox keeps the A-labels of the wire. ASCII domains (nearly all) stay untouched. */
function asWritten(address: string): string {
  const at = address.lastIndexOf('@');
  const domain = address.slice(at + 1);
  return at === -1 || /^[\x20-\x7e]*$/.test(domain) ? address : `${address.slice(0, at)}@${domainToASCII(domain) || domain}`;
}

function listen(server: SMTPServer, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE'
          ? 'the port is in use'
          : error.code === 'EACCES'
            ? 'this user may not use the port'
            : error.message;
      reject(
        new Error(`The development inbox cannot listen on ${host}:${port}: ${why}. Choose another port, or 0 for a free one.`),
      );
    };
    server.once('error', refuse);
    server.listen(port, host, () => {
      server.off('error', refuse);
      // From now on an error is a client that went away in mid-sentence: nothing was accepted, nothing is to be done.
      server.on('error', () => undefined);
      resolve();
    });
  });
}
