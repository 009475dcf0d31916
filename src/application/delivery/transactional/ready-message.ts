import type { Project } from '../../../domain/access/index.ts';
import type { MessageAttempt, MessageFacts, TransactionalMessage } from '../../../domain/delivery/index.ts';

/** A message that is waiting and due, with its earlier attempts. */
export interface ReadyMessage {
  readonly message: TransactionalMessage;
  readonly project: Project;
  readonly tries: readonly MessageAttempt[];
}

/** The beginning of an attempt, unless the message was over. */
export interface Begun {
  readonly message: MessageFacts | undefined;
  /** When it was asked whether the recipient may be mailed; monotonic. */
  readonly askedAt: number;
}

/** What goes with the end of an attempt. */
export interface EndOptions {
  /** Of a job that waits for the case that this process ends; it has nothing left to do. */
  readonly jobId?: string | undefined;
  /** Another transport takes the message at once. */
  readonly movesOn?: boolean | undefined;
}

/** A message as it was accepted in this process a moment ago. */
export interface FreshMessage {
  readonly message: TransactionalMessage;
  readonly project: Project;
  /** The job for the case that this process ends before the message is handed over. */
  readonly jobId: string | undefined;
  /** When it was asked whether the recipient may be mailed; monotonic. */
  readonly askedAt: number;
}
