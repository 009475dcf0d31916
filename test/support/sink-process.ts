/**
 * The fault sink as a process of its own: `node test/support/sink-process.ts --port 0 --log accepted.ndjson`.
 * Prints `{"port":25025}` once it listens, and ends with SIGTERM. Options as in `fault-sink.ts`; `--header` may repeat.
 */
import { parseArgs } from 'node:util';
import { EXTENSIONS, startFaultSink } from './fault-sink.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    log: { type: 'string' },
    header: { type: 'string', multiple: true, default: [] },
    raw: { type: 'boolean', default: false },
    'max-connections': { type: 'string' },
    'messages-per-connection': { type: 'string' },
    rate: { type: 'string' },
    script: { type: 'string' },
    chunking: { type: 'boolean', default: false },
  },
});
const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
const { script, log } = values;
const sink = await startFaultSink({
  port: Number(values.port),
  keep: false,
  keepRaw: values.raw,
  extensions: values.chunking ? [...EXTENSIONS, 'CHUNKING'] : EXTENSIONS,
  headers: values.header,
  ...(log === undefined ? {} : { log }),
  ...(script === undefined ? {} : { script: () => script }),
  maxConnections: number(values['max-connections']) ?? Number.POSITIVE_INFINITY,
  messagesPerConnection: number(values['messages-per-connection']) ?? Number.POSITIVE_INFINITY,
  rate: number(values.rate) ?? Number.POSITIVE_INFINITY,
});
process.on('SIGTERM', () => void sink.close());
console.log(JSON.stringify({ port: sink.port }));
