/**
 * Rows per second that `pennypost import` brings into the audience (checked, merged, subscribed, each with its own id and consent
 * record), against a bare COPY of the same file into a table without any index, in the same run.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { from as copyFrom } from 'pg-copy-streams';
import { startNode } from '../support/processes.ts';
import { whole } from './support/arguments.ts';
import { openBenchInstance, withClientOf } from './support/instance.ts';
import { peakRssMb, rounded } from './support/machine.ts';
import { peopleCsv, SENDER_DOMAIN } from './support/newsletters.ts';
import type { BenchOutput } from './support/output.ts';
import { COMMAND } from './support/workers.ts';

const LOOK_MS = 100;

export async function benchImport(args: readonly string[], output: BenchOutput): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { rows: { type: 'string', default: '1000000' } } });
  const rows = whole('rows', values.rows);
  const directory = await mkdtemp(join(tmpdir(), 'pennypost-bench-import-'));
  const instance = await openBenchInstance({});
  try {
    const file = join(directory, 'people.csv');
    await pipeline(Readable.from(peopleCsv(rows)), createWriteStream(file));
    const { size } = await stat(file);
    const { application } = instance;
    const project = await application.projects.create({
      name: 'Benchmark',
      senderDomain: SENDER_DOMAIN,
      postalAddress: '1 Main Street, 12345 Town',
    });
    const list = await application.lists.create(project.id, { name: 'Everybody' });

    output.note(`importing ${rows.toLocaleString('en-US')} rows`);
    const begun = performance.now();
    const command = startNode(
      COMMAND,
      ['import', file, '--list', list.slug, '--consent-source', 'benchmark', '--json'],
      instance.environment,
    );
    let peak = 0;
    const looking = setInterval(() => {
      peak = Math.max(peak, peakRssMb(command.child.pid ?? 0) || 0);
    }, LOOK_MS);
    const end = await command.ended;
    const seconds = (performance.now() - begun) / 1_000;
    clearInterval(looking);
    if (end !== 0) throw new Error(`The import ended with ${end}.\n${command.errors()}`);
    const { subscribers } = await application.lists.get(project.id, list.id);
    if (subscribers.confirmed !== rows) throw new Error(`${subscribers.confirmed} people are on the list, not ${rows}.`);

    output.note('copying the same file');
    const copySeconds = await withClientOf(instance.opened, async (client) => {
      await client.query('create table public.bench_copy (email text, first_name text, city text, vip text)');
      const copyBegun = performance.now();
      await pipeline(
        createReadStream(file),
        client.query(copyFrom('copy public.bench_copy from stdin with (format csv, header true)')),
      );
      return (performance.now() - copyBegun) / 1_000;
    });
    const result = {
      bench: 'import',
      rows,
      bytes: size,
      seconds: rounded(seconds, 2),
      rowsPerSecond: rounded(rows / seconds),
      peakRssMb: rounded(peak, 1),
      copySeconds: rounded(copySeconds, 2),
      copyRowsPerSecond: rounded(rows / copySeconds),
      ratio: rounded(copySeconds / seconds, 3),
    };
    output.table(`import of ${rows.toLocaleString('en-US')} rows, ${rounded(size / 1e6)} MB`, [
      { what: 'pennypost import', seconds, 'rows/s': result.rowsPerSecond, 'peak MB': result.peakRssMb },
      { what: 'bare COPY', seconds: copySeconds, 'rows/s': result.copyRowsPerSecond, 'peak MB': Number.NaN },
    ]);
    output.result(result);
  } finally {
    await instance.close();
    await rm(directory, { recursive: true, force: true });
  }
}
