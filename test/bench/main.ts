/**
 * Benchmarks, run by hand: `npm run bench -- <name> [options] [--json]`. Each makes an instance of its own (the embedded
 * PostgreSQL, or a database beside that of PENNYPOST_DATABASE_URL) and leaves nothing behind. What is measured, and how it is to
 * be read, is in docs/inside/performance.md.
 */
import { WrongArguments } from './support/arguments.ts';
import { type BenchOutput, benchOutput } from './support/output.ts';

type Bench = (args: readonly string[], output: BenchOutput) => Promise<void>;

interface Entry {
  /** Options with their defaults. */
  readonly usage: string;
  /** Loaded when asked for: each is a process of its own and should not carry the others. */
  readonly load: () => Promise<Bench>;
}

const BENCHES: Readonly<Record<string, Entry>> = {
  send: {
    usage:
      '[--recipients 100000] [--size 5k|40k] [--processes 1] [--connections 20] [--versus smtp-source | --smtp smtp://127.0.0.1:PORT] [--round-trip MILLISECONDS] [--no-chunking] [--rounds 1, or 3 with --versus] [--verify 1000] [--profile DIRECTORY]',
    load: async () => (await import('./send.ts')).benchSend,
  },
  transactional: {
    usage: '[--messages 5000] [--rate 100 a second] [--clients 32] [--under-load [--recipients 500000]]',
    load: async () => (await import('./transactional.ts')).benchTransactional,
  },
  track: { usage: '[--seconds 10] [--connections 256]', load: async () => (await import('./track.ts')).benchTrack },
  import: { usage: '[--rows 1000000]', load: async () => (await import('./import.ts')).benchImport },
  report: { usage: '[--events 10000000]', load: async () => (await import('./report.ts')).benchReport },
  read: {
    usage: '[--campaigns 10000] [--bytes 100000] [--calls 500]',
    load: async () => (await import('./read.ts')).benchRead,
  },
  compose: { usage: '', load: async () => (await import('./compose.ts')).benchCompose },
  dkim: { usage: '', load: async () => (await import('./dkim.ts')).benchDkim },
  transport: {
    usage: '[--messages 20000] [--connections 20] [--rounds 3]',
    load: async () => (await import('./transport.ts')).benchTransport,
  },
};

const usage = (names: readonly string[]): string =>
  [
    'Usage:',
    ...names.map((name) => `  npm run bench -- ${[name, BENCHES[name]?.usage, '[--json]'].filter(Boolean).join(' ')}`),
    '',
  ].join('\n');

const isAboutArguments = (error: unknown): error is Error =>
  error instanceof WrongArguments ||
  (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));

const [name = '', ...rest] = process.argv.slice(2);
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
const names = bench === undefined ? Object.keys(BENCHES) : [name];
if ([name, ...rest].includes('--help')) {
  process.stdout.write(usage(names));
} else if (bench === undefined) {
  process.stderr.write(usage(names));
  process.exitCode = 2;
} else {
  const run = await bench.load();
  const args = rest.filter((word) => word !== '--json');
  await run(args, benchOutput(rest.includes('--json'))).catch((error: unknown) => {
    if (!isAboutArguments(error)) throw error;
    process.stderr.write(`${error.message}\n${usage(names)}`);
    process.exitCode = 2;
  });
}
