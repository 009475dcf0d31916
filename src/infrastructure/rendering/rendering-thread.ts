/**
 * Threads that read content, so that no template, however it is made, keeps this process from its other work. A thread is stopped
 * and replaced when it takes too long or too much memory. It starts with the first request and ends when it is idle.
 */
import { Worker } from 'node:worker_threads';
import { ContentInvalid, RenderFailed } from '../../domain/campaign/index.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import {
  type Arguments,
  type Outcome,
  THREAD_PROGRAM,
  type ThreadReply,
  type ThreadRequest,
  type Verb,
} from './thread-program.ts';

export interface ThreadLimits {
  /** Milliseconds of CPU time for one request; six times as long by the clock where the machine is busy. */
  readonly time: number;
  /** Megabytes of heap. */
  readonly memory: number;
  /** Milliseconds for one message, see `HardLimit`. */
  readonly hardLimit: number;
}

/** The content took more than a thread has. */
export class ThreadOverrun extends Error {
  readonly what: 'time' | 'memory';
  constructor(what: 'time' | 'memory') {
    super(`The thread was stopped: too much ${what}.`);
    this.what = what;
  }
}

export class RenderingBusy extends DomainError {
  readonly code = 'content.busy';
  readonly kind = 'unavailable';
  constructor() {
    super('Too many contents wait to be checked or rendered. Try again in a few seconds.');
  }
}

/** Two, and at most one for one project: a project's slow content does not make the others wait. */
const MOST_THREADS = 2;
const MOST_WAITING = 100;
/** A thread with MJML loaded has some 100 MB. */
const IDLE_MS = 60_000;
/** Loading takes half a second; a machine that needs this long is broken. */
const START_MS = 60_000;

/** By how much the clock may run ahead of the thread's CPU time. */
const MOST_STRETCH = 6;
/** A thread that does not tell its CPU time within this is inside one long native call. */
const TELL_MS = 1_000;

/** A text, because no compiler or bundler changes it; the module is loaded from wherever it is: sources, build, package. */
const PROGRAM = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.program).then(({ serve }) => serve(parentPort, workerData.hardLimit));
`;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Job extends Waiting {
  readonly project: string;
  readonly request: ThreadRequest;
}

export class RenderingThreads {
  readonly #limits: ThreadLimits;
  readonly #waiting: Job[] = [];
  /** Projects at work. */
  readonly #working = new Set<string>();
  #threads: RenderingThread[] = [];

  constructor(limits: ThreadLimits) {
    this.#limits = limits;
  }

  /**
   * @param project whose content it is
   * @throws ThreadOverrun, RenderingBusy, and what the work throws: ContentInvalid, RenderFailed
   */
  run<V extends Verb>(project: string, verb: V, ...values: Arguments<V>): Promise<Outcome<V>> {
    if (this.#waiting.length >= MOST_WAITING) return Promise.reject(new RenderingBusy());
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    // The compiler does not see that verb and values belong together.
    this.#waiting.push({ project, request: { verb, values } as ThreadRequest, resolve, reject });
    this.#startNext();
    // The thread runs the method that the request names.
    return promise as Promise<Outcome<V>>;
  }

  async close(): Promise<void> {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('Rendering was closed.'));
    await Promise.all(this.#threads.splice(0).map((thread) => thread.end()));
  }

  #startNext(): void {
    while (this.#working.size < MOST_THREADS) {
      const index = this.#waiting.findIndex(({ project }) => !this.#working.has(project));
      const [job] = index === -1 ? [] : this.#waiting.splice(index, 1);
      if (job === undefined) return;
      this.#working.add(job.project);
      this.#thread()
        .perform(job.request)
        .then(job.resolve, job.reject)
        .finally(() => {
          this.#working.delete(job.project);
          this.#startNext();
        });
    }
  }

  #thread(): RenderingThread {
    this.#threads = this.#threads.filter((thread) => !thread.ended);
    const free = this.#threads.find((thread) => !thread.busy);
    if (free !== undefined) return free;
    const started = new RenderingThread(this.#limits);
    this.#threads.push(started);
    return started;
  }
}

class RenderingThread {
  readonly #worker: Worker;
  readonly #time: number;
  #settle: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;
  ended = false;

  constructor({ time, memory, hardLimit }: ThreadLimits) {
    this.#time = time;
    this.#worker = new Worker(PROGRAM, {
      eval: true,
      workerData: { program: THREAD_PROGRAM, hardLimit },
      // Without the options of this process: a profiler or a loader of its own is nothing that this thread needs.
      execArgv: [],
      name: 'pennypost-rendering',
      resourceLimits: { maxOldGenerationSizeMb: memory, maxYoungGenerationSizeMb: Math.max(1, memory / 8) },
    });
    this.#worker.unref();
    this.#worker.on('message', (reply: ThreadReply) => this.#hear(reply));
    this.#worker.on('error', (error) => this.#fail(isOutOfMemory(error) ? new ThreadOverrun('memory') : error));
    this.#worker.on('exit', () => this.#fail(new Error('A rendering thread ended by itself.')));
  }

  get busy(): boolean {
    return this.#settle !== undefined;
  }

  perform(request: ThreadRequest): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#settle = { resolve, reject };
    // A process that waits for nothing but this answer does not end before it.
    this.#worker.ref();
    this.#allow(START_MS);
    this.#worker.postMessage(request);
    return promise;
  }

  async end(): Promise<void> {
    this.#fail(new Error('Rendering was closed.'));
    await this.#worker.terminate();
  }

  #hear(reply: ThreadReply): void {
    if (reply.kind === 'begun') void this.#measure();
    else if (reply.kind === 'done') this.#finish(({ resolve }) => resolve(reply.value));
    else if (reply.kind === 'invalid') this.#finish(({ reject }) => reject(new ContentInvalid(reply.problems)));
    else if (reply.kind === 'failed') this.#finish(({ reject }) => reject(new RenderFailed(reply.message)));
    else this.#finish(({ reject }) => reject(new Error(reply.message)));
  }

  #allow(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#stop(new ThreadOverrun('time')), milliseconds);
  }

  /** Stops the request that is under way when it has used its time. On a busy machine ordinary content gets little of the CPU. */
  async #measure(): Promise<void> {
    const waiting = this.#settle;
    this.#allow(this.#time * MOST_STRETCH);
    const begun = performance.now();
    const before = (await this.#cpuTime()) ?? 0;
    for (let left = this.#time; ; ) {
      await new Promise((resolve) => setTimeout(resolve, left).unref());
      if (this.#settle !== waiting || this.ended) return;
      const used = await this.#cpuTime();
      if (this.#settle !== waiting || this.ended) return;
      left = used === undefined ? 0 : this.#time - (used - before);
      if (left < 1 || performance.now() - begun >= this.#time * MOST_STRETCH) return this.#stop(new ThreadOverrun('time'));
    }
  }

  /** Milliseconds that the thread has used; undefined where Node cannot say (before 22.20) or the thread does not answer. */
  async #cpuTime(): Promise<number | undefined> {
    if (!('cpuUsage' in this.#worker)) return undefined;
    const silent = new Promise<undefined>((resolve) => setTimeout(resolve, TELL_MS, undefined).unref());
    const usage = await Promise.race([this.#worker.cpuUsage().catch(() => undefined), silent]);
    return usage === undefined ? undefined : (usage.user + usage.system) / 1_000;
  }

  #finish(tell: (waiting: Waiting) => void): void {
    const waiting = this.#settle;
    this.#settle = undefined;
    clearTimeout(this.#timer);
    this.#worker.unref();
    this.#timer = setTimeout(() => this.#stop(), IDLE_MS).unref();
    if (waiting !== undefined) tell(waiting);
  }

  /** The thread is of no use any more. */
  #fail(error: unknown): void {
    clearTimeout(this.#timer);
    this.ended = true;
    const waiting = this.#settle;
    this.#settle = undefined;
    waiting?.reject(error);
  }

  #stop(error: Error = new Error('The thread was idle.')): void {
    this.#fail(error);
    void this.#worker.terminate();
  }
}

const isOutOfMemory = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
