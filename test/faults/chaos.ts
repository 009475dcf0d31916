/**
 * `npm run chaos -- --recipients 20000 --kills 100 --seed 1 [--json]`: kills workers while they send a campaign, and judges by
 * the log of a sink in another process. With `--json` the last line is one line of JSON. Exit code 0: every promise held; 1: one
 * was broken; 2: the command was wrong. What is done and counted is in docs/inside/delivery.md.
 */
import { parseArgs } from 'node:util';
import { type ChaosWish, runChaos } from './support/chaos-run.ts';
import { openPlace } from './support/place.ts';

const USAGE =
  'npm run chaos -- [--recipients 20000] [--kills 100] [--seed 1] [--stalls 3] [--processes 3] [--window 30] [--connections 10] [--json] [--keep]';

function readWish(): { wish: ChaosWish; json: boolean; keep: boolean } | undefined {
  const option = (value: string) => ({ type: 'string', default: value }) as const;
  try {
    const { values } = parseArgs({
      options: {
        recipients: option('20000'),
        kills: option('100'),
        seed: option('1'),
        stalls: option('3'),
        processes: option('3'),
        window: option('30'),
        connections: option('10'),
        seconds: option('470'),
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
      },
    });
    const { json, keep, ...texts } = values;
    const numbers = Object.entries(texts).map(([name, text]) => [name, Number(text)] as const);
    const wrong = numbers.find(([, number]) => !Number.isSafeInteger(number) || number < 0);
    if (wrong !== undefined) throw new TypeError(`--${wrong[0]} wants a whole number.`);
    return { wish: Object.fromEntries(numbers) as unknown as ChaosWish, json, keep };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    return undefined;
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(2));
const asked = readWish();
if (asked === undefined) process.exitCode = 2;
else {
  const { wish, json, keep } = asked;
  const note = (text: string): void => void process.stderr.write(`${text}\n`);
  // One shard fewer than workers, so that somebody idle is always there to take one over.
  const place = await openPlace(Math.ceil(wish.recipients / Math.max(1, wish.processes - 1)), note);
  const { figures, faults, resets, seconds } = await runChaos(wish, place).finally(() => place.close({ keep }));
  for (const [name, value] of Object.entries(figures)) process.stdout.write(`${name.padEnd(18)}${String(value).padStart(8)}\n`);
  process.stdout.write(
    `${'scripted resets'.padEnd(18)}${String(resets).padStart(8)}\nseconds${seconds.toFixed(1).padStart(19)}\n`,
  );
  for (const fault of faults) process.stdout.write(`BROKEN: ${fault}\n`);
  if (json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
