/** One bulk worker in a process of its own, to be killed: says `working` once it works, ends with SIGTERM. */
import { readConfig } from '../../src/infrastructure/config.ts';
import { tokens } from '../../src/infrastructure/container.ts';
import { createLogger } from '../../src/infrastructure/logger.ts';
import { openPennypost } from '../../src/infrastructure/open.ts';

const config = readConfig();
const opened = await openPennypost({ config, log: createLogger(config.logLevel), works: true, shardSize: 500 });
const workers = opened.get(tokens.workers);
await workers.start(['bulk']);
console.log('working');
process.once('SIGTERM', () => {
  void workers
    .stop()
    .then(() => opened.close())
    .then(() => process.exit(0));
});
