/** What every dialogue on an open connection does in the same way. */
import type { Socket } from 'node:net';
import { type Attempt, attemptFromReply, cleanReply } from '../../domain/delivery/index.ts';
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
