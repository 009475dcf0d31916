import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Application } from '../../../src/application/application.ts';
import type { LedgerRow } from '../../../src/domain/delivery/index.ts';
import type { Id } from '../../../src/domain/shared/ids.ts';
import type { ConnectionSettings } from '../../../src/infrastructure/postgres/connection.ts';
import { urlOf } from '../../support/database-url.ts';
import { openTestInstance, TEST_SECRET, type TestInstance } from '../../support/instance.ts';
import { eventually, type RunningProcess, startNode } from '../../support/processes.ts';
import { type Audience, ledgerOf } from './audience.ts';
import { type Copy, type Doors, openDoors } from './doors.ts';
import type { WorkerWish } from './worker.ts';

export interface StageOptions {
  /** Script of every connection to the sink. Default: a reply after 5 ms. */
  readonly script?: string;
  readonly shardSize?: number;
  /** `maxUnrecorded` of each worker. Default: 100. */
  readonly window?: number;
  /** Of each worker. Default: 5. */
  readonly connections?: number;
  readonly messagesPerSecond?: number;
  /** The sink's log holds whole messages. */
  readonly raw?: boolean;
  /** As workers reach it, when not as the instance does. */
  readonly database?: ConnectionSettings;
}

/** An instance that launches and watches, a sink in another process, and workers in processes of their own. */
export interface Stage {
  readonly instance: TestInstance;
  readonly application: Application;
  readonly sink: Doors;
  /** Gone with the stage; workers have their data in it. */
  readonly directory: string;
  /** Resolves when it works. @param wish what the command line has no words for */
  startWorker(wish?: WorkerWish, env?: Readonly<Record<string, string>>): Promise<RunningProcess>;
  /** Drains all workers. @throws Error unless each ends with 0 */
  endWorkers(): Promise<void>;
  /** Starts any script of ours in this stage's environment. */
  start(script: string, args: readonly string[], env?: Readonly<Record<string, string>>): RunningProcess;
  /** Resolves when the sink has accepted so many. */
  accepted(count: number): Promise<void>;
  copies(): Promise<readonly Copy[]>;
  /** Resolves when everyone has an outcome, and with `settled` when nobody is deferred any more. */
  finished(audience: Audience, campaignId: Id, how?: 'submitted' | 'settled', withinMs?: number): Promise<void>;
  ledger(audience: Audience, campaignId: Id): Promise<ReadonlyMap<string, LedgerRow>>;
  close(): Promise<void>;
}

const WORKER = join(import.meta.dirname, 'worker.ts');

/** @param instance default: one over a database of its own on the shared server */
export async function openStage(options: StageOptions = {}, instance?: TestInstance): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'pennypost-stage-'));
  await chmod(directory, 0o711);
  const sink = await openDoors({
    doors: 1,
    log: join(directory, 'accepted.ndjson'),
    headers: ['X-Pennypost-Possible-Repeat'],
    script: options.script ?? 'slow-5ms-at-dot',
    raw: options.raw,
  });
  const smtpUrl = sink.urls[0] ?? '';
  const opened = instance ?? (await openTestInstance({ smtpUrl, shardSize: options.shardSize ?? 500 }));
  const processes: RunningProcess[] = [];
  const workers: RunningProcess[] = [];
  const environment: Record<string, string> = {
    PENNYPOST_DATA_DIR: join(directory, 'data'),
    PENNYPOST_DATABASE_URL: options.database === undefined ? opened.databaseUrl : urlOf(options.database),
    PENNYPOST_SECRET_KEY: TEST_SECRET,
    PENNYPOST_SMTP_URL: smtpUrl,
    PENNYPOST_PUBLIC_URL: 'http://127.0.0.1:8025',
    PENNYPOST_LOG_LEVEL: 'warn',
    PENNYPOST_MAX_UNRECORDED: String(options.window ?? 100),
    PENNYPOST_MAX_CONNECTIONS: String(options.connections ?? 5),
    PENNYPOST_MESSAGES_PER_SECOND: String(options.messagesPerSecond ?? ''),
  };
  const { application } = opened;
  const start: Stage['start'] = (script, args, env = {}) => {
    const started = startNode(script, args, { ...environment, ...env });
    processes.push(started);
    return started;
  };
  return {
    instance: opened,
    application,
    sink,
    directory,
    start,
    async startWorker(wish = {}, env = {}) {
      const worker = start(WORKER, [JSON.stringify(wish)], env);
      workers.push(worker);
      await worker.line((line) => line === 'working');
      return worker;
    },
    async endWorkers() {
      for (const worker of workers.splice(0)) {
        worker.kill('SIGTERM');
        const ended = await worker.ended;
        if (ended !== 0) throw new Error(`A worker ended with ${ended}.\n${worker.errors()}`);
      }
    },
    accepted: (count) => eventually(`${count} messages to be accepted`, async () => (await sink.look()).accepted >= count),
    copies: () => sink.copies(),
    async finished({ projectId }, campaignId, how = 'submitted', withinMs = 60_000) {
      const over = async (): Promise<boolean> => {
        const { state, settledAt } = await application.campaigns.get(projectId, campaignId);
        return state === 'submitted' && (how === 'submitted' || settledAt !== null);
      };
      await eventually(`the campaign to be ${how}`, over, withinMs).catch((error: Error) => {
        throw new Error(`${error.message}\n${processes.map((one) => one.errors().slice(-1_000)).join('')}`);
      });
    },
    ledger: ({ projectId }, campaignId) => ledgerOf(application, projectId, campaignId),
    async close() {
      for (const one of processes) one.kill('SIGCONT');
      for (const one of processes) one.kill('SIGKILL');
      await Promise.all(processes.map((one) => one.ended));
      await sink.close();
      if (instance === undefined) await opened.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export const people = (count: number): string[] => Array.from({ length: count }, (_, index) => `person${index}@example.net`);

/** How often each state stands in a ledger. */
export function statesIn(ledger: ReadonlyMap<string, LedgerRow>): Readonly<Record<string, number>> {
  return Object.fromEntries([...Map.groupBy(ledger.values(), (row) => row.state)].map(([state, rows]) => [state, rows.length]));
}

/** Promise D2, asked after every fault: everybody has exactly one state, and totals, rows and counters agree. */
export async function expectWholeLedger(stage: Stage, audience: Audience, campaignId: Id): Promise<void> {
  const ledger = await stage.ledger(audience, campaignId);
  expect([...ledger.keys()].sort()).toEqual([...audience.addresses].sort());
  const report = await stage.application.campaigns.report(audience.projectId, campaignId);
  const states = Object.fromEntries(Object.entries(report.states).filter(([, count]) => count > 0));
  expect(states).toEqual(statesIn(ledger));
  expect(report.recipients).toBe(audience.addresses.length);
  const counted = report.domains.reduce((sum, { counts }) => sum + (counts.submitted ?? 0), 0);
  expect(counted).toBe(report.states.submitted);
}

/** Everybody in the list was mailed once, and nobody else. */
export function expectOneCopyEach(copies: readonly Copy[], addresses: readonly string[]): void {
  expect(copies.map((copy) => copy.to).sort()).toEqual([...addresses].sort());
}

/** Nobody was even suspected of having been mailed before. */
export function expectNoMarks(copies: readonly Copy[]): void {
  expect(copies.filter((copy) => copy.headers['x-pennypost-possible-repeat'] !== undefined)).toEqual([]);
}
