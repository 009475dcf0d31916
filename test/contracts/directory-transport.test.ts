import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseTransportSettings } from '../../src/domain/delivery/index.ts';
import { createTransport } from '../../src/infrastructure/transports/create-transport.ts';
import { message } from '../support/sink-fixture.ts';

let emlDir = '';
const out = (): string => join(emlDir, 'shop', 'out');
const transport = () =>
  createTransport(parseTransportSettings({ kind: 'directory', path: 'shop/out' }), {
    slots: 4,
    allowsPrivateHosts: false,
    emlDir,
  });

beforeEach(async () => {
  emlDir = await mkdtemp(join(tmpdir(), 'pennypost-eml-'));
});
afterEach(() => rm(emlDir, { recursive: true }));

describe('a directory', () => {
  it('has one file for each message and recipient, readable by its owner only', async () => {
    const attempts = await Promise.all(['a@example.net', 'b@example.net'].map((to) => transport().submit(message(to))));
    const files = await readdir(out());
    expect(files.sort()).toEqual(attempts.map((attempt) => 'providerMessageId' in attempt && attempt.providerMessageId).sort());
    expect(files.every((name) => /^[0-9a-f]{32}\.eml$/.test(name))).toBe(true);
    expect((await stat(join(out(), files[0] ?? ''))).mode & 0o777).toBe(0o600);
  });

  it('has the file replaced when the message is handed over again', async () => {
    await transport().submit(message('a@example.net'));
    const [name = ''] = await readdir(out());
    await writeFile(join(out(), name), 'half a mess');
    // What a killed process leaves is hidden, and no message.
    await writeFile(join(out(), `.${name}.1.tmp`), 'half');
    await transport().submit(message('a@example.net'));
    expect((await readdir(out())).filter((file) => !file.startsWith('.'))).toEqual([name]);
    expect(await readFile(join(out(), name), 'utf8')).toMatch(
      /^X-Envelope-From: <b\+1@bounces\.example\.com>\r\nX-Envelope-To: <a@example\.net>\r\nSubject: Hello\r\n/,
    );
  });

  it('that cannot be written to defers the message and says why, also in verify', async () => {
    await mkdir(join(emlDir, 'shop'));
    await writeFile(out(), 'a file of that name');
    expect(await transport().submit(message('a@example.net'))).toMatchObject({
      outcome: 'deferred',
      fault: 'transport',
      reply: expect.stringContaining('EEXIST'),
    });
    await expect(transport().verify()).rejects.toThrow('EEXIST');
  });

  it('is made by verify where it does not exist', async () => {
    await transport().verify();
    expect(await readdir(out())).toEqual([]);
  });
});
