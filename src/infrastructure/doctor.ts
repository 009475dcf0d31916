/**
 * Looks at everything that an instance stands on, without changing any of it but for one thing: an embedded database that does
 * not run is started, as any other command would, and stopped again. None is made.
 */
import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { connect } from 'node:tls';
import { KeyRing } from '../domain/access/index.ts';
import { isLoopbackHost, LANES } from '../domain/delivery/index.ts';
import { closing } from '../domain/shared/clean-up.ts';
import { DomainError } from '../domain/shared/errors.ts';
import { type Config, readSecretKeys, unknownSettings } from './config.ts';
import { adviceFor, DATABASE_RULES, HTTPS_RULES, SMTP_RULES } from './connection-advice.ts';
import { ehloName } from './ehlo-name.ts';
import { parseDatabaseUrl } from './postgres/connection.ts';
import { checkServer, openDatabase } from './postgres/database.ts';
import { pendingMigrations } from './postgres/migrate.ts';
import { openOrm } from './postgres/orm.ts';
import { pooledSql } from './postgres/session.ts';
import { readServingNote } from './serving-note.ts';
import { createSmtpTransport } from './transports/smtp.ts';
import { peerName, SmtpConnectFailed } from './transports/smtp-handshake.ts';
import { parseSmtpUrl } from './transports/smtp-url.ts';

export interface Finding {
  readonly what: string;
  readonly verdict: 'ok' | 'warn' | 'fail';
  /** What was found. */
  readonly found: string;
  /** What to do about it; undefined when all is well. */
  readonly advice?: string | undefined;
}

/** How this instance calls itself to mail servers, and where its links lead; the database may know it. */
interface Known {
  name: string | undefined;
  /** Stored for the instance. */
  publicUrl: string | undefined;
}

type Orm = Awaited<ReturnType<typeof openOrm>>;

const GIGABYTE = 1024 ** 3;
/** Below this a campaign of some ten thousand messages may fill the disk with its ledger and the log of the database. */
const LITTLE_SPACE = GIGABYTE;
const NO_SPACE = 0.1 * GIGABYTE;
/** Leases live by the database's clock; dates of messages and expiries of keys by this machine's. */
const SKEW_WARN_MS = 2_000;
const SKEW_FAIL_MS = 30_000;
const PATIENCE_MS = 5_000;
/** As in `status`: workers say every 5 seconds that they live. */
const WORKER_SECONDS = 15;

/** Never throws for what it finds; in the order in which things are needed. */
export async function examine(config: Config): Promise<readonly Finding[]> {
  const known: Known = { name: await ehloName(config.publicUrl, undefined), publicUrl: undefined };
  return [
    { what: 'node', verdict: 'ok', found: process.version },
    ...unknownSettings().map(
      ({ name, advice }): Finding => ({
        what: 'settings',
        verdict: 'warn',
        found: `${name} is not a setting of pennypost`,
        advice,
      }),
    ),
    await space(config),
    ...(await databaseFindings(config, known)),
    ...(await publicUrl(config, known.publicUrl)),
    await smtp(config, known.name),
  ];
}

async function databaseFindings(config: Config, known: Known): Promise<readonly Finding[]> {
  return attempt(
    'database',
    async () => {
      const database = await openDatabase({ url: config.databaseUrl, dataDir: config.dataDir, creates: false });
      const look = async (): Promise<readonly Finding[]> => {
        const orm = await openOrm(database.connection, { poolSize: 2 });
        return closing(
          async () => {
            const found = await inDatabase(config, orm, { describe: database.describe, known });
            known.name ??= await ehloName(known.publicUrl ?? config.publicUrl, pooledSql(orm));
            return found;
          },
          () => orm.close(),
        );
      };
      return closing(look, () => database.stop());
    },
    (message) => databaseAdvice(config, message),
  );
}

function databaseAdvice({ databaseUrl }: Config, message: string): string | undefined {
  if (databaseUrl === undefined) return undefined;
  const { host } = parseDatabaseUrl(databaseUrl);
  return adviceFor(DATABASE_RULES, message, { setting: 'PENNYPOST_DATABASE_URL', host });
}

async function inDatabase(
  config: Config,
  orm: Orm,
  { describe, known }: { readonly describe: string; readonly known: Known },
): Promise<readonly Finding[]> {
  const warnings: string[] = [];
  const { version } = await checkServer(orm, { warn: (text) => warnings.push(text) });
  const findings: Finding[] = [{ what: 'database', verdict: 'ok', found: `PostgreSQL ${version}: ${describe}` }];
  for (const warning of warnings) findings.push({ what: 'settings', verdict: 'warn', found: warning });
  if (warnings.length === 0)
    findings.push({ what: 'settings', verdict: 'ok', found: 'fsync, synchronous_commit and full_page_writes are on' });
  const pending = await pendingMigrations(orm);
  findings.push(
    pending.length === 0
      ? { what: 'schema', verdict: 'ok', found: 'up to date' }
      : {
          what: 'schema',
          verdict: 'warn',
          found: `${pending.length} migration(s) to apply: ${pending.join(', ')}`,
          advice: 'Run "pennypost migrate".',
        },
  );
  findings.push(...(await attempt('secret key', () => secretKey(config, orm))));
  findings.push(await skew(orm));
  if (pending.length === 0) {
    findings.push(await workers(orm));
    known.publicUrl = await storedPublicUrl(orm);
  }
  return findings;
}

/** Without one of them mail of its kind waits: a password, a campaign, or a schedule. */
async function workers(orm: Orm): Promise<Finding> {
  const rows = await pooledSql(orm).query<{ lane: string }>(
    `select distinct unnest(lanes) as lane from pennypost_delivery.worker where seen_at > clock_timestamp() - $1 * interval '1 second'`,
    [WORKER_SECONDS],
  );
  const found = rows.map(({ lane }) => lane);
  const missing = LANES.filter((lane) => !found.includes(lane));
  const what = 'workers';
  if (missing.length === 0) return { what, verdict: 'ok', found: `one or more for each lane (${LANES.join(', ')})` };
  return {
    what,
    verdict: 'warn',
    found: `no worker runs for the ${missing.length === 1 ? 'lane' : 'lanes'} ${missing.join(', ')}`,
    advice:
      missing.length === LANES.length
        ? 'Start "pennypost serve" or "pennypost work". Mail waits until then.'
        : `Start "pennypost work --lanes ${missing.join(',')}": what belongs to ${missing.length === 1 ? 'it' : 'them'} waits until then.`,
  };
}

async function secretKey(config: Config, orm: Orm): Promise<readonly Finding[]> {
  const what = 'secret key';
  const keys = new KeyRing(await readSecretKeys(config));
  const sql = pooledSql(orm);
  const [table] = await sql.query<{ there: boolean }>("select to_regclass('pennypost_access.instance') is not null as there");
  const [stored] =
    table?.there === true
      ? await sql.query<{ fingerprint: string }>('select key_fingerprint as fingerprint from pennypost_access.instance')
      : [];
  if (stored === undefined) return [{ what, verdict: 'ok', found: `${keys.keyId}; the database has no key yet` }];
  if (stored.fingerprint === keys.fingerprint) return [{ what, verdict: 'ok', found: `${keys.keyId}, the key of the database` }];
  if (keys.olderFingerprints.includes(stored.fingerprint))
    return [{ what, verdict: 'ok', found: `${keys.keyId}, which replaces the older key at the next start` }];
  return [
    {
      what,
      verdict: 'fail',
      found: 'not the key of the database',
      advice: 'Configure the original key. With another key, every link in mail that was handed over is dead.',
    },
  ];
}

async function skew(orm: Orm): Promise<Finding> {
  const sql = pooledSql(orm);
  // The first question pays for the connection.
  await sql.query('select 1');
  const before = Date.now();
  const [row] = await sql.query<{ now: Date }>('select clock_timestamp() as now');
  const off = (row?.now.getTime() ?? before) - (before + Date.now()) / 2;
  const text = `${Math.abs(off) < 10 ? 'the same as' : `${Math.round(Math.abs(off)).toLocaleString('en-US')} ms ${off > 0 ? 'behind' : 'ahead of'}`} the database's`;
  const verdict = Math.abs(off) > SKEW_FAIL_MS ? 'fail' : Math.abs(off) > SKEW_WARN_MS ? 'warn' : 'ok';
  return {
    what: 'clock',
    verdict,
    found: `this machine's is ${text}`,
    advice: verdict === 'ok' ? undefined : 'Synchronise both machines with a time server (NTP).',
  };
}

async function space(config: Config): Promise<Finding> {
  const what = 'disk';
  const place = await nearest(config.dataDir);
  const { bavail, bsize } = await statfs(place);
  const free = bavail * bsize;
  const verdict = free < NO_SPACE ? 'fail' : free < LITTLE_SPACE ? 'warn' : 'ok';
  return {
    what,
    verdict,
    found: `${(free / GIGABYTE).toFixed(1)} GB free at ${config.dataDir}`,
    advice:
      verdict === 'ok' ? undefined : 'Free disk space. A database without space refuses all writes, including unsubscribes.',
  };
}

/** The directory itself, or the first of those above it that exists. */
async function nearest(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined || dirname(path) === path ? path : nearest(dirname(path));
}

async function storedPublicUrl(orm: Orm): Promise<string | undefined> {
  const [row] = await pooledSql(orm).query<{ url: string | null }>('select public_url as url from pennypost_access.instance');
  return row?.url ?? undefined;
}

async function publicUrl(config: Config, stored: string | undefined): Promise<readonly Finding[]> {
  const note = await readServingNote(config.dataDir);
  // Mail goes to the development inbox of that server, and its links lead there.
  const ofInbox = config.publicUrl === undefined && note?.inboxUrl !== undefined ? note.publicUrl : undefined;
  const answer = await publicUrlAnswers(config, ofInbox ?? stored ?? config.publicUrl ?? note?.publicUrl);
  if (stored === undefined || config.publicUrl === undefined || stored === config.publicUrl) return [answer];
  const differs: Finding = {
    what: answer.what,
    verdict: 'warn',
    found: `PENNYPOST_PUBLIC_URL is ${config.publicUrl} here, but ${stored} for this instance`,
    advice: 'Set the same value everywhere. To change it, restart "pennypost serve" with the new one.',
  };
  return [answer, differs];
}

async function publicUrlAnswers(config: Config, url: string | undefined): Promise<Finding> {
  const what = 'public URL';
  if (url === undefined) {
    return {
      what,
      verdict: 'warn',
      found: 'not set, and no "pennypost serve" runs here',
      advice: 'Set PENNYPOST_PUBLIC_URL to the https address under which recipients reach "pennypost serve".',
    };
  }
  const insecure = !url.startsWith('https://') && config.smtpUrl !== undefined;
  const advice = insecure ? 'Mail to real people needs https (one-click unsubscribe, RFC 8058).' : undefined;
  try {
    const answer = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.ok) return { what, verdict: insecure ? 'warn' : 'ok', found: `${url} answers`, advice };
    return { what, verdict: 'fail', found: `${url} answers ${answer.status}`, advice: 'Check the proxy in front of it.' };
  } catch (error) {
    const reason = reasonOf(error);
    return {
      what,
      verdict: 'fail',
      found: `${url} does not answer (${reason})`,
      advice:
        adviceFor(HTTPS_RULES, reason, { setting: 'PENNYPOST_PUBLIC_URL', host: new URL(url).hostname }) ??
        'Start "pennypost serve", and check DNS and the proxy in front of it. Unsubscribe links lead there.',
    };
  }
}

/** @param greeting what mail is sent with as the name in EHLO, where the URL does not say */
async function smtp(config: Config, greeting: string | undefined): Promise<Finding> {
  const what = 'SMTP';
  if (config.smtpUrl === undefined) {
    const serving = await readServingNote(config.dataDir);
    if (serving?.relay !== undefined)
      return {
        what,
        verdict: 'ok',
        found: `the running "pennypost serve" hands mail to ${serving.relay}; commands here do not send`,
      };
    const inbox = serving?.inboxUrl;
    return {
      what,
      verdict: 'warn',
      found: inbox === undefined ? 'no server is set' : `mail goes to the development inbox at ${inbox}, and to no other server`,
      advice: 'Set PENNYPOST_SMTP_URL to mail real people.',
    };
  }
  const peer = parseSmtpUrl(config.smtpUrl);
  const where = peerName(peer);
  const transport = createSmtpTransport({
    url: config.smtpUrl,
    name: async () => greeting,
    maxConnections: 1,
    connectTimeout: PATIENCE_MS,
    timeouts: { command: PATIENCE_MS },
  });
  const verify = async (): Promise<Finding> => {
    try {
      await transport.verify();
      const found = `${where} takes our greeting${peer.auth === undefined ? '' : ' and our password'}`;
      if (peer.auth === undefined || peer.security !== 'none' || isLoopbackHost(peer.host)) return { what, verdict: 'ok', found };
      const advice = 'Remove tls=none from PENNYPOST_SMTP_URL, or use smtps://, unless you trust every machine on the way.';
      return { what, verdict: 'warn', found: `${found}, which is sent without TLS`, advice };
    } catch (error) {
      const { host, port, security } = peer;
      const silent = /Greeting never received|closed unexpectedly/.test(reasonOf(error));
      const other = silent && security !== 'implicit' && (await speaksTls(host, port));
      const reason = `${reasonOf(error)}${other ? '; it expects TLS from the first byte' : ''}`;
      const advice = refusesName(error)
        ? `The server does not accept ${peer.name ?? greeting ?? 'the name of this machine'} as the name in EHLO. Add ?name= with your full host name to PENNYPOST_SMTP_URL, such as ?name=mail.example.com.`
        : (adviceFor(SMTP_RULES, reason, { setting: 'PENNYPOST_SMTP_URL', host }) ?? 'Check PENNYPOST_SMTP_URL.');
      return { what, verdict: 'fail', found: `${where}: ${reason.trim()}`, advice };
    }
  };
  return closing(verify, () => transport.close());
}

/** Whether a server that gives no greeting in plain text gives a certificate. */
function speaksTls(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    // Nothing is said to it: any certificate will do.
    const socket = connect({ host, port, rejectUnauthorized: false, timeout: PATIENCE_MS });
    const end = (yes: boolean) => () => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('secureConnect', end(true)).once('error', end(false)).once('timeout', end(false)).once('close', end(false));
  });
}

/** 421 and 5yz to EHLO or HELO are about the name in it; RFC 5321 has no other reason for them. */
const refusesName = (error: unknown): boolean =>
  error instanceof SmtpConnectFailed &&
  /^(?:EHLO|HELO)$/.test(error.step ?? '') &&
  /^(?:421|5\d\d)$/.test(String(error.replyCode));

/** What an expected failure says becomes its finding; its message says what to do already. */
async function attempt(
  what: string,
  look: () => Promise<readonly Finding[]>,
  advice: (message: string) => string | undefined = () => undefined,
): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    const todo = advice(error.message) ?? `See docs/reference/errors.md, ${error.code}.`;
    return [{ what, verdict: 'fail', found: error.message, advice: todo }];
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}
