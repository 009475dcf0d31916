import type { Project } from '../../../domain/access/index.ts';
import type { MessageAttempt, TransactionalMessage } from '../../../domain/delivery/index.ts';

/** A message that is waiting and due, with its earlier attempts. */
export interface ReadyMessage {
  readonly message: TransactionalMessage;
  readonly project: Project;
  readonly tries: readonly MessageAttempt[];
}

/** What goes with the end of an attempt. */
export interface EndOptions {
  /** Of a job that waits for the case that this process ends; it has nothing left to do. */
  readonly jobId?: string | undefined;
  /** Another transport takes the message at once. */
  readonly movesOn?: boolean | undefined;
}
