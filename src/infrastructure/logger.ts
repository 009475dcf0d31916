import { pino } from 'pino';
import type { Log } from '../application/log.ts';
import { readableLog } from './log-lines.ts';

export { readableLog } from './log-lines.ts';

/** What may stand in a log line never includes addresses, bodies or tokens; these names are cut out if they slip in. */
const REDACTED = [
  'address',
  'to',
  'email',
  'password',
  'secret',
  'token',
  '*.address',
  '*.email',
  '*.password',
  '*.secret',
  '*.token',
];

/** JSON lines on standard error, so that standard output stays for what a command answers. `silent` says nothing. */
export function createLogger(level: string): Log {
  const logger = pino(
    { level, redact: REDACTED, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
  return readableLog({
    info: (facts, message) => logger.info(facts, message),
    warn: (facts, message) => logger.warn(facts, message),
    error: (facts, message) => logger.error(facts, message),
  });
}
