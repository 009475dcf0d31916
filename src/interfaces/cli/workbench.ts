/** What commands are given to work with. `main.ts` makes it from the infrastructure; tests make their own. */
import type { ChildProcess } from 'node:child_process';
import type { Application, Status } from '../../application/application.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { ReadableInbox } from '../web/readable-inbox.ts';

export type Lane = Status['lanes'][number]['lane'];
export const LANES: readonly Lane[] = ['transactional', 'bulk', 'background'];

/** What the surroundings decide, as far as commands say it or listen on it. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  /** Undefined: where `serve` listens. */
  readonly publicUrl: string | undefined;
  /** To the SMTP server, over all worker processes of one command. */
  readonly maxConnections: number;
}

export interface OpenWish {
  /** This process may work on lanes: it listens for jobs. Default false. */
  readonly works?: boolean | undefined;
  /** A development inbox of this process where neither an SMTP server nor a running inbox is known. Default false. */
  readonly ownInbox?: boolean | undefined;
  /** Number of processes that share limited resources (connections). Default 1. */
  readonly oneOf?: number | undefined;
  /** Where this process serves, when nothing else is configured. */
  readonly publicUrl?: string | undefined;
  /** A first step with an instance: where there is no embedded database one is made. Default false. */
  readonly createsDatabase?: boolean | undefined;
  /** Starts an embedded database again when the process that supervises it ends. Default false. */
  readonly inheritsDatabase?: boolean | undefined;
  /** An instance for itself in this empty directory, whatever is configured: own database, own inbox. */
  readonly isolatedIn?: string | undefined;
  /** `lines` (default): warnings as readable text. `json`: everything, for services. */
  readonly log?: 'lines' | 'json' | undefined;
}

export interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** An opened instance. Its opener closes it. */
export interface Instance {
  readonly application: Application;
  /** One line: which database, which way out. */
  readonly description: string;
  /** The first half of it, for commands that send nothing. */
  readonly database: string;
  /** What links in mail begin with. */
  readonly publicUrl: string;
  /** It is not set and no `serve` runs: links would lead to the default address of `serve`. */
  readonly publicUrlAssumed: boolean;
  /** The embedded database is run by another process. */
  readonly databaseBorrowed: boolean;
  /** Migrations that this opening applied. */
  readonly migrated: readonly string[];
  /** The development inbox of this process, if it has one. */
  readonly inbox: ReadableInbox | undefined;
  readonly log: Log;
  /** This process knows where to hand messages over. */
  readonly hasWayOut: boolean;
  /** Under which this process holds shards. */
  readonly workerId: string;
  /** Hands back at once what a worker held whose process was seen to end. */
  release(workerId: string): Promise<void>;
  /** Rejects when outcomes can no longer be recorded, or the embedded database does not come back: the process must end. */
  readonly broken: Promise<never>;
  /** Rejects when this process cannot serve now, with the reason. */
  readonly ready: () => Promise<void>;
  /** Works on lanes until `close`, or until the returned function is called, which finishes what is on the wire. @throws NoWayOut */
  work(lanes: readonly Lane[]): Promise<() => Promise<void>>;
  /** Tells other processes on the data directory that this one serves, until `close`. */
  announce(): Promise<void>;
  close(): Promise<void>;
}

export interface Finding {
  readonly what: string;
  readonly verdict: 'ok' | 'warn' | 'fail';
  readonly found: string;
  readonly advice?: string | undefined;
}

export interface Workbench {
  /** @throws InvalidInput that names the variable at fault */
  settings(): Promise<Settings>;
  open(wish?: OpenWish): Promise<Instance>;
  /** Starts `pennypost work --lanes bulk` as one of several processes, with an `ipc` channel; the terminal's Ctrl-C does not reach it. */
  startWorker(oneOf: number): ChildProcess;
  /** What `doctor` finds; opens nothing that it does not close. */
  examine(): Promise<readonly Finding[]>;
}

export class NoWayOut extends DomainError {
  readonly code = 'transport.not_configured';
  readonly kind = 'unavailable';
  constructor() {
    super(
      'Mail cannot be handed over: no SMTP server is set and no development inbox is running. Set PENNYPOST_SMTP_URL to send to real recipients, or run "pennypost serve" for a development inbox.',
    );
  }
}
