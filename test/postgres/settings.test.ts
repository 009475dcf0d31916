import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig, readSecretKeys, unknownSettings } from '../../src/infrastructure/config.ts';
import { startNode } from '../support/processes.ts';

const KEY = 'ab'.repeat(32);
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pennypost-settings-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('the secret key of a data directory', () => {
  const keysOf = (dataDir: string) => readSecretKeys(readConfig({ PENNYPOST_DATA_DIR: dataDir }), {});

  it('is one key for all that start at the same moment, and leaves nothing beside it', async () => {
    const dataDir = join(directory, 'fresh');
    const keys = await Promise.all(Array.from({ length: 20 }, () => keysOf(dataDir)));
    const written = (await readFile(join(dataDir, 'secret-key'), 'utf8')).trim();
    expect(new Set(keys.map(([key]) => key.toString('hex')))).toEqual(new Set([written]));
    expect(await readdir(dataDir)).toEqual(expect.arrayContaining(['pennypost.json', 'secret-key']));
    expect(await readdir(dataDir)).toHaveLength(2);
    expect((await stat(join(dataDir, 'secret-key'))).mode & 0o777).toBe(0o600);
  });

  it('is one key for several processes', async () => {
    const dataDir = join(directory, 'processes');
    const script = join(directory, 'key.ts');
    const config = join(import.meta.dirname, '../../src/infrastructure/config.ts');
    await writeFile(
      script,
      `import { readConfig, readSecretKeys, unknownSettings } from ${JSON.stringify(config)};
       console.log((await readSecretKeys(readConfig()))[0].toString('hex'));`,
    );
    const environment = { PENNYPOST_DATA_DIR: dataDir, PENNYPOST_DATABASE_URL: '', PENNYPOST_SECRET_KEY: '' };
    const lines = await Promise.all([1, 2, 3, 4].map(() => startNode(script, [], environment).line((line) => line !== '')));
    expect(new Set(lines).size).toBe(1);
    expect(lines[0]).toMatch(/^[0-9a-f]{64}$/);
  });

  it('that a crash left without its content is named, not replaced', async () => {
    const dataDir = join(directory, 'crashed');
    await keysOf(dataDir);
    await writeFile(join(dataDir, 'secret-key'), '');
    await expect(keysOf(dataDir)).rejects.toMatchObject({
      code: 'config.secret_key_file_unusable',
      message: expect.stringContaining(`${join(dataDir, 'secret-key')}, which is empty`),
    });
  });
});

describe('PENNYPOST_SECRET_KEY_FILE', () => {
  const keysIn = (file: string) => readSecretKeys(readConfig({}), { PENNYPOST_SECRET_KEY_FILE: file });
  const path = (name: string) => join(directory, name);

  it.each([
    ['one key', `${KEY}\n`, [KEY]],
    ['several, the present one first', `${'cd'.repeat(32)}\r\n${KEY}\r\n`, ['cd'.repeat(32), KEY]],
    ['one behind a byte order mark', `\ufeff${KEY}`, [KEY]],
  ])('holds %s', async (_, text, expected) => {
    await writeFile(path('key'), text);
    expect((await keysIn(path('key'))).map((key) => key.toString('hex'))).toEqual(expected);
  });

  it.each([
    ['is not there', 'absent', undefined, 'there is no such file'],
    ['lies below a file', 'key/below', undefined, 'there is no such file'],
    ['is a directory', 'folder', undefined, 'which is a directory'],
    ['is empty', 'empty', '', 'which is empty'],
    ['holds white space only', 'white', ' \n\n', 'which is empty'],
    ['holds something else', 'garbage', 'hunter2-and-more\n', 'does not contain keys'],
    ['holds a key that is cut off', 'short', KEY.slice(0, 40), 'does not contain keys'],
    ['holds a good key and a bad one', 'mixed', `${KEY}\nnot-a-key\n`, 'does not contain keys'],
    ['is UTF-16, as a Windows shell writes it', 'utf16', Buffer.from(KEY, 'utf16le'), 'does not contain keys'],
    ['never ends', '/dev/zero', undefined, 'does not contain keys'],
  ])('that %s is refused by its path, and not quoted', async (_, name, content, words) => {
    const file = name.startsWith('/') ? name : path(name);
    if (name === 'folder') await mkdir(file);
    if (content !== undefined) await writeFile(file, content);
    const failure = await keysIn(file).then(
      () => expect.fail('it was taken'),
      (error: Error) => error,
    );
    expect(failure).toMatchObject({ code: 'config.secret_key_file_unusable' });
    expect(failure.message).toContain(`PENNYPOST_SECRET_KEY_FILE is ${file}`);
    expect(failure.message).toContain(words);
    expect(failure.message).not.toMatch(/hunter2|abab/);
  });

  it('that this user may not read is refused by its path', async ({ skip }) => {
    if (process.getuid?.() === 0) return skip('root reads everything');
    await writeFile(path('closed'), KEY);
    await chmod(path('closed'), 0);
    await expect(keysIn(path('closed'))).rejects.toThrow(`${path('closed')}, which this user may not read`);
  });
});

describe('a variable that is no setting', () => {
  const adviceOn = (name: string) => unknownSettings({ [name]: 'x' })[0]?.advice;

  it.each([
    ['PENNYPOST_SMPT_URL', 'PENNYPOST_SMTP_URL'],
    ['PENNYPOST_SMTP_HOST', 'PENNYPOST_SMTP_URL'],
    ['PENNYPOST_SMTP', 'PENNYPOST_SMTP_URL'],
    ['PENNYPOST_DATABSE_URL', 'PENNYPOST_DATABASE_URL'],
    ['PENNYPOST_DATABASE', 'PENNYPOST_DATABASE_URL'],
    ['PENNYPOST_DATADIR', 'PENNYPOST_DATA_DIR'],
    ['PENNYPOST_SECRETKEY', 'PENNYPOST_SECRET_KEY'],
    ['PENNYPOST_SECRET_KEYFILE', 'PENNYPOST_SECRET_KEY_FILE'],
    ['PENNYPOST_LOGLEVEL', 'PENNYPOST_LOG_LEVEL'],
    ['PENNYPOST_MAX_CONN', 'PENNYPOST_MAX_CONNECTIONS'],
    ['pennypost_public_url', 'PENNYPOST_PUBLIC_URL'],
    ['PENNYPOST-PORT', 'PENNYPOST_PORT'],
    ['PENNYPOST_BASE_URL', 'PENNYPOST_PUBLIC_URL'],
    ['PENNYPOST_DB_URL', 'PENNYPOST_DATABASE_URL'],
    ['PENNYPOST_MAIL_URL', 'PENNYPOST_SMTP_URL'],
    ['PENNYPOST_DEBUG', 'PENNYPOST_LOG_LEVEL'],
    ['PENYPOST_SMTP_URL', 'PENNYPOST_SMTP_URL'],
    ['PENNY_POST_PORT', 'PENNYPOST_PORT'],
  ])('%s is reported with the nearest one, %s', (name, near) => {
    expect(adviceOn(name)).toBe(`${name} is not used. Did you mean ${near}? All settings are in docs/reference/settings.md.`);
  });

  it('is reported without one where none is near', () => {
    expect(adviceOn('PENNYPOST_FOO')).toBe('PENNYPOST_FOO is not used. All settings are in docs/reference/settings.md.');
  });

  it.each(['PENNYPOST_SERVICE_HOST', 'PENNYPOST_SERVICE_PORT_HTTP', 'PENNYPOST_PORT_8025_TCP_ADDR', 'PATH', 'PENNYPOSTMAN'])(
    'is not taken for one where it is no business of ours: %s',
    (name) => expect(adviceOn(name)).toBeUndefined(),
  );

  it('is none of those that are read, and none of those in the documentation', async () => {
    const read = (file: string) => readFile(join(import.meta.dirname, '../..', file), 'utf8');
    const names =
      `${await read('src/infrastructure/config.ts')} ${await read('docs/reference/settings.md')}`.match(/PENNYPOST_[A-Z_]+/g) ??
      [];
    expect(names.length).toBeGreaterThan(30);
    expect(unknownSettings(Object.fromEntries(names.map((name) => [name, 'x'])))).toEqual([]);
  });

  it('is not the port that Kubernetes sets for a service of our name, which is explained', () => {
    expect(() => readConfig({ PENNYPOST_PORT: 'tcp://10.0.0.7:8025' })).toThrow('enableServiceLinks: false');
  });
});
