import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { InvalidInput } from '../../domain/shared/errors.ts';

/** Of the usual endings; a file of another is sent as bytes without a type. */
const TYPES: Readonly<Record<string, string>> = {
  '.csv': 'text/csv',
  '.docx': 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  '.gif': 'image/gif',
  '.html': 'text/html',
  '.ics': 'text/calendar',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.json': 'application/json',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain',
  '.webp': 'image/webp',
  '.xlsx': 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  '.xml': 'application/xml',
  '.zip': 'application/zip',
};

export interface FileOptions {
  readonly attach?: readonly string[];
  /** `id=file`. */
  readonly inline?: readonly string[];
}

/** Reads the files of `--attach` and `--inline`. @throws InvalidInput for a file that cannot be read */
export function attachedFiles({ attach = [], inline = [] }: FileOptions) {
  return Promise.all([
    ...attach.map((path) => fileAt(path, '--attach')),
    ...inline.map(async (text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new InvalidInput(`--inline must be id=file, not "${text.slice(0, 60)}".`);
      return { ...(await fileAt(text.slice(at + 1), '--inline')), contentId: text.slice(0, at) };
    }),
  ]);
}

async function fileAt(path: string, option: string) {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new InvalidInput(`${option}: ${path} cannot be read (${error.code ?? error.message}).`);
  });
  const type = TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream';
  return { name: basename(path), type, content: bytes.toString('base64') };
}
