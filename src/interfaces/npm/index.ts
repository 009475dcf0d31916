/**
 * Pennypost inside an application: `createPennypost(options)` gives the verbs that the HTTP API and the command line call as well,
 * `start()` and `stop()` for workers in this process, and a `fetch` handler for the host's own server. See docs/embed-in-node.md.
 *
 * Nothing happens on import, except that an unsupported Node is refused, and nothing is global: no signal handler, no default
 * instance. Two instances in one process know nothing of each other. The host's process is never ended.
 */
import './node-version.ts';
import { join, resolve } from 'node:path';
import { type Application, verbsOfProject } from '../../application/application.ts';
import { readSecretKeys, STUCK_AFTER_MS, smtpUrl } from '../../infrastructure/config.ts';
import { tokens } from '../../infrastructure/container.ts';
import { createLogger, readableLog } from '../../infrastructure/logger.ts';
import { type Opened, openPennypost } from '../../infrastructure/open.ts';
import { type CheckedOptions, checkOptions, type Log, type PennypostOptions } from './options.ts';
import type { Pennypost } from './pennypost.ts';
import { recipientDataReader } from './recipient-data.ts';
import { InstanceStopped, VerbGate } from './verb-gate.ts';
import type { FetchHandler } from './web-handler.ts';

export type {
  Campaign,
  CampaignRecipient,
  CampaignReport,
  ContentInput,
  ContentProblem,
  DailySeries,
  InProject,
  InstanceVerbs,
  LedgerRow,
  Message,
  MessageRecipient,
  MessageState,
  Page,
  PageRequest,
  ProjectVerbs,
  RenderedMessage,
  Status,
  Template,
  WrittenCampaign,
} from '../../application/application.ts';
export { DomainError, type ErrorKind, InvalidInput, NotFound } from '../../domain/shared/errors.ts';
export type { Lane, Log, PennypostOptions } from './options.ts';
export type { Pennypost } from './pennypost.ts';
export type { RecipientDataFunction } from './recipient-data.ts';
export {
  type CallerTransaction,
  drizzleTransaction,
  kyselyTransaction,
  mikroOrmTransaction,
  pgTransaction,
} from './transactions.ts';
export type {
  CampaignInput,
  CampaignState,
  Id,
  Import,
  ImportRequest,
  LedgerFilter,
  List,
  MessageInput,
  NewList,
  NewProject,
  Project,
  Route,
  RouteInput,
  Subscriber,
  SubscriberInput,
  Transport,
  TransportInput,
} from './types.ts';
export { InstanceStopped } from './verb-gate.ts';

/**
 * Opens the database (an embedded one where none is named), brings its schema up to date and connects everything. Verbs and
 * `fetch` work from then on; mail is handed over once `start()` was called, here or in another process on the same database.
 * @throws InvalidInput for the options, with a pointer to the one at fault; DomainError of the kind `unavailable` when the
 * database refuses the login, is too old, or was set up with another secret key. Nothing stays open then.
 */
export async function createPennypost(options: PennypostOptions = {}): Promise<Pennypost> {
  const checked = checkOptions(options);
  const log = checked.log === undefined ? createLogger(checked.logLevel) : readableLog(checked.log);
  const opened = await open(checked, log, (error) => {
    log.error({ reason: error }, 'This instance cannot continue and stops.');
    stop().catch((fault: unknown) => log.error({ reason: fault }, 'this instance did not stop cleanly'));
    checked.onFatal?.(error);
  });
  // The workers' place on the list is before it: while they drain, verbs still work.
  const gate = new VerbGate();
  opened.lifecycle.register('verbs', () => gate.close());
  const verbs = opened.get(tokens.application);
  const application = gate.guard(verbs);
  const { ready } = gate.guard({ ready: opened.ready });
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  let handler: Promise<FetchHandler> | undefined;

  const stop = (): Promise<void> => {
    stopping ??= Promise.allSettled([starting]).then(() => opened.close());
    return stopping;
  };
  const { projects, keys, status, recipients } = application;
  return {
    projects,
    keys,
    status,
    recipients,
    project: (idOrSlug) => gate.guard(verbsOfProject(verbs, lookedUpOnce(verbs, idOrSlug))),
    description: opened.description,
    publicUrl: opened.publicUrl,
    inbox: opened.inbox,
    start: async () => {
      if (stopping !== undefined) throw new InstanceStopped();
      starting ??= work(opened, checked.lanes);
      await starting;
    },
    stop,
    fetch: async (request, env) => {
      const inbox = checked.showInbox ? opened.inbox : undefined;
      handler ??= loadHandler({ application, inbox, log, ready, options: checked });
      return (await handler)(request, env);
    },
  };
}

/** A project that was not found is looked up again with the next verb. */
function lookedUpOnce({ projects }: Application, idOrSlug: string): () => Promise<string> {
  let found: Promise<string> | undefined;
  const forget = (error: unknown): never => {
    found = undefined;
    throw error;
  };
  return () => {
    found ??= projects.get(idOrSlug).then(({ id }) => id, forget);
    return found;
  };
}

async function open(options: CheckedOptions, log: Log, onFatal: (error: unknown) => void): Promise<Opened> {
  const works = options.lanes.length > 0;
  const config = {
    databaseUrl: options.databaseUrl,
    dataDir: resolve(options.dataDir),
    smtpUrl: smtpUrl(options.smtp, 'createPennypost: smtp'),
    allowPrivateHosts: options.allowPrivateHosts,
    emlDir: resolve(options.emlDir ?? join(options.dataDir, 'eml')),
    publicUrl: options.publicUrlGiven ? options.publicUrl : undefined,
    // The host listens, not this instance.
    host: '127.0.0.1',
    port: 8_025,
    // Only pennypost's own log can be written to outside the event loop.
    logLevel: options.log === undefined ? options.logLevel : 'silent',
    maxConnections: options.maxConnections,
    maxUnrecorded: options.maxUnrecorded,
    messagesPerSecond: options.messagesPerSecond,
    pauseAfterTransportErrors: options.pauseAfterTransportErrors,
    pauseAfterSenderFaults: options.pauseAfterSenderFaults,
    stuckAfterMs: STUCK_AFTER_MS,
    profileDir: undefined,
  };
  const { recipientData, recipientDataTimeoutMs: timeoutMs, secretKeys } = options;
  return openPennypost({
    config,
    log,
    works,
    inheritsDatabase: true,
    keepsPublicUrl: options.publicUrlGiven ? 'replaces' : undefined,
    // Two processes with an inbox each would be two places to look for one message.
    destination: works ? undefined : 'none',
    // Without one, the data directory's own: it is created once the directory has pennypost's mark.
    secretKeys:
      secretKeys.length === 0 ? undefined : await readSecretKeys(config, { PENNYPOST_SECRET_KEY: secretKeys.join(' ') }),
    recipientData: recipientData === undefined ? undefined : { read: recipientDataReader(recipientData), timeoutMs },
    onFatal,
  });
}

async function work(opened: Opened, lanes: CheckedOptions['lanes']): Promise<void> {
  if (lanes.length === 0) return;
  const workers = opened.get(tokens.workers);
  opened.lifecycle.register('workers', () => workers.stop());
  await workers.start(lanes);
}

/** Only who serves HTTP loads hono and the routes. */
async function loadHandler(parts: Parameters<typeof import('./web-handler.ts').webHandler>[0]): Promise<FetchHandler> {
  const { webHandler } = await import('./web-handler.ts');
  return webHandler(parts);
}
