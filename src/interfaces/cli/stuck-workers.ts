import type { Status } from '../../application/application.ts';
import { formatSeconds, oneLine } from './text.ts';

type Worker = Status['workers'][number];

const nameOf = ({ host, pid }: Worker): string => `${host}:${pid}`;

/** Empty for a worker that gets on. */
export function stuckText(worker: Worker): readonly string[] {
  const { stuck } = worker.progress;
  if (stuck === undefined) return [];
  const text = `${nameOf(worker)} is stuck for ${formatSeconds(stuck.forMs / 1_000)}: ${oneLine(stuck.at)}`;
  return [stuck.profile === undefined ? text : `${text}\n  CPU profile: ${oneLine(stuck.profile)}`];
}

/** Notes for `--watch`, once each: which worker is stuck, the path of its profile, which one continues. */
export class StuckNews {
  private told = new Map<string, Worker>();

  /** @param workers as they are now @returns lines that are new */
  of(workers: readonly Worker[]): readonly string[] {
    const stuck = new Map(workers.filter(({ progress }) => progress.stuck !== undefined).map((worker) => [worker.id, worker]));
    const begun = [...stuck.values()].flatMap((worker) => {
      const before = this.told.get(worker.id)?.progress.stuck;
      return before === undefined || before.profile !== worker.progress.stuck?.profile ? stuckText(worker) : [];
    });
    const ended = [...this.told.values()]
      .filter(({ id }) => !stuck.has(id))
      .map(
        (worker) => `${nameOf(worker)} is no longer stuck${workers.some(({ id }) => id === worker.id) ? '' : ': it has ended'}`,
      );
    this.told = stuck;
    return [...begun, ...ended];
  }
}
