/** What every dialogue on an open connection does in the same way. */
import type { Socket } from 'node:net';
import { type Attempt, attemptFromReply, cleanReply } from '../../domain/delivery/index.ts';
import type { PendingDelivery } from './pending-delivery.ts';
import { type SmtpExtensions, type Transaction, transactionFor } from './smtp-envelope.ts';
import { decodeReplyText } from './smtp-replies.ts';

/** How long the server may take to close after QUIT, in milliseconds. */
const QUIT_PATIENCE = 5_000;

/** The attempts of one connection that were accepted. Most servers put a queue id into the reply, some answer always the same. */
export class Acceptances {
  private text = '';
  private attempt: Attempt | undefined;

  of(code: number, text: string): Attempt {
    if (this.attempt === undefined || this.text !== text || this.attempt.code !== code) {
      this.attempt = attemptFromReply('body', code, decodeReplyText(text));
      this.text = text;
    }
    return this.attempt;
  }
}

/** The connection ended without a reply about the message. @param where server and step */
export function brokenAttempt(outcome: 'deferred' | 'in_doubt', where: string, what: string): Attempt {
  const reply = cleanReply(`${where}: ${decodeReplyText(what)}`);
  return { outcome, code: undefined, enhancedCode: undefined, reply, fault: 'transport' };
}

/** @param onPatienceOver the server has not closed in time */
export function sayQuit(socket: Socket, onPatienceOver: () => void): void {
  const patience = setTimeout(onPatienceOver, QUIT_PATIENCE);
  socket.once('close', () => clearTimeout(patience));
  socket.end('QUIT\r\n');
}

/** Tells how a connection ended, more than once where several events say so. */
export function onLoss(socket: Socket, lost: (detail: string) => void): void {
  socket.on('error', (error: NodeJS.ErrnoException) => lost(error.code ?? error.message));
  socket.on('end', () => lost('closed by the server'));
  socket.on('close', () => lost('closed'));
}

/** Undefined when the message cannot be read: that ends its `submit`, not the work of the caller that asked for the next message. */
export function transactionOf(
  delivery: PendingDelivery,
  ...how: [extensions: SmtpExtensions, server: string, asChunk?: boolean]
): Transaction | undefined {
  try {
    return transactionFor(delivery.message, ...how);
  } catch (error) {
    delivery.fail(error);
    return undefined;
  }
}
