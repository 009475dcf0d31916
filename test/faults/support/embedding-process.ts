/** An application with pennypost and its embedded database inside. */

import { readConfig } from '../../../src/infrastructure/config.ts';
import { createPennypost } from '../../../src/interfaces/npm/index.ts';

const pennypost = await createPennypost({ dataDir: readConfig().dataDir, logLevel: 'error' });
await pennypost.start();
console.log('working');
process.once('SIGTERM', () => {
  void pennypost.stop().then(() => process.exit(0));
});
