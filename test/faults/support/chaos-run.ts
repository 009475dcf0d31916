/**
 * A campaign whose workers are killed while they send. See docs/inside/delivery.md for what is done and what is counted.
 *
 * Kill k comes when the sink has accepted k * recipients / (kills + 1) messages, give or take a quarter of that distance, and
 * hits a worker that has a transaction under way at the sink. Beside the kills a few workers are stopped until their lease
 * is over and somebody else has their shard, and then wake up again.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Application } from '../../../src/application/application.ts';
import type { Id } from '../../../src/domain/shared/ids.ts';
import { tokens, type Wired } from '../../../src/infrastructure/container.ts';
import { type Supervisor, superviseWorkers, type WorkerExit } from '../../../src/interfaces/cli/supervisor.ts';
import { eventually } from '../../support/processes.ts';
import { invite, launch, ledgerOf } from './audience.ts';
import { type Doors, openDoors } from './doors.ts';
import { type Chance, seeded } from './seeded.ts';
import { judge, RESET, type Verdict } from './verdict.ts';

export interface ChaosWish {
  readonly recipients: number;
  readonly kills: number;
  readonly seed: number;
  /** Workers that are stopped past their lease and woken up; each takes some 12 seconds. */
  readonly stalls: number;
  readonly processes: number;
  /** `maxUnrecorded` of each worker. */
  readonly window: number;
  /** Of each worker. */
  readonly connections: number;
  /** After this long the run is judged as it stands. */
  readonly seconds: number;
}

/** Where the run takes place: an opened instance that does not work by itself. */
export interface ChaosPlace {
  readonly application: Application;
  /** What worker processes need to belong to it. */
  readonly environment: Readonly<Record<string, string>>;
  /** For logs. */
  readonly directory: string;
  release(workerId: Id): Promise<unknown>;
  note(text: string): void;
}

/**
 * Over all workers. Quick replies and a steady pace: a message is accepted some milliseconds after it was handed over, long
 * before the next commit, and no worker runs ahead of its kill.
 */
const MESSAGES_PER_SECOND = 900;
/** A lease of 10 s, and a little. */
const LEASE_OVER_MS = 11_000;
/** For the next holder to find it: it looks four times a second, and only when it has known the database for a lease. */
const TAKE_OVER_MS = 5_000;
/** Between two looks whether the campaign is over. */
const PATIENCE_MS = 2_000;
const REFUSED = '550';
const SLOW = 'slow-250ms-at-dot';
const COMMAND = join(import.meta.dirname, '../../../src/interfaces/cli/main.ts');

/** As the parent of worker processes does it when it sees one end. */
export function releaseWorker(opened: Wired, workerId: Id): Promise<void> {
  return opened.get(tokens.work).run(async ({ delivery }) => {
    await delivery.lanes.releaseAllOf(workerId);
    await delivery.lanes.forgetWorker(workerId);
  });
}

export async function runChaos(wish: ChaosWish, place: ChaosPlace): Promise<Verdict & { readonly seconds: number }> {
  const began = performance.now();
  const chance = seeded(wish.seed);
  const { application } = place;
  const doors = await openDoors({
    doors: wish.processes,
    log: join(place.directory, 'accepted.ndjson'),
    headers: ['X-Pennypost-Possible-Repeat'],
  });
  const audience = await invite(application, addressesFor(wish.recipients), { first_name: (index) => `Person ${index}` });
  const workerLog = openSync(join(place.directory, 'workers.log'), 'a');
  const fleet = startFleet(wish, place, doors, workerLog);
  try {
    await fleet.allWorking();
    const { id } = await launch(application, audience);
    place.note(`${wish.recipients} people, ${wish.kills} kills, ${wish.stalls} stalls, seed ${wish.seed}`);
    const done = async (): Promise<boolean> => (await application.campaigns.get(audience.projectId, id)).state === 'submitted';
    const deadline = began + wish.seconds * 1_000;
    const hunt = new Hunt({ wish, place, doors, fleet, chance, deadline, done });
    await hunt.run();
    await eventually('the campaign to be submitted', done, deadline - performance.now()).catch((error: Error) =>
      place.note(error.message),
    );
    await fleet.supervisor.stop();
    const verdict = judge({
      killsAsked: wish.kills,
      addresses: audience.addresses,
      copies: await doors.copies(),
      ledger: await ledgerOf(application, audience.projectId, id),
      totals: await application.campaigns.report(audience.projectId, id),
      kills: hunt.kills,
      killsInFlight: hunt.inFlight,
      window: wish.window,
    });
    return { ...verdict, seconds: (performance.now() - began) / 1_000 };
  } finally {
    fleet.supervisor.forward('SIGCONT');
    await fleet.supervisor.stop();
    await doors.close();
    closeSync(workerLog);
  }
}

/**
 * Among plain people some whom the sink refuses, some whose connection it resets after the dot, and many for whom it takes its
 * time: a recorder that believes replies come in order must be found out.
 */
const addressesFor = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => {
    const script =
      index % 500 === 250 ? `${RESET}+` : index % 500 === 300 ? `${REFUSED}+` : index % 20 === 7 ? `${SLOW}+` : 'person';
    return `${script}${index}@example.net`;
  });

interface Fleet {
  readonly supervisor: Supervisor;
  /** Slots whose worker is at work. */
  working(): number[];
  allWorking(): Promise<void>;
  /** Resolves with the next end of this slot's process. */
  nextExit(slot: number): Promise<WorkerExit>;
}

function startFleet(wish: ChaosWish, place: ChaosPlace, doors: Doors, log: number): Fleet {
  const waiting = new Map<number, (exit: WorkerExit) => void>();
  const supervisor = superviseWorkers({
    processes: wish.processes,
    // A killed worker is wanted again at once: the run has to be over some day.
    backoff: { minimum: 20, maximum: 20, grownUp: 0 },
    spawn: (slot) =>
      spawn(process.execPath, [COMMAND, 'work', '--lanes', 'bulk', '--one-of', '1'], {
        stdio: ['ignore', 'ignore', log, 'ipc'],
        env: {
          ...process.env,
          ...place.environment,
          PENNYPOST_SMTP_URL: doors.urls[slot],
          PENNYPOST_MAX_UNRECORDED: String(wish.window),
          PENNYPOST_MAX_CONNECTIONS: String(wish.connections),
          PENNYPOST_MESSAGES_PER_SECOND: String(MESSAGES_PER_SECOND),
        },
      }),
    onExit: async (exit) => {
      if (exit.workerId !== undefined && !exit.expected) {
        await place.release(exit.workerId).catch((error: unknown) => place.note(`shards wait for their lease: ${String(error)}`));
      }
      if (exit.signal !== 'SIGKILL' && !exit.expected)
        place.note(`worker ${exit.slot} ended by itself (${exit.code ?? exit.signal})`);
      waiting.get(exit.slot)?.(exit);
      waiting.delete(exit.slot);
    },
  });
  const working = (): number[] =>
    Array.from({ length: wish.processes }, (_, slot) => slot).filter((slot) => supervisor.process(slot)?.workerId !== undefined);
  return {
    supervisor,
    working,
    allWorking: () => eventually('all workers to be at work', () => working().length === wish.processes),
    nextExit: (slot) => new Promise((resolve) => waiting.set(slot, resolve)),
  };
}

interface Ground {
  readonly wish: ChaosWish;
  readonly place: ChaosPlace;
  readonly doors: Doors;
  readonly fleet: Fleet;
  readonly chance: Chance;
  readonly deadline: number;
  done(): Promise<boolean>;
}

/** Kills and stalls, in the order of the accepted messages. */
class Hunt {
  kills = 0;
  inFlight = 0;
  readonly #ground: Ground;
  /** Woken up last: killed only when nobody else can be, so that it has the time to do harm. */
  #spared: number | undefined;
  #over = false;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  async run(): Promise<void> {
    const { wish, chance, place, doors } = this.#ground;
    const { recipients, kills, stalls } = wish;
    const distance = recipients / (kills + 1);
    const stallBefore = new Set(Array.from({ length: stalls }, (_, index) => Math.ceil(((index + 1) * kills) / (stalls + 1))));
    for (let kill = 1; kill <= kills; kill += 1) {
      const jitter = (chance.next() - 0.5) * 0.5 * distance;
      if (stallBefore.has(kill)) await this.#stall((kill - 0.5) * distance);
      // A kill that hit nothing does not count: the next one follows at once.
      while (!(await this.#kill(kill * distance + jitter))) if (this.#over) return;
      if (kill % 10 === 0) place.note(`${kill} kills, ${(await doors.look()).accepted} accepted`);
    }
  }

  /** True when a worker with a transaction under way was killed. */
  async #kill(accepted: number): Promise<boolean> {
    const { doors, fleet } = this.#ground;
    const victim = await this.#victimAt(accepted);
    if (victim === undefined) return false;
    const before = doors.cut(victim.door);
    const exited = fleet.nextExit(victim.door);
    process.kill(victim.pid, 'SIGKILL');
    await exited;
    await eventually('the sink to see the killed connections end', async () => (await doors.look()).open[victim.door] === 0);
    this.kills += 1;
    const hit = doors.cut(victim.door) > before;
    if (hit) this.inFlight += 1;
    return hit;
  }

  /**
   * Stops a worker, lets its lease run out, and wakes it when another works on its shard. The sink is stopped meanwhile, so that
   * nothing moves on.
   */
  async #stall(accepted: number): Promise<void> {
    const { doors, fleet, place } = this.#ground;
    const victim = await this.#victimAt(accepted);
    if (victim === undefined) return;
    const { open } = await doors.look();
    const idle = open.flatMap((connections, door) => (connections === 0 ? [door] : []));
    const asleep = new Sleepers();
    try {
      asleep.add(doors.pid);
      await fleet.allWorking();
      asleep.add(victim.pid);
      await delay(LEASE_OVER_MS);
      asleep.wake(doors.pid);
      const heir = await within(TAKE_OVER_MS, doors.when(0, idle));
      place.note(
        heir === undefined
          ? `worker ${victim.door} slept past its lease and nobody took over in time`
          : `worker ${victim.door} slept past its lease, worker ${heir.door} took over`,
      );
    } finally {
      asleep.wakeAll();
    }
    this.#spared = victim.door;
  }

  /** Undefined when the campaign is over, or the worker ended by itself. */
  async #victimAt(accepted: number): Promise<{ readonly door: number; readonly pid: number } | undefined> {
    const { wish, doors, fleet, chance, deadline, done } = this.#ground;
    const everyDoor = chance.shuffled(Array.from({ length: wish.processes }, (_, door) => door));
    const order = everyDoor.toSorted((a, b) => Number(a === this.#spared) - Number(b === this.#spared));
    for (;;) {
      const found = await within(PATIENCE_MS, doors.when(accepted, order));
      const running = found && fleet.supervisor.process(found.door);
      if (found !== undefined) return running?.workerId === undefined ? undefined : { door: found.door, pid: running.pid };
      this.#over = performance.now() > deadline || (await done());
      if (this.#over) return undefined;
    }
  }
}

/** Processes that are stopped, and woken up even when this process is ended meanwhile. */
class Sleepers {
  readonly #pids = new Set<number>();
  readonly #onExit = (): void => this.wakeAll();

  constructor() {
    process.once('exit', this.#onExit);
  }

  add(pid: number): void {
    process.kill(pid, 'SIGSTOP');
    this.#pids.add(pid);
  }

  wake(pid: number): void {
    process.kill(pid, 'SIGCONT');
    this.#pids.delete(pid);
  }

  wakeAll(): void {
    for (const pid of this.#pids) this.wake(pid);
    process.off('exit', this.#onExit);
  }
}

async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T | undefined> {
  const patience = new AbortController();
  const late = delay(milliseconds, undefined, { signal: patience.signal }).catch(() => undefined);
  const first = await Promise.race([promise, late]);
  patience.abort();
  return first;
}
