import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Attempt, cleanReply, type OutgoingMessage } from '../../domain/delivery/index.ts';
import { InProcessTransport } from './in-process-transport.ts';
import { WHOLE_MESSAGES } from './whole-messages.ts';

/**
 * Writes each message to a file `<hash>.eml` of a directory, with its envelope in two headers before it. A message is never seen half:
 * it is written under a hidden name, flushed to the disk and renamed. Its name depends on Message-ID and recipient, so that a repeat replaces
 * the file of the first attempt and makes no second one.
 */
export class DirectoryTransport extends InProcessTransport {
  private readonly directory: string;

  constructor({ directory, slots }: { readonly directory: string; readonly slots: number }) {
    const capabilities = { ...WHOLE_MESSAGES, givesMessageId: true };
    super({ name: 'directory', slots, capabilities, deliver: (message) => deliver(directory, message) });
    this.directory = directory;
  }

  override async verify(): Promise<void> {
    await super.verify();
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    await access(this.directory, constants.W_OK | constants.X_OK);
  }
}

async function deliver(directory: string, message: OutgoingMessage): Promise<Attempt> {
  const name = `${nameOf(message)}.eml`;
  const hidden = join(directory, `.${name}.${process.pid}.tmp`);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFlushed(hidden, message);
    await rename(hidden, join(directory, name));
    await flushDirectory(directory);
    return {
      outcome: 'submitted',
      code: undefined,
      enhancedCode: undefined,
      // Without the directory, whose place on the server is nothing to the users of a project.
      reply: `written to ${name}`,
      fault: 'none',
      providerMessageId: name,
    };
  } catch (error) {
    await unlink(hidden).catch(() => undefined);
    const reply = cleanReply(`${directory}: ${error instanceof Error ? error.message : String(error)}`);
    // Also where the name may already stand: the next attempt replaces that file.
    return { outcome: 'deferred', code: undefined, enhancedCode: undefined, reply, fault: 'transport' };
  }
}

async function writeFlushed(path: string, { envelope, content }: OutgoingMessage): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.write(Buffer.from(`X-Envelope-From: <${envelope.from}>\r\nX-Envelope-To: <${envelope.to}>\r\n`));
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename is on the disk only with the directory. */
async function flushDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function nameOf({ envelope, content }: OutgoingMessage): string {
  const header =
    Buffer.from(content)
      .subarray(0, 64 * 1024)
      .toString('latin1')
      .split('\r\n\r\n', 1)[0] ?? '';
  const messageId = /^Message-ID:\s*(<[^>]*>)/im.exec(header)?.[1];
  return createHash('sha256')
    .update(envelope.to)
    .update('\0')
    .update(messageId ?? content)
    .digest('hex')
    .slice(0, 32);
}
