import { hostname } from 'node:os';
import type { RecipientDataSource } from '../application/delivery/bulk/sending-ports.ts';
import type { Log } from '../application/log.ts';
import type { Scope } from '../application/unit-of-work.ts';
import { type Dns, KeyRing } from '../domain/access/index.ts';
import { isLoopbackHost, type RetryPolicy, type Transport } from '../domain/delivery/index.ts';
import { cleanUp } from '../domain/shared/clean-up.ts';
import type { Clock } from '../domain/shared/clock.ts';
import { DomainError } from '../domain/shared/errors.ts';
import { type Config, readSecretKeys } from './config.ts';
import { tokens, type Wired, wire } from './container.ts';
import { ehloName } from './ehlo-name.ts';
import type { Inbox } from './inbox/inbox.ts';
import { Lifecycle } from './lifecycle.ts';
import { checkServer, openDatabase } from './postgres/database.ts';
import { databaseClock } from './postgres/database-clock.ts';
import { DatabaseRestarting } from './postgres/errors.ts';
import { migrate, pendingMigrations } from './postgres/migrate.ts';
import { breakSilence, openOrm } from './postgres/orm.ts';
import { hasEnded, processName } from './postgres/process-mark.ts';
import { pooledSql } from './postgres/session.ts';
import { sessionName } from './postgres/session-name.ts';
import { systemClock } from './system.ts';
import { createTransport } from './transports/create-transport.ts';
import { MemoryTransport } from './transports/memory.ts';
import type { SmtpEvent } from './transports/smtp-pool.ts';
import { parseSmtpUrl, smtpSettings } from './transports/smtp-url.ts';

/** Where messages go. `inbox`: the development inbox of this process. `none`: nowhere; nothing of this process sends. */
export type Destination = 'smtp' | 'inbox' | 'none';

export interface OpenOptions {
  readonly config: Config;
  readonly log: Log;
  /** Default: `smtp` when the configuration names a server, otherwise `inbox`. */
  readonly destination?: Destination | undefined;
  readonly transport?: Transport | undefined;
  /** Whether mail stays on this machine, where the caller knows better than the configuration. */
  readonly localTransport?: boolean | undefined;
  /** Default true: bring the schema up to date. False: refuse to start on an older schema. */
  readonly migrate?: boolean | undefined;
  /** False: where there is no embedded database none is made. Default true. */
  readonly createsDatabase?: boolean | undefined;
  /** Takes over an embedded database when the process that runs it ends: for long-running processes. Default false. */
  readonly inheritsDatabase?: boolean | undefined;
  /**
   * What to do with the public URL of the configuration. `replaces`: this process serves, so it is that of the instance from now on.
   * `once`: it is, unless one is stored. Default: nothing.
   */
  readonly keepsPublicUrl?: 'replaces' | 'once' | undefined;
  /** See `LaunchOptions.servesInbox`: the public URL of the configuration is that of a server whose inbox takes the mail. */
  readonly servesInbox?: boolean | undefined;
  /** True when this process runs workers. */
  readonly works: boolean;
  /** Of this machine. Only its monotonic time is used: dates come from the database's clock. */
  readonly clock?: Clock | undefined;
  /** Default: the name servers of this machine. */
  readonly dns?: Dns | undefined;
  readonly bulkRetry?: RetryPolicy | undefined;
  readonly transactionalRetry?: RetryPolicy | undefined;
  readonly recipientData?: RecipientDataSource | undefined;
  readonly shardSize?: number | undefined;
  /** Milliseconds without an answer of the database after which another connection is tried. Default 30,000 with workers, 65,000 without. */
  readonly databasePatienceMs?: number | undefined;
  readonly secretKeys?: readonly [Buffer, ...Buffer[]] | undefined;
  /** This instance cannot go on: outcomes cannot be recorded, or the embedded database does not come back. */
  readonly onFatal?: ((error: unknown) => void) | undefined;
}

/** Three leases: a worker that is silent for longer has lost its shards anyway. */
const DATABASE_PATIENCE_MS = 30_000;
/** A node without workers waits as long as a statement may take. */
const REQUEST_PATIENCE_MS = 65_000;

/** A running instance: everything opened, nothing yet working. */
export interface Opened extends Wired {
  readonly keys: KeyRing;
  readonly inbox: Inbox | undefined;
  /** One line to display: which database, and how mail is sent. */
  readonly description: string;
  /** The first half of it. */
  readonly database: string;
  /** The embedded database is run by another process. */
  readonly databaseBorrowed: boolean;
  /** What links in mail begin with: as it is stored for the instance, otherwise as it is set here. */
  readonly publicUrl: string;
  readonly publicUrlStored: boolean;
  /** Names of the migrations that this opening applied. */
  readonly migrated: readonly string[];
  readonly lifecycle: Lifecycle;
  /** @throws DatabaseRestarting, DatabaseUnavailable when this process cannot serve now */
  ready(): Promise<void>;
  close(): Promise<void>;
}

export class SchemaOutdated extends DomainError {
  readonly code = 'database.schema_outdated';
  readonly kind = 'unavailable';
  constructor(names: readonly string[]) {
    super(`The database lacks ${names.length} migration(s) (${names.join(', ')}). Run "pennypost migrate".`);
  }
}

/**
 * Opens the database (starting the embedded one where none is named), brings the schema up to date, checks that this node has
 * the instance's key, and wires everything. Close it to end in the reverse order.
 */
export async function openPennypost(options: OpenOptions): Promise<Opened> {
  const { config, log } = options;
  const lifecycle = new Lifecycle();
  const onFatal = options.onFatal ?? ((error) => log.error({ reason: error }, 'this instance cannot continue'));
  try {
    const database = await openDatabase({
      url: config.databaseUrl,
      dataDir: config.dataDir,
      log,
      creates: options.createsDatabase,
      inherits: options.inheritsDatabase,
      onLost: onFatal,
    });
    lifecycle.register('database', () => database.stop());
    const orm = await openOrm(database.connection, { applicationName: sessionName(hostname(), process.pid) });
    lifecycle.register('connections', () => orm.close());
    await checkServer(orm, { warn: (text) => log.warn({}, text) });
    if (options.migrate === false) {
      const pending = await pendingMigrations(orm);
      if (pending.length > 0) throw new SchemaOutdated(pending);
    }
    const migrated = options.migrate === false ? [] : (await migrate(orm)).applied;
    await breakSilence(orm, options.databasePatienceMs ?? (options.works ? DATABASE_PATIENCE_MS : REQUEST_PATIENCE_MS));
    const clock = databaseClock(orm, options.clock ?? systemClock);
    lifecycle.register('clock', () => clock.stop());
    await clock.start();
    const keys = new KeyRing(options.secretKeys ?? (await readSecretKeys(config)));
    const stored: { publicUrl: string | undefined } = { publicUrl: undefined };
    const name = () => ehloName(stored.publicUrl ?? config.publicUrl, pooledSql(orm));
    const wayOut = await openWayOut(options, lifecycle, name);
    const ownPublicUrl = config.publicUrl ?? `http://${config.host}:${config.port}`;
    const wired = wire({
      ...options,
      connection: database.connection,
      orm,
      clock,
      processName: await processName(),
      isGone: (name) => hasEnded(name, database.embedded),
      keys,
      transport: wayOut.transport,
      transactionalTransport: wayOut.transactionalTransport,
      openTransport: (settings, { lane, connections }) =>
        createTransport(settings, {
          slots: connections ?? (lane === 'bulk' ? config.maxConnections : TRANSACTIONAL_CONNECTIONS),
          batches: lane === 'bulk',
          allowsPrivateHosts: config.allowPrivateHosts,
          emlDir: config.emlDir,
          ehloName: name,
        }),
      localTransport: options.localTransport ?? wayOut.local,
      publicUrl: ownPublicUrl,
      databaseEnds: () => database.ends(),
      onFatal,
    });
    const jobs = wired.get(tokens.jobs);
    await jobs.start();
    lifecycle.register('job queue', () => jobs.stop());
    lifecycle.register('rendering threads', () => wired.get(tokens.renderer).close());
    lifecycle.register('hits', () => wired.get(tokens.engagement).close());
    await wired.get(tokens.work).run((scope) => scope.access.rememberFingerprint(keys.fingerprint, keys.olderFingerprints));
    await wired.get(tokens.work).run((scope) => scope.tracking.ensurePartitions());
    stored.publicUrl = await wired.get(tokens.work).run((scope) => keepPublicUrl(scope, options));
    if (options.servesInbox === true) stored.publicUrl = undefined;
    else if (stored.publicUrl !== undefined && config.publicUrl !== undefined && stored.publicUrl !== config.publicUrl)
      log.warn({}, differingPublicUrls(config.publicUrl, stored.publicUrl));
    return {
      get: (what) => wired.get(what),
      keys,
      inbox: wayOut.inbox,
      description: `${database.describe}; mail goes to ${wayOut.describe}`,
      database: database.describe,
      databaseBorrowed: database.borrowed,
      publicUrl: stored.publicUrl ?? ownPublicUrl,
      publicUrlStored: stored.publicUrl !== undefined,
      migrated,
      lifecycle,
      async ready() {
        const trouble = database.trouble();
        if (trouble !== undefined) throw new DatabaseRestarting(trouble);
        await wired.get(tokens.work).run((scope) => scope.access.listProjects({ limit: 1 }));
      },
      close: () => lifecycle.close(),
    };
  } catch (error) {
    return cleanUp(error, () => lifecycle.close());
  }
}

/** @returns the one of the instance; undefined while there is none */
function keepPublicUrl({ access }: Pick<Scope, 'access'>, { config, keepsPublicUrl }: OpenOptions): Promise<string | undefined> {
  const { publicUrl } = config;
  if (publicUrl === undefined || keepsPublicUrl === undefined) return access.publicUrl();
  return access.rememberPublicUrl(publicUrl, { replaces: keepsPublicUrl === 'replaces' });
}

const differingPublicUrls = (here: string, stored: string): string =>
  `PENNYPOST_PUBLIC_URL is ${here} here, but ${stored} for this instance: links begin with ${stored}. ` +
  'Set the same value everywhere. To change it, restart "pennypost serve" with the new one.';

/** Opened when needed, beside those of the campaigns: a password mail never waits for a newsletter's. */
const TRANSACTIONAL_CONNECTIONS = 4;

interface WayOut {
  readonly transport: Transport;
  readonly transactionalTransport: Transport;
  readonly local: boolean;
  readonly inbox: Inbox | undefined;
  readonly describe: string;
}

async function openWayOut(options: OpenOptions, lifecycle: Lifecycle, name: () => Promise<string | undefined>): Promise<WayOut> {
  const { config } = options;
  const given = options.transport;
  if (given !== undefined)
    return { transport: given, transactionalTransport: given, local: true, inbox: undefined, describe: given.name };
  const destination = options.destination ?? (config.smtpUrl === undefined ? 'inbox' : 'smtp');
  if (destination === 'none')
    return {
      transport: new MemoryTransport(),
      transactionalTransport: new MemoryTransport(),
      local: config.smtpUrl === undefined || isLoopback(config.smtpUrl),
      inbox: undefined,
      describe: 'nowhere (this process does not send)',
    };
  const inbox = destination === 'inbox' ? await openInbox(lifecycle) : undefined;
  const url = inbox?.url ?? config.smtpUrl ?? '';
  // Failed connections are told by the messages that they cost; this costs none.
  const onEvent = ({ event, server, reason }: SmtpEvent): void => {
    if (event === 'chunking_failed') options.log.warn({ server, reason }, 'the SMTP server offers CHUNKING and does not do it');
  };
  const settings = smtpSettings(parseSmtpUrl(url));
  const context = { allowsPrivateHosts: true, emlDir: config.emlDir, ehloName: name, onEvent };
  const transport = createTransport(settings, { ...context, slots: config.maxConnections });
  const transactionalTransport = createTransport(settings, { ...context, slots: TRANSACTIONAL_CONNECTIONS });
  lifecycle.register(
    'SMTP connections',
    async () => void (await Promise.all([transport.close(), transactionalTransport.close()])),
  );
  const shown = URL.parse(url);
  return {
    transport,
    transactionalTransport,
    local: isLoopback(url),
    inbox,
    describe:
      inbox === undefined
        ? `${shown?.hostname ?? ''}:${shown?.port ?? ''}`
        : 'the development inbox (set PENNYPOST_SMTP_URL to mail real people)',
  };
}

async function openInbox(lifecycle: Lifecycle): Promise<Inbox> {
  // Only who runs the inbox loads smtp-server and mailparser.
  const { startInbox } = await import('./inbox/inbox.ts');
  const inbox = await startInbox();
  lifecycle.register('development inbox', () => inbox.close());
  return inbox;
}

const isLoopback = (url: string): boolean => isLoopbackHost(parseSmtpUrl(url).host);
