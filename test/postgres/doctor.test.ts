import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/infrastructure/config.ts';
import { adviceFor, DATABASE_RULES, HTTPS_RULES, SMTP_RULES } from '../../src/infrastructure/connection-advice.ts';
import { tokens } from '../../src/infrastructure/container.ts';
import { examine, type Finding } from '../../src/infrastructure/doctor.ts';
import { readServingNote, writeServingNote } from '../../src/infrastructure/serving-note.ts';
import { createEmptyDatabase } from '../support/database.ts';
import { type FaultSinkOptions, startFaultSink } from '../support/fault-sink.ts';
import { openTestInstance, type TestInstance, urlOf } from '../support/instance.ts';
import { startNode } from '../support/processes.ts';
import { expiredCertificate, trustedCertificate, wrongNameCertificate } from '../support/sink-certificate.ts';

let instance: TestInstance;
let directory: string;
beforeAll(async () => {
  instance = await openTestInstance();
  directory = await mkdtemp(join(tmpdir(), 'pennypost-doctor-'));
});
afterAll(async () => {
  await instance?.close();
  await rm(directory, { recursive: true, force: true });
});

/** Findings by what they are about. Nothing of the real environment comes in but the secret, which is read where it is. */
async function findingsOf(environment: Readonly<Record<string, string>>): Promise<Readonly<Record<string, Finding>>> {
  const found = await examine(
    readConfig({ PENNYPOST_DATABASE_URL: instance.databaseUrl, PENNYPOST_DATA_DIR: join(directory, 'data'), ...environment }),
  );
  return Object.fromEntries(found.map((finding) => [finding.what, finding]));
}

describe('the advice on a failed connection', () => {
  const on = { setting: 'PENNYPOST_X_URL', host: 'mail.example.com' };
  it.each([
    [SMTP_RULES, '530 5.7.0 Must issue a STARTTLS command first', /Remove \?tls=none from PENNYPOST_X_URL/],
    [SMTP_RULES, 'Invalid login: 535 5.7.8 Authentication failed', /does not accept user or password/],
    [SMTP_RULES, 'Invalid login: 454 4.7.0 Temporary authentication failure', /at present/],
    [SMTP_RULES, 'Error upgrading connection with STARTTLS: 454 4.7.0 TLS not available', /offers no TLS on this port/],
    [SMTP_RULES, 'Invalid greeting. response=421 4.7.0 too many connections', /no more connections at present/],
    [SMTP_RULES, 'Invalid greeting. response=554 5.7.1 no access', /refuses this machine/],
    [SMTP_RULES, 'error:0A00018A:SSL routines::dh key too small', /TLS 1\.2 or newer/],
    [SMTP_RULES, 'certificate revoked', /Have a new one issued/],
    [SMTP_RULES, 'read ECONNRESET', /mail\.example\.com drops the connection/],
    [SMTP_RULES, 'connect ETIMEDOUT 203.0.113.7:25', /try 587/],
    [DATABASE_RULES, 'connect ETIMEDOUT 203.0.113.7:5432', /firewalls\.$/],
    [DATABASE_RULES, 'getaddrinfo ENOTFOUND mail.example.com', /does not resolve/],
    [DATABASE_RULES, 'sorry, too many clients already', /max_connections/],
    [HTTPS_RULES, 'ssl3_get_record:wrong version number', /plain HTTP/],
  ])('fits its cause: %#', (rules, failure, advice) => {
    expect(adviceFor(rules, failure, on)).toMatch(advice);
  });
});

describe('the doctor', () => {
  it('finds what is well without a word of advice', async () => {
    const { database, settings, schema, clock, disk } = await findingsOf({});
    expect(database).toMatchObject({ verdict: 'ok', found: expect.stringMatching(/^PostgreSQL 1\d/) });
    for (const finding of [database, schema, clock, disk]) expect([finding?.verdict, finding?.advice]).toEqual(['ok', undefined]);
    // The throw-away server of the tests may run without fsync, and then it must say so.
    expect(settings?.found).toMatch(/are on$|is OFF/);
  });

  it('says what a node lacks to be one', async () => {
    const found = await findingsOf({});
    expect(found['secret key']).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('PENNYPOST_SECRET_KEY'),
      advice: 'See docs/reference/errors.md, config.secret_key_missing.',
    });
    expect(found['public URL']).toMatchObject({ verdict: 'warn', advice: expect.stringContaining('PENNYPOST_PUBLIC_URL') });
    expect(found.SMTP).toMatchObject({ verdict: 'warn', found: 'no server is set' });
  });

  it('names the migrations that are to come', async () => {
    const empty = await createEmptyDatabase();
    const { schema } = await findingsOf({ PENNYPOST_DATABASE_URL: urlOf(empty.connection) });
    expect(schema).toMatchObject({
      verdict: 'warn',
      found: expect.stringContaining('M001-access'),
      advice: 'Run "pennypost migrate".',
    });
    await empty.drop();
  });

  it('goes on where the database is away', async () => {
    const found = await findingsOf({ PENNYPOST_DATABASE_URL: 'postgresql://x@127.0.0.1:1/y' });
    expect(found.database).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('does not answer'),
      advice: 'See docs/reference/errors.md, database.unavailable.',
    });
    expect(found.SMTP).toBeDefined();
  });

  it('knows the SMTP server of a running serve, which was set in another terminal', async () => {
    const data = join(directory, 'served');
    const takeBack = await writeServingNote(data, {
      publicUrl: 'https://x.example',
      inboxUrl: undefined,
      relay: 'relay.example:587',
    });
    expect((await findingsOf({ PENNYPOST_DATA_DIR: data })).SMTP).toMatchObject({
      verdict: 'ok',
      found: expect.stringContaining('the running "pennypost serve" hands mail to relay.example:587'),
    });
    await takeBack();
    expect((await findingsOf({ PENNYPOST_DATA_DIR: data })).SMTP).toMatchObject({ verdict: 'warn', found: 'no server is set' });
  });

  it.each(['421-at-ehlo', '550-at-ehlo.550-at-helo'])(
    'says what to do when the SMTP server refuses our name with %s',
    async (script) => {
      const sink = await startFaultSink({ script: () => script });
      const { SMTP } = await findingsOf({ PENNYPOST_SMTP_URL: `${sink.url}?name=box.example.com` });
      await sink.close();
      expect(SMTP).toMatchObject({
        verdict: 'fail',
        advice: expect.stringMatching(/^The server does not accept box\.example\.com as the name in EHLO\. Add \?name=/),
      });
    },
  );

  it('warns of a password that is sent without TLS', async () => {
    const sink = await startFaultSink({ credentials: { user: 'u', pass: 'p' } });
    const { SMTP } = await findingsOf({ PENNYPOST_SMTP_URL: `smtp://u:p@0.0.0.0:${sink.port}?tls=none` });
    await sink.close();
    expect(SMTP).toMatchObject({ verdict: 'warn', found: expect.stringContaining('without TLS') });
    expect(SMTP?.advice).toContain('tls=none');
  });

  it('greets the SMTP server, and tells what it answers, without the password', async () => {
    const sink = await startFaultSink();
    const smtp = (port: number) => findingsOf({ PENNYPOST_SMTP_URL: `smtp://name:hidden@127.0.0.1:${port}?tls=none` });
    const refused = (await smtp(sink.port)).SMTP;
    await sink.close();
    const away = (await smtp(sink.port)).SMTP;
    expect([refused?.verdict, away?.verdict]).toEqual(['fail', 'fail']);
    expect(away?.found).toContain(`127.0.0.1:${sink.port}`);
    expect(JSON.stringify([refused, away])).not.toContain('hidden');
  });

  it('asks the public URL whether somebody serves there', async () => {
    const server = createServer((request, response) => response.writeHead(request.url === '/health/live' ? 200 : 404).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect((await findingsOf({ PENNYPOST_PUBLIC_URL: url }))['public URL']).toMatchObject({
      verdict: 'ok',
      found: `${url} answers`,
    });
    expect(
      (await findingsOf({ PENNYPOST_PUBLIC_URL: url, PENNYPOST_SMTP_URL: 'smtp://127.0.0.1:1' }))['public URL'],
    ).toMatchObject({ verdict: 'warn', advice: expect.stringContaining('https') });
    expect((await findingsOf({ PENNYPOST_PUBLIC_URL: `${url}/elsewhere` }))['public URL']).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('404'),
    });
    await new Promise((resolve) => server.close(resolve));
    expect((await findingsOf({ PENNYPOST_PUBLIC_URL: url }))['public URL']).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('does not answer'),
    });
  });

  it('finds that another public URL is set here than the instance has', async () => {
    const other = await openTestInstance();
    try {
      const work = other.get(tokens.work);
      const here = { PENNYPOST_DATABASE_URL: other.databaseUrl };
      const stored = 'http://127.0.0.1:1';
      await work.run(({ access }) => access.rememberPublicUrl(stored, { replaces: true }));
      expect((await findingsOf({ ...here, PENNYPOST_PUBLIC_URL: 'http://127.0.0.1:2' }))['public URL']).toMatchObject({
        verdict: 'warn',
        found: `PENNYPOST_PUBLIC_URL is http://127.0.0.1:2 here, but ${stored} for this instance`,
      });
      expect((await findingsOf(here))['public URL']).toMatchObject({ verdict: 'fail', found: expect.stringContaining(stored) });
      await work.run(({ access }) => access.rememberPublicUrl('http://127.0.0.1:3', { replaces: false }));
      expect(await work.run(({ access }) => access.publicUrl())).toBe(stored);
    } finally {
      await other.close();
    }
  });

  it('finds the inbox of a running serve', async () => {
    const dataDir = join(directory, 'served');
    const takeBack = await writeServingNote(dataDir, { publicUrl: 'http://127.0.0.1:1', inboxUrl: 'smtp://127.0.0.1:2' });
    expect((await findingsOf({ PENNYPOST_DATA_DIR: dataDir })).SMTP?.found).toBe(
      'mail goes to the development inbox at smtp://127.0.0.1:2, and to no other server',
    );
    await takeBack();
    expect((await findingsOf({ PENNYPOST_DATA_DIR: dataDir })).SMTP?.found).toBe('no server is set');
  });
});

describe('the doctor, about an SMTP server', () => {
  const open: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of open.splice(0)) await close();
  });
  const sink = async (options: FaultSinkOptions = {}): Promise<number> => {
    const one = await startFaultSink(options);
    open.push(() => one.close());
    return one.port;
  };
  /** A port that speaks no SMTP. */
  const port = async (server: Server): Promise<number> => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(() => new Promise((resolve) => server.close(resolve)));
    return (server.address() as AddressInfo).port;
  };
  const says = (line: string) => port(createTcpServer((socket) => void socket.on('error', () => undefined).end(line)));

  it.each<[string, () => Promise<string>, RegExp]>([
    [
      'TLS where it speaks plain text',
      async () => `smtps://127.0.0.1:${await sink()}`,
      /use smtp:\/\/ \(STARTTLS.*in place of smtps:/,
    ],
    [
      'plain text where it speaks TLS',
      async () =>
        `smtp://127.0.0.1:${await port(createTlsServer(trustedCertificate, (socket) => void socket.on('error', () => undefined)))}`,
      /Use smtps:\/\/ in PENNYPOST_SMTP_URL/,
    ],
    [
      'a certificate that signs itself',
      async () => `smtp://localhost:${await sink({ certificate: trustedCertificate })}`,
      /NODE_EXTRA_CA_CERTS/,
    ],
    [
      'a certificate that has expired',
      async () => `smtp://localhost:${await sink({ certificate: expiredCertificate })}`,
      /has expired. Renew it/,
    ],
    [
      'a password that is refused',
      async () => `smtp://ann:wrong@127.0.0.1:${await sink({ credentials: { user: 'ann', pass: 'right' } })}?tls=none`,
      /does not accept user or password.*Percent-encode/,
    ],
    [
      'a password where none is wanted',
      async () => `smtp://ann:right@127.0.0.1:${await sink()}?tls=none`,
      /accepts no password on this port/,
    ],
    ['a name that does not exist', async () => 'smtp://relay.invalid:587', /does not resolve/],
    ['a port where nothing listens', async () => 'smtp://127.0.0.1:1', /No server listens there/],
    [
      'a web server',
      async () => `smtp://127.0.0.1:${await says('HTTP/1.1 400 Bad Request\r\n\r\n')}`,
      /No SMTP server listens there/,
    ],
    [
      'a machine that is not let in',
      async () => `smtp://127.0.0.1:${await says('554 5.7.1 no access\r\n')}`,
      /refuses this machine/,
    ],
  ])('advises on %s', async (_, url, advice) => {
    const given = await url();
    const { SMTP } = await findingsOf({ PENNYPOST_SMTP_URL: given });
    expect(SMTP).toMatchObject({ verdict: 'fail', advice: expect.stringMatching(advice) });
    expect(JSON.stringify(SMTP)).not.toMatch(/wrong@|right@/);
  });

  it('advises on a certificate for another host', async () => {
    const authority = join(directory, 'authority.pem');
    await writeFile(authority, wrongNameCertificate.cert);
    const running = startNode('src/interfaces/cli/main.ts', ['doctor', '--json'], {
      PENNYPOST_DATABASE_URL: instance.databaseUrl,
      PENNYPOST_DATA_DIR: join(directory, 'data'),
      PENNYPOST_SMTP_URL: `smtp://localhost:${await sink({ certificate: wrongNameCertificate })}`,
      PENNYPOST_SMPT_URL: 'smtp://relay.example.com',
      NODE_EXTRA_CA_CERTS: authority,
    });
    const { findings } = JSON.parse(await running.line((line) => line.startsWith('{'))) as { findings: Finding[] };
    expect(findings.find(({ what }) => what === 'SMTP')?.advice).toContain('names another host than localhost');
    expect(findings.find(({ found }) => found.includes('SMPT'))?.advice).toContain('Did you mean PENNYPOST_SMTP_URL?');
    expect(await running.ended).toBe(5);
  });

  it.each([
    'smtp://ann:pa%ss@relay.example.com',
    'smtp://ann:pa#ss@relay.example.com:587',
    'smtp://ann:pa/ss@relay.example.com:587',
    'smtp://ann:pa?ss@relay.example.com:587',
    'smtp://ann:12#ss@relay.example.com:587',
    'smtp://ann:12/ss@relay.example.com:587',
  ])('refuses a password that is not percent-encoded, without a word of it: %s', (url) => {
    const read = () => readConfig({ PENNYPOST_SMTP_URL: url });
    expect(read).toThrow(/[Pp]ercent-encode/);
    expect(read).not.toThrow(/ss@|ann/);
  });
});

describe('the doctor, about a database', () => {
  it('advises on a password that is refused, and on an encoding that is not UTF-8', async () => {
    const { database } = await findingsOf({ PENNYPOST_DATABASE_URL: urlOf({ ...instance.connection, password: 'wrong' }) });
    if (database?.verdict === 'fail') expect(database.advice).toContain('Correct user and password in PENNYPOST_DATABASE_URL');
    const latin = await createEmptyDatabase("encoding 'LATIN1' locale_provider libc locale 'C'");
    const found = (await findingsOf({ PENNYPOST_DATABASE_URL: urlOf(latin.connection) })).database;
    expect(found).toMatchObject({ verdict: 'fail', found: expect.stringContaining('LATIN1') });
    expect(found?.advice).toContain("encoding 'UTF8' template template0");
    await latin.drop();
  });

  it('names the lanes that no worker runs for', async () => {
    expect((await findingsOf({})).workers).toMatchObject({ verdict: 'warn', advice: expect.stringContaining('pennypost serve') });
    const workers = instance.get(tokens.workers);
    await workers.start(['background']);
    const { workers: found } = await findingsOf({});
    expect(found).toMatchObject({ verdict: 'warn', found: 'no worker runs for the lanes transactional, bulk' });
    expect(found?.advice).toContain('pennypost work --lanes transactional,bulk');
    await workers.stop();
  });

  it('makes none where there is none', async () => {
    const data = join(directory, 'nothing', 'here');
    const { database } = await findingsOf({ PENNYPOST_DATABASE_URL: '', PENNYPOST_DATA_DIR: data });
    expect(database).toMatchObject({ verdict: 'fail', found: expect.stringContaining(`There is no database in ${data}.`) });
    await expect(readdir(join(directory, 'nothing'))).rejects.toThrow('ENOENT');
  });
});

describe('the notes of several that serve on one data directory', () => {
  const note = (port: number) => ({ publicUrl: `http://127.0.0.1:${port}`, inboxUrl: undefined });
  const place = () => mkdtemp(join(directory, 'notes-'));

  it('are taken back by their own processes alone', async () => {
    const data = join(await place(), 'data');
    const first = await writeServingNote(data, note(1));
    const second = await writeServingNote(data, note(2));
    expect(await readServingNote(data)).toMatchObject(note(2));
    await second();
    expect(await readServingNote(data)).toMatchObject(note(1));
    await second();
    await first();
    expect(await readServingNote(data)).toBeUndefined();
    expect((await readdir(data)).filter((name) => name.startsWith('serving'))).toEqual([]);
  });

  it('tell of the one inbox there is, as long as its process lives', async () => {
    const data = join(await place(), 'data');
    const withInbox = await writeServingNote(data, { ...note(1), inboxUrl: 'smtp://127.0.0.1:2525' });
    const without = await writeServingNote(data, note(2));
    expect(await readServingNote(data)).toEqual({ ...note(2), inboxUrl: 'smtp://127.0.0.1:2525', relay: undefined });
    await withInbox();
    expect(await readServingNote(data)).toEqual({ ...note(2), relay: undefined });
    const real = await writeServingNote(data, { ...note(3), relay: 'relay.example:587' });
    expect(await readServingNote(data)).toMatchObject({ relay: 'relay.example:587', inboxUrl: undefined });
    await real();
    await without();
  });

  it.each([
    ['of a process that was killed', { process: '4194304 1\n' }],
    ['whose process id another process has by now', { process: `${process.pid} 1\n` }],
    ['of process 0, which is a whole group', { process: '0 -\n' }],
    ['of a container that shares the directory', { process: `${process.ppid} 1\n`, host: 'another-host' }],
    ['that a full disk cut off', '{"publicUrl":"http'],
    ['that is no note', '[]'],
  ])('are not believed when left behind: %s', async (_, stored) => {
    const data = join(await place(), 'data');
    const takeBack = await writeServingNote(data, note(1));
    const left = join(data, 'serving-4711-0badcafe.json');
    const whole = { ...note(9), host: hostname(), since: '2999-01-01T00:00:00Z' };
    await writeFile(left, typeof stored === 'string' ? stored : JSON.stringify({ ...whole, ...stored }));
    expect(await readServingNote(data)).toMatchObject(note(1));
    await takeBack();
    expect(await readServingNote(data)).toBeUndefined();
  });

  it('are swept when they are dead, by the next that serves', async () => {
    const data = join(await place(), 'data');
    await (await writeServingNote(data, note(1)))();
    const left = { ...note(9), host: hostname(), since: '2026-01-01T00:00:00Z', process: `${process.pid} 1\n` };
    await writeFile(join(data, 'serving-4711-0badcafe.json'), JSON.stringify(left));
    await writeFile(join(data, 'serving-4712-0badcafe.json'), '');
    const takeBack = await writeServingNote(data, note(2));
    expect((await readdir(data)).filter((name) => name.startsWith('serving'))).toHaveLength(1);
    await takeBack();
  });
});
