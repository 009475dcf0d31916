/**
 * Benchmarks, run by hand: `npm run bench -- <name> [options] [--json]`. Each makes an instance of its own (the embedded
 * PostgreSQL, or a database beside that of PENNYPOST_DATABASE_URL) and leaves nothing behind. What is measured, and how it is to
 * be read, is in docs/performance.md.
 */
import { type BenchOutput, benchOutput } from './support/output.ts';

type Bench = (args: readonly string[], output: BenchOutput) => Promise<void>;

/** Loaded when asked for: each is a process of its own and should not carry the others. */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  send: async () => (await import('./send.ts')).benchSend,
  transactional: async () => (await import('./transactional.ts')).benchTransactional,
  track: async () => (await import('./track.ts')).benchTrack,
  import: async () => (await import('./import.ts')).benchImport,
  report: async () => (await import('./report.ts')).benchReport,
  compose: async () => (await import('./compose.ts')).benchCompose,
  transport: async () => (await import('./transport.ts')).benchTransport,
};

const [name = '', ...rest] = process.argv.slice(2);
const load = BENCHES[name];
if (load === undefined) {
  process.stderr.write(`Usage: npm run bench -- <${Object.keys(BENCHES).join('|')}> [options] [--json]\n`);
  process.exitCode = 2;
} else {
  const bench = await load();
  await bench(
    rest.filter((word) => word !== '--json'),
    benchOutput(rest.includes('--json')),
  );
}
