import { randomUUID } from 'node:crypto';
import { access, constants, type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InvalidInput } from '../../domain/shared/errors.ts';

/**
 * A file that a command writes. It is written beside its place and renamed when it is whole, so that a command that fails
 * leaves what was there. Pipes and devices, such as /dev/stdout, are written directly.
 */
export class OutputFile {
  private readonly path: string;
  private readonly beside: string | undefined;
  private readonly handle: FileHandle;

  private constructor(path: string, beside: string | undefined, handle: FileHandle) {
    this.path = path;
    this.beside = beside;
    this.handle = handle;
  }

  /**
   * Finds out now whether the file can be written, and not after a million rows.
   * @param option for the error, such as `--rejected`
   * @param inputs files that the command reads; `-` is standard input
   * @throws InvalidInput when it cannot be written, or is one of the inputs by any of its names
   */
  static async open(wanted: string, option: string, inputs: readonly string[] = []): Promise<OutputFile> {
    try {
      const there = await stat(wanted).catch(missing);
      if (there?.isDirectory()) throw new InvalidInput(`${option} names ${wanted}, which is a directory. Name a file.`);
      for (const input of there?.isFile() ? inputs : []) {
        const other = await stat(input === '-' ? '/dev/stdin' : input).catch(missing);
        // Device and inode are the same for a link, a hard link and a name in other case.
        if (other?.isFile() && other.dev === there?.dev && other.ino === there.ino)
          throw new InvalidInput(`${option} names ${wanted}, which is the file that is read. Name another file.`);
      }
      // Renaming over a file that a shell has opened would leave the shell writing into a file without a name.
      if (/^\/(?:dev|proc)\//.test(wanted) || (there !== undefined && !there.isFile())) {
        return new OutputFile(wanted, undefined, await open(wanted, 'a'));
      }
      if (there !== undefined) await access(wanted, constants.W_OK);
      const path = there === undefined ? wanted : await realpath(wanted);
      const beside = join(dirname(path), `.${basename(path).slice(0, 100)}.${randomUUID().slice(0, 8)}.tmp`);
      return new OutputFile(path, beside, await open(beside, 'wx', there === undefined ? 0o666 : there.mode & 0o777));
    } catch (error) {
      if (error instanceof InvalidInput) throw error;
      throw new InvalidInput(
        `${option}: ${wanted} cannot be written (${reasonOf(error)}). Name a file in a directory that you may write to.`,
      );
    }
  }

  /** Writes the whole content and puts the file in its place. */
  async write(content: string | AsyncIterable<string>): Promise<void> {
    if (typeof content === 'string') await this.handle.writeFile(content);
    else for await (const part of content) await this.handle.writeFile(part);
    await this.handle.close();
    if (this.beside !== undefined) await rename(this.beside, this.path);
  }

  /** Leaves what was there. */
  async discard(): Promise<void> {
    await this.handle.close();
    if (this.beside !== undefined) await rm(this.beside, { force: true });
  }
}

/** Runs `work` with the file, if one is wanted; what fails before it was written leaves what was there. */
export async function withOutputFile<T>(
  wanted: string | undefined,
  option: string,
  inputs: readonly string[],
  work: (file: OutputFile | undefined) => Promise<T>,
): Promise<T> {
  if (wanted === undefined) return work(undefined);
  const file = await OutputFile.open(wanted, option, inputs);
  try {
    return await work(file);
  } catch (error) {
    // The first fault is the one to tell.
    await Promise.allSettled([file.discard()]);
    throw error;
  }
}

function missing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENXIO')) return undefined;
  throw error;
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'its directory does not exist',
    ENOTDIR: 'its directory is a file',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EROFS: 'the file system is read-only',
    ENAMETOOLONG: 'its name is too long',
    ELOOP: 'its links form a circle',
  };
  return known[code] ?? (error instanceof Error ? error.message : String(error));
}
