/**
 * The sink of the chaos run, in a process that knows nothing of us: one port ("door") per worker, so that it can tell whose
 * connection a connection is, and one log for all of them. Argument: JSON of `DoorsWish`. Speaks over IPC, see `doors.ts`.
 */
import { type FaultSink, startFaultSink } from '../../support/fault-sink.ts';
import type { Ask, DoorsWish, Tell } from './doors.ts';

/** How often a waiting question is looked at: a worker hands over some five messages in this time. */
const LOOK_MS = 1;

const wish = JSON.parse(process.argv[2] ?? '{}') as DoorsWish;
// Whoever asked may have gone.
const tell = (what: Tell): void => void process.send?.(what, () => undefined);
let { script } = wish;
const doors: FaultSink[] = [];
for (let door = 0; door < wish.doors; door += 1) {
  doors.push(
    await startFaultSink({
      keep: false,
      log: wish.log,
      headers: wish.headers,
      keepRaw: wish.raw ?? false,
      script: () => script,
      ...(door === 0 && wish.port !== undefined ? { port: wish.port } : {}),
      onEnd: ({ unfinished }) => tell({ kind: 'ended', door, unfinished }),
    }),
  );
}

const accepted = (): number => doors.reduce((sum, door) => sum + door.accepted, 0);
let question: Extract<Ask, { kind: 'when' }> | undefined;

const look = (): void => {
  if (question === undefined || accepted() < question.accepted) return;
  const door = question.doors.find((number) => (doors[number]?.unfinished ?? 0) > 0);
  if (door === undefined) return;
  tell({ kind: 'now', id: question.id, door, accepted: accepted() });
  question = undefined;
};

process.on('message', (ask: Ask) => {
  if (ask.kind === 'when') {
    question = ask;
    return;
  }
  if (ask.kind === 'behave') {
    script = ask.script;
    for (const door of doors) door.cut();
  }
  const open = doors.map((door) => door.connections.open);
  const busy = doors.reduce((sum, door) => sum + door.unfinished, 0);
  tell({ kind: 'seen', id: ask.id, accepted: accepted(), open, busy });
});
process.once('disconnect', () => process.exit());
setInterval(look, LOOK_MS);
tell({ kind: 'listening', urls: doors.map((door) => door.url) });
