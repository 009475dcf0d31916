import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface DoorsWish {
  readonly doors: number;
  /** Of the first door. Default: any. */
  readonly port?: number | undefined;
  /** One line of JSON per accepted message, on disk before it is answered. */
  readonly log: string;
  readonly headers: readonly string[];
  /** Log the bytes of the messages as well. Default: false. */
  readonly raw?: boolean | undefined;
  /** Script of every connection. */
  readonly script?: string | undefined;
}

export type Ask =
  | { readonly kind: 'when'; readonly id: number; readonly accepted: number; readonly doors: readonly number[] }
  | { readonly kind: 'look'; readonly id: number }
  | { readonly kind: 'behave'; readonly id: number; readonly script: string | undefined };

export type Tell =
  | { readonly kind: 'listening'; readonly urls: readonly string[] }
  | { readonly kind: 'ended'; readonly door: number; readonly unfinished: boolean }
  | { readonly kind: 'now'; readonly id: number; readonly door: number; readonly accepted: number }
  | {
      readonly kind: 'seen';
      readonly id: number;
      readonly accepted: number;
      readonly open: readonly number[];
      readonly busy: number;
    };

/** One line of the sink's log. */
export interface Copy {
  readonly time: string;
  readonly to: string;
  readonly messageId: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Without dot-stuffing; only when it was asked for. */
  readonly raw?: string;
}

/** A sink in another process, with a door for each worker. */
export interface Doors {
  readonly pid: number;
  readonly urls: readonly string[];
  /** Resolves when so many messages were accepted and one of these doors has a transaction under way; the first such door. */
  when(accepted: number, doors: readonly number[]): Promise<{ readonly door: number; readonly accepted: number }>;
  /** The script of every connection from now on; those that are open are cut. */
  behave(script: string | undefined): Promise<void>;
  /** Messages accepted, connections open at each door, and connections with a transaction under way at all of them. */
  look(): Promise<{ readonly accepted: number; readonly open: readonly number[]; readonly busy: number }>;
  /** Connections of this door that ended in the middle of a transaction, so far. */
  cut(door: number): number;
  copies(): Promise<readonly Copy[]>;
  close(): Promise<void>;
}

export async function openDoors(wish: DoorsWish): Promise<Doors> {
  const child = fork(join(import.meta.dirname, 'doors-process.ts'), [JSON.stringify(wish)]);
  const cut = new Array<number>(wish.doors).fill(0);
  const answers = new Map<number, (told: Tell) => void>();
  let urls: readonly string[] = [];
  let listening: (() => void) | undefined;
  let asked = 0;
  const ready = new Promise<void>((resolve) => {
    listening = resolve;
  });
  child.on('message', (told: Tell) => {
    if (told.kind === 'ended') cut[told.door] = (cut[told.door] ?? 0) + (told.unfinished ? 1 : 0);
    else if (told.kind === 'listening') {
      urls = told.urls;
      listening?.();
    } else {
      answers.get(told.id)?.(told);
      answers.delete(told.id);
    }
  });
  const ask = <Kind extends 'now' | 'seen'>(question: (id: number) => Ask): Promise<Extract<Tell, { kind: Kind }>> =>
    new Promise((resolve) => {
      asked += 1;
      answers.set(asked, (told) => resolve(told as Extract<Tell, { kind: Kind }>));
      child.send(question(asked));
    });
  await Promise.race([
    ready,
    once(child, 'exit').then(([code]) => {
      throw new Error(`The sink ended with ${code} before it listened.`);
    }),
  ]);
  return {
    pid: child.pid ?? 0,
    urls,
    when: (accepted, doors) => ask<'now'>((id) => ({ kind: 'when', id, accepted, doors })),
    behave: async (script) => void (await ask<'seen'>((id) => ({ kind: 'behave', id, script }))),
    look: () => ask<'seen'>((id) => ({ kind: 'look', id })),
    cut: (door) => cut[door] ?? 0,
    copies: async () => copiesIn(await readFile(wish.log, 'utf8')),
    async close() {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

/** A line that was cut off is no message: the sink answers only after its line is written. */
export function copiesIn(log: string): readonly Copy[] {
  return log
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Copy);
}
