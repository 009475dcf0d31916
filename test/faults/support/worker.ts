/**
 * A worker in a process of its own, with what tests may set and the command line does not: argument 1 is JSON of `WorkerWish`.
 * Says `working` once it works. SIGTERM drains, a second one exits.
 */
import { existsSync } from 'node:fs';
import type { Lane, RetryPolicy } from '../../../src/domain/delivery/index.ts';
import { readConfig } from '../../../src/infrastructure/config.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { createLogger } from '../../../src/infrastructure/logger.ts';
import { openPennypost } from '../../../src/infrastructure/open.ts';
import { createSmtpTransport, type SmtpTransportOptions } from '../../../src/infrastructure/transports/smtp.ts';
import { reportToSupervisor } from '../../../src/interfaces/cli/supervisor.ts';
import { skewedBy } from '../../support/hand-clock.ts';

export interface WorkerWish {
  readonly lanes?: readonly Lane[];
  readonly shardSize?: number;
  readonly bulkRetry?: RetryPolicy;
  readonly transactionalRetry?: RetryPolicy;
  readonly databasePatienceMs?: number;
  /** How far this machine's clock is off. */
  readonly skewMs?: number;
  /** What no test can wait for: RFC 5321 gives a server minutes. */
  readonly smtp?: Pick<SmtpTransportOptions, 'backoff' | 'timeouts' | 'connectTimeout'>;
  /** SIGUSR2 blocks the event loop until there is such a file. */
  readonly untilFile?: string;
}

const { lanes = ['bulk'], smtp, untilFile = '', skewMs = 0, ...options } = JSON.parse(process.argv[2] ?? '{}') as WorkerWish;
const config = readConfig();
const transport =
  smtp === undefined
    ? undefined
    : createSmtpTransport({ url: config.smtpUrl ?? '', maxConnections: config.maxConnections, ...smtp });
const log = createLogger(config.logLevel);
const onFatal = (error: unknown): void => {
  log.error({ reason: error instanceof Error ? error.stack : String(error) }, 'outcomes can no longer be recorded');
  process.exit(70);
};
const opened = await openPennypost({ config, log, works: true, onFatal, transport, clock: skewedBy(skewMs), ...options });
const workers = opened.get(tokens.workers);
await workers.start(lanes);

let draining = false;
const drain = (): void => {
  if (draining) process.exit(143);
  draining = true;
  void workers
    .stop()
    .then(() => opened.close())
    .then(() => process.exit(0));
};
process.on('SIGTERM', drain);
reportToSupervisor(workers.id, drain);

/** A fault of ours: synchronous code that does not end. */
function endlessLoop(): number {
  let sum = 0;
  while (!existsSync(untilFile)) for (let step = 0; step < 10_000_000; step += 1) sum += Math.sqrt(step);
  return sum;
}
process.on('SIGUSR2', endlessLoop);
console.log('working');
