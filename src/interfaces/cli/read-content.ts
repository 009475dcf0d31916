import { readFile } from 'node:fs/promises';
import { InvalidInput } from '../../domain/shared/errors.ts';
import type { Cli } from './cli.ts';
import type { ContentFile } from './content-file.ts';

/** Reads a message file, or standard input. @throws ContentFileInvalid, InvalidInput */
export async function readContent(cli: Cli, path: string): Promise<ContentFile> {
  const { parseContentFile } = await import('./content-file.ts');
  return parseContentFile(path === '-' ? 'standard input' : path, await readText(cli, path));
}

/** A text file in UTF-8, or standard input for `-`. @throws InvalidInput */
export async function readText(cli: Cli, path: string): Promise<string> {
  try {
    const bytes = path === '-' ? await allOf(cli.stdin) : await readFile(path);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw new InvalidInput(`${path} is not UTF-8. Save it as UTF-8.`);
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EISDIR'))
      throw new InvalidInput(`There is no file ${path}.`);
    throw error;
  }
}

async function allOf(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}
