import { existsSync } from 'node:fs';
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OutputFile, withOutputFile } from '../../../src/interfaces/cli/output-file.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pennypost-output-'));
  await writeFile(at('p.csv'), 'precious');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a file that a command writes', () => {
  it('is there when it is whole, and not before', async () => {
    const file = await OutputFile.open(at('out.csv'), '--rejected', [at('p.csv')]);
    expect(existsSync(at('out.csv'))).toBe(false);
    await file.write('whole');
    expect(await readFile(at('out.csv'), 'utf8')).toBe('whole');
    expect((await readdir(folder)).toSorted()).toEqual(['out.csv', 'p.csv']);
  });

  it.each([
    ['the same path', async () => at('p.csv')],
    ['a path with detours', async () => `${folder}/x/../p.csv`.replace('/x/..', '/.')],
    ['a symbolic link', async () => symlink(at('p.csv'), at('l.csv')).then(() => at('l.csv'))],
    [
      'a link to a link',
      async () =>
        symlink(at('p.csv'), at('l'))
          .then(() => symlink(at('l'), at('l2')))
          .then(() => at('l2')),
    ],
    ['a hard link', async () => link(at('p.csv'), at('h.csv')).then(() => at('h.csv'))],
  ])('is refused when it is the input under %s', async (_, other) => {
    const path = await other();
    await expect(OutputFile.open(path, '--rejected', [at('p.csv')])).rejects.toMatchObject({
      code: 'input.invalid',
      message: expect.stringContaining('--rejected names'),
    });
    await expect(OutputFile.open(at('p.csv'), '--rejected', [path])).rejects.toMatchObject({ code: 'input.invalid' });
    expect(await readFile(at('p.csv'), 'utf8')).toBe('precious');
  });

  it('leaves what was there when the command fails', async () => {
    await writeFile(at('out.csv'), 'old');
    const failing = withOutputFile(at('out.csv'), '--html', [], async (file) => {
      await file?.write(
        (async function* parts() {
          yield 'half';
          throw new Error('broken off');
        })(),
      );
    });
    await expect(failing).rejects.toThrow('broken off');
    expect(await readFile(at('out.csv'), 'utf8')).toBe('old');
    expect((await readdir(folder)).toSorted()).toEqual(['out.csv', 'p.csv']);
  });

  it('keeps the mode of the file that it replaces, and a link stays a link', async () => {
    await chmod(at('p.csv'), 0o640);
    await symlink(at('p.csv'), at('l.csv'));
    await (await OutputFile.open(at('l.csv'), '--html')).write('new');
    expect(await readFile(at('p.csv'), 'utf8')).toBe('new');
    expect((await stat(at('p.csv'))).mode & 0o777).toBe(0o640);
  });

  it('may be a device', async () => {
    await (await OutputFile.open('/dev/null', '--rejected', ['-'])).write('gone');
  });

  it.each([
    ['a directory', async () => mkdir(at('d')).then(() => at('d')), 'is a directory'],
    ['in a folder that is not there', async () => at('no/out.csv'), 'its directory does not exist'],
    ['in a folder that is a file', async () => at('p.csv/out.csv'), 'its directory is a file'],
  ])('is refused at once when it is %s', async (_, where, message) => {
    await expect(OutputFile.open(await where(), '--html')).rejects.toMatchObject({
      code: 'input.invalid',
      message: expect.stringContaining(message),
    });
  });
});
