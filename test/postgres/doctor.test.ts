import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/infrastructure/config.ts';
import { examine, type Finding } from '../../src/infrastructure/doctor.ts';
import { writeServingNote } from '../../src/infrastructure/serving-note.ts';
import { createEmptyDatabase } from '../support/database.ts';
import { startFaultSink } from '../support/fault-sink.ts';
import { openTestInstance, type TestInstance, urlOf } from '../support/instance.ts';

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
      advice: 'See docs/errors.md, config.secret_key_missing.',
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
      advice: 'See docs/errors.md, database.unavailable.',
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

  it('finds the inbox of a running serve', async () => {
    const dataDir = join(directory, 'served');
    const takeBack = await writeServingNote(dataDir, { publicUrl: 'http://127.0.0.1:1', inboxUrl: 'smtp://127.0.0.1:2' });
    expect((await findingsOf({ PENNYPOST_DATA_DIR: dataDir })).SMTP?.found).toBe(
      'mail goes to the development inbox at smtp://127.0.0.1:2, to nobody else',
    );
    await takeBack();
    expect((await findingsOf({ PENNYPOST_DATA_DIR: dataDir })).SMTP?.found).toBe('no server is set');
  });
});
