/** An instance for one run outside of the test runner: a database of its own (the embedded one), gone afterwards. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../../src/infrastructure/config.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { createLogger } from '../../../src/infrastructure/logger.ts';
import { openPennypost } from '../../../src/infrastructure/open.ts';
import { type ChaosPlace, releaseWorker } from './chaos-run.ts';

export async function openPlace(
  shardSize: number,
  note: (text: string) => void,
): Promise<ChaosPlace & { close(how?: { readonly keep: boolean }): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'pennypost-chaos-'));
  // As root the embedded server runs as another user, who has to get through.
  await chmod(directory, 0o711);
  const secretKey = randomBytes(32);
  const environment = {
    PENNYPOST_DATA_DIR: join(directory, 'data'),
    PENNYPOST_DATABASE_URL: '',
    PENNYPOST_SECRET_KEY: secretKey.toString('hex'),
    PENNYPOST_PUBLIC_URL: 'http://127.0.0.1:8025',
    PENNYPOST_LOG_LEVEL: 'warn',
  };
  const opened = await openPennypost({
    config: readConfig(environment),
    log: createLogger('warn'),
    works: false,
    destination: 'none',
    secretKeys: [secretKey],
    shardSize,
  });
  return {
    application: opened.get(tokens.application),
    environment,
    directory,
    release: (workerId) => releaseWorker(opened, workerId),
    note,
    async close({ keep } = { keep: false }) {
      await opened.close();
      if (keep) note(`logs are in ${directory}`);
      else await rm(directory, { recursive: true, force: true });
    },
  };
}
