import { z } from 'zod';
import { InvalidInput } from '../../domain/shared/errors.ts';
import type { RecipientDataFunction } from './recipient-data.ts';

/** A class of work with its own workers; see `PennypostOptions.lanes`. */
export type Lane = 'transactional' | 'bulk' | 'background';

const LANES: readonly Lane[] = ['transactional', 'bulk', 'background'];

/** The log of an instance, for its operators; pino, winston and consola fit as they are. It never contains addresses or secrets. */
export interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** Everything is optional: without any option there is an embedded database in `./.pennypost`, and mail stays in the development inbox. */
export interface PennypostOptions {
  /**
   * A PostgreSQL (15 to 18) of one's own, as `postgresql://user:password@host:5432/database`; `secretKey` is needed with it. Its
   * schemas are called `pennypost_*`; nothing else in the database is looked at. Default: an embedded PostgreSQL 18 in `dataDir`,
   * which several processes on this machine may share.
   */
  readonly database?: string | { readonly url: string } | undefined;
  /** Where the embedded database and its secret key are kept; relative to the working directory. Default `.pennypost`. */
  readonly dataDir?: string | undefined;
  /**
   * Where mail is handed over: `smtp://user:password@relay.example.com:587`, or `smtps://`. Default: the development inbox of this
   * process, which delivers no mail.
   */
  readonly smtp?: string | undefined;
  /** Transports of projects may connect to hosts of this machine and its network. The server of `smtp` may always be private. Default false. */
  readonly allowPrivateHosts?: boolean | undefined;
  /** Parent of the directories to which transports of the kind `directory` write messages. Default: `eml` in `dataDir`. */
  readonly emlDir?: string | undefined;
  /**
   * Under which address recipients reach `fetch`: `https://mail.example.com` or `https://example.com/mail`. Links in mail begin
   * with it, in every process of the instance. Mail to real people needs https. Default: that of another process, or `http://127.0.0.1:8025`.
   */
  readonly publicUrl?: string | undefined;
  /**
   * 32 bytes as 64 hexadecimal digits (`openssl rand -hex 32`) or base64: links in mail are signed with it. The same on every
   * node of one database, for ever. After a change list the new one first and the old ones behind it. Default, with the
   * embedded database only: the value of `PENNYPOST_SECRET_KEY`, otherwise a file in `dataDir`, created on first use.
   */
  readonly secretKey?: string | readonly [string, ...string[]] | undefined;
  /** What this process works on after `start()`. `[]`: nothing; it only enqueues, with fewer connections. Default: all three. */
  readonly lanes?: readonly Lane[] | undefined;
  /** For the log on standard error, JSON lines: `debug`, `info`, `warn`, `error` or `silent`. Default `warn`. */
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'silent' | undefined;
  /** A log of the host's own; `logLevel` is then its affair. */
  readonly log?: Log | undefined;
  /** Data of the host for recipients of a campaign; see `RecipientDataFunction`. */
  readonly recipientData?: RecipientDataFunction | undefined;
  /** How long `recipientData` may take for one page, in milliseconds. Default 5,000. */
  readonly recipientDataTimeoutMs?: number | undefined;
  /** SMTP connections of this process, 1 to 1,000. Default 10. */
  readonly maxConnections?: number | undefined;
  /** Messages that a killed process may have handed over without having written it down, 1 to 100,000. Default 1,000. */
  readonly maxUnrecorded?: number | undefined;
  /** Campaign messages per second of all workers on the database together; the same in each of them. Default: as fast as the SMTP server takes them. */
  readonly messagesPerSecond?: number | undefined;
  /** Transport errors of this process without an answer between them after which a campaign pauses. Default 500. */
  readonly pauseAfterTransportErrors?: number | undefined;
  /** Final refusals in a row that concern the sender, not the recipients, after which a campaign pauses. Default 100. */
  readonly pauseAfterSenderFaults?: number | undefined;
  /** True: `fetch` shows the development inbox under `/inbox`, without authentication. For development; default false. */
  readonly showInbox?: boolean | undefined;
  /**
   * The address of the client, kept with opens and clicks; a host behind a proxy reads it from the header that its own proxy
   * sets. Default: the peer of the socket, where the host's server tells it (@hono/node-server does).
   */
  readonly clientAddress?: ((request: Request) => string | undefined) | undefined;
  /**
   * Told when outcomes can no longer be stored, which is a fault of pennypost or of the schema and not of a database that is away, or
   * when an embedded database that ended could not be started again for two minutes.
   * The instance is stopping already. Default: it is only logged.
   */
  readonly onFatal?: ((error: unknown) => void) | undefined;
}

/** Options with their defaults, checked. */
export type CheckedOptions = ReturnType<typeof checkOptions>;

const text = z.string().trim().min(1, 'is empty');
const whole = (least: number, most: number) => z.int().min(least).max(most);
const callable = z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function', 'must be a function');

const schema = z.strictObject({
  database: z
    .union([text, z.strictObject({ url: text })], 'must be a URL such as postgresql://user@host/database, or { url }')
    .optional(),
  dataDir: text.default('.pennypost'),
  smtp: text.refine(isSmtpUrl, 'must be like smtp://user:password@relay.example.com:587 (or smtps://)').optional(),
  allowPrivateHosts: z.boolean().default(false),
  emlDir: text.optional(),
  publicUrl: text
    .refine(isPublicUrl, 'must be like https://mail.example.com or https://example.com/mail, without a query')
    .transform((url) => url.replace(/\/+$/, ''))
    .default('http://127.0.0.1:8025'),
  secretKey: z.union([text, z.array(text).min(1)], 'must be a text, or several').optional(),
  lanes: z.array(z.enum(LANES)).default([...LANES]),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('warn'),
  log: z.custom<Log>(isLog, 'must have the functions info, warn and error').optional(),
  recipientData: callable.optional(),
  recipientDataTimeoutMs: whole(1, 600_000).default(5_000),
  maxConnections: whole(1, 1_000).default(10),
  maxUnrecorded: whole(1, 100_000).default(1_000),
  messagesPerSecond: whole(1, 1_000_000).optional(),
  pauseAfterTransportErrors: whole(1, 1_000_000).optional(),
  pauseAfterSenderFaults: whole(1, 1_000_000).optional(),
  showInbox: z.boolean().default(false),
  clientAddress: callable.optional(),
  onFatal: callable.optional(),
});

/** @throws InvalidInput whose pointer names the option at fault; a value never stands in the message, it may be a secret */
export function checkOptions(options: PennypostOptions) {
  const parsed = schema.safeParse(options);
  if (!parsed.success) throw faultOf(parsed.error.issues);
  const { database, secretKey, recipientData: _, clientAddress: __, onFatal: ___, ...rest } = parsed.data;
  const databaseUrl = typeof database === 'object' ? database.url : database;
  const secretKeys = typeof secretKey === 'string' ? [secretKey] : (secretKey ?? []);
  if (databaseUrl !== undefined && secretKeys.length === 0) {
    throw new InvalidInput(
      'createPennypost: `database` is set, so `secretKey` is required: 32 bytes, e.g. from `openssl rand -hex 32`, the same in every process.',
      '/secretKey',
    );
  }
  // Functions as they came: zod's view of them has lost their types.
  const { recipientData, clientAddress, onFatal } = options;
  const publicUrlGiven = options.publicUrl !== undefined;
  return { ...rest, databaseUrl, secretKeys, publicUrlGiven, recipientData, clientAddress, onFatal };
}

function faultOf([issue]: readonly z.core.$ZodIssue[]): InvalidInput {
  if (issue?.code === 'unrecognized_keys' && issue.path.length === 0) {
    const known = Object.keys(schema.shape).join(', ');
    return new InvalidInput(`createPennypost has no option ${issue.keys[0]}. It has ${known}.`, `/${issue.keys[0]}`);
  }
  const path = issue?.path.map(String) ?? [];
  const name = path.length === 0 ? 'the options' : path.join('.');
  return new InvalidInput(`createPennypost: ${name} ${worded(issue?.message ?? 'is invalid')}.`, ['', ...path].join('/'));
}

/** Our own messages go on from the option's name, zod's begin anew. */
const worded = (message: string): string => (/^[a-z]/.test(message) ? message : `is wrong: ${message}`);

function isSmtpUrl(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && /^smtps?:$/.test(url.protocol) && url.hostname !== '';
}

function isPublicUrl(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '';
}

function isLog(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return ['info', 'warn', 'error'].every((level) => typeof Reflect.get(value, level) === 'function');
}
