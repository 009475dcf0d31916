/** Debian's Postfix on a port of 127.0.0.1, from a temporary directory: accepts everything for `discard`, and logs each delivery. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './processes.ts';

const MASTER = '/usr/lib/postfix/sbin/master';

/** Why it cannot be started here; undefined where it can. */
export const noPostfix: string | undefined = !existsSync(MASTER)
  ? 'Postfix is not installed'
  : process.getuid?.() === 0
    ? undefined
    : 'Postfix starts as root only';

export interface Postfix {
  readonly url: string;
  log(): string;
  close(): Promise<void>;
}

/** Mailboxes that begin with 550 or 450 are refused so at RCPT, subjects that begin with "Refused" after the content. */
const mainCf = (directory: string): string => `
compatibility_level = 3.6
queue_directory = ${directory}/spool
data_directory = ${directory}/data
maillog_file = ${directory}/log
maillog_file_prefixes = ${directory}
myhostname = relay.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
default_transport = discard
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access regexp:{{/^550/ 550 5.1.1 User unknown}, {/^450/ 450 4.2.0 Greylisted}}
header_checks = regexp:{{/^Subject: Refused/ REJECT 5.7.1 Refused content}}
smtpd_forbid_unauth_pipelining = yes
smtpd_client_connection_count_limit = 0
`;

const masterCf = (port: number): string => `
127.0.0.1:${port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`;

export async function startPostfix(): Promise<Postfix> {
  const directory = mkdtempSync(join(tmpdir(), 'pennypost-postfix-'));
  // Its processes run as a user of their own.
  chmodSync(directory, 0o755);
  const port = await freePort();
  const { uid, gid } = idsOf('postfix');
  for (const part of ['', 'etc', 'spool', 'spool/pid', 'data', ...QUEUES.map((queue) => `spool/${queue}`)]) {
    const path = join(directory, part);
    mkdirSync(path, { recursive: true, mode: 0o755 });
    if (part === 'data' || QUEUES.some((queue) => part === `spool/${queue}`)) chownSync(path, uid, gid);
  }
  writeFileSync(join(directory, 'etc/main.cf'), mainCf(directory));
  writeFileSync(join(directory, 'etc/master.cf'), masterCf(port));
  // A group of its own: it ends its processes by ending its group.
  const master = spawn(MASTER, ['-c', join(directory, 'etc'), '-d'], { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  master.stderr.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  const ended = once(master, 'exit');
  const log = (): string => (existsSync(join(directory, 'log')) ? readFileSync(join(directory, 'log'), 'utf8') : '');
  await eventually('Postfix to listen', async () => {
    if (master.exitCode !== null) throw new Error(`Postfix ended at its start.\n${said}${log()}`);
    return reachable(port);
  });
  return {
    url: `smtp://127.0.0.1:${port}`,
    log,
    async close() {
      master.kill('SIGTERM');
      await ended;
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const QUEUES = 'active bounce corrupt defer deferred flush hold incoming maildrop private public saved trace'.split(' ');

function idsOf(user: string): { readonly uid: number; readonly gid: number } {
  const fields = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`${user}:`))
    ?.split(':');
  if (fields === undefined) throw new Error(`There is no user ${user}.`);
  return { uid: Number(fields[2]), gid: Number(fields[3]) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port.');
  return address.port;
}

function reachable(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
  }).then((open) => {
    socket.destroy();
    return open === true;
  });
}
