import { startEmbedded } from '../../src/infrastructure/postgres/embedded.ts';

/**
 * A process with the embedded database, as a test starts it: `node embedded-process.ts <dataDir>`. Says one line of JSON when
 * it has the database or could not get it, and stays until its input ends, or until it is killed.
 */
const [dataDir = ''] = process.argv.slice(2);
const say = (line: object): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};
const log = {
  info: (_: object, text: string) => say({ log: text }),
  warn: (_: object, text: string) => say({ log: text }),
  error: (_: object, text: string) => say({ log: text }),
};
try {
  const database = await startEmbedded({ dataDir, sync: false, log });
  say({ role: database.role, uid: process.getuid?.() });
  process.stdin.resume();
  process.stdin.once('end', () => {
    void database.stop().then(() => say({ stopped: true }));
  });
} catch (error) {
  say({
    code: error instanceof Error && 'code' in error ? error.code : 'none',
    message: error instanceof Error ? error.message : String(error),
  });
  process.exitCode = 1;
}
