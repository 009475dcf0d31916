/**
 * Speaks SMTP transactions on a connection that is open, secured and authenticated.
 *
 * At most two messages are on one connection: `body`, whose content was written and whose final reply is awaited, and
 * `ahead`, whose MAIL, RCPT and DATA went out behind that content in the same write (RFC 2920 section 3.1). Without
 * PIPELINING there is one, command by command.
 *
 * What a lost connection means: as long as the bytes of the final dot were not given to the kernel the message was surely
 * not accepted, so it is `deferred`; from then on until the reply it is `in_doubt`. A message whose body was not begun goes
 * back into the queue where the connection had worked before, because then its end says nothing about the message.
 *
 * A server that answers 354 though RCPT was refused gets a lone dot, and the reply to it is discarded. After 354 a message
 * can be withdrawn only by closing the connection.
 */
import type { Socket } from 'node:net';
import { type Attempt, attemptFromReply, cleanReply, type ReplyStage } from '../../domain/delivery/index.ts';
import { BodyWriter, END_OF_DATA } from './body-writer.ts';
import { type PendingDelivery, WITHDRAWN } from './pending-delivery.ts';
import type { SessionEnding, SessionHost, SmtpDialogue } from './session-host.ts';
import { Acceptances, brokenAttempt, onLoss, sayQuit, transactionOf } from './session-parts.ts';
import type { SmtpExtensions } from './smtp-envelope.ts';
import type { OpenedConnection } from './smtp-handshake.ts';
import { decodeReplyText, ReplyReader } from './smtp-replies.ts';
import type { AwaitedReply } from './waits.ts';

type Step = ReplyStage | 'rset' | 'discard';

export class SmtpSession implements SmtpDialogue {
  readonly depth = 1;
  private readonly host: SessionHost;
  private readonly socket: Socket;
  private readonly extensions: SmtpExtensions;
  private readonly reader = new ReplyReader();
  private readonly writer: BodyWriter;
  /** What the next replies answer, in order. */
  private readonly expected: Step[] = [];
  /** Commands that wait for the reply to the one before; only without PIPELINING. */
  private unsent: (readonly [Step, string])[] = [];
  private body: PendingDelivery | undefined;
  private ahead: PendingDelivery | undefined;
  private aheadContent: Buffer | undefined;
  /** The command of `ahead` that was refused: its message is settled, the replies to the rest are still to come. */
  private refusedAt: 'mail' | 'rcpt' | undefined;
  /** A refused RCPT or DATA leaves the MAIL transaction open at the server. */
  private needsReset = false;
  private begun = 0;
  private answered = 0;
  private state: 'open' | 'quitting' | 'ended' = 'open';
  /** When the reply in front of the line began to be awaited, or when the connection fell idle. */
  private since: number;
  private readonly acceptances = new Acceptances();
  private readonly onReply = (code: number, text: string): boolean => this.handleReply(code, text);

  constructor(connection: OpenedConnection, host: SessionHost) {
    this.socket = connection.socket;
    this.extensions = connection.extensions;
    this.host = host;
    this.since = host.now;
    this.writer = new BodyWriter(this.socket, () => {
      this.since = host.now;
      host.stateChanged(this);
    });
    connection.listen((bytes) => this.read(bytes));
    onLoss(this.socket, (detail) => this.lost(detail));
  }

  /** Nothing is on the wire and a message may begin. */
  get idle(): boolean {
    return this.state === 'open' && this.body === undefined && this.ahead === undefined && this.expected.length === 0;
  }

  /** One message is on the wire, and the envelope of another may follow behind it. */
  get hungry(): boolean {
    return (
      this.state === 'open' && this.body !== undefined && !this.writer.slicing && this.ahead === undefined && this.mayBegin()
    );
  }

  get busy(): boolean {
    return this.body !== undefined || this.ahead !== undefined;
  }

  /** Undefined when no message is here. */
  get awaited(): AwaitedReply | undefined {
    if (!this.busy) return undefined;
    const messages = (this.body === undefined ? 0 : 1) + (this.ahead === undefined ? 0 : 1);
    return { messages, where: this.where(), since: this.since };
  }

  /** True while no transaction was answered: a failure now is as good as one of connecting. */
  get fresh(): boolean {
    return this.answered === 0;
  }

  /** Begins the next message, if there is one and this connection is free for it. */
  pull(): void {
    if (this.idle || this.hungry) {
      const commands = this.nextCommands();
      if (commands !== '') {
        if (this.body === undefined) this.since = this.host.now;
        this.socket.write(commands);
      }
    }
    this.host.stateChanged(this);
  }

  /** Says QUIT if nothing is on the wire. */
  quit(reason: string): void {
    if (!this.idle) return;
    this.state = 'quitting';
    this.host.stateChanged(this);
    sayQuit(this.socket, () => this.finish({ kind: 'quit', reason }));
  }

  /** Cuts the connection. Messages whose body was not given are withdrawn. */
  abandon(reason: string): void {
    this.settleAhead(WITHDRAWN);
    this.settleBody(this.writer.given ? this.broken('in_doubt', reason) : WITHDRAWN);
    this.finish({ kind: 'quit', reason });
  }

  /** To be called about every second. */
  checkTime(): void {
    if (this.state !== 'open') return;
    const { timeouts, now } = this.host;
    const awaited = this.expected[0];
    if (awaited === undefined) {
      if (now - this.since > timeouts.idle) this.quit('idle');
      return;
    }
    const limit =
      awaited === 'body'
        ? this.writer.given
          ? timeouts.dot
          : timeouts.block
        : awaited === 'data'
          ? timeouts.data
          : timeouts.command;
    if (now - this.since <= limit) return;
    // A process that was stopped or busy finds its timers due before it reads what came meanwhile: look at the socket once more.
    const { since } = this;
    setImmediate(() => {
      if (this.since === since) this.fail(`no reply within ${limit / 1000} s`, { waited: true });
    });
  }

  private mayBegin(): boolean {
    if (this.begun >= this.host.messagesPerConnection || this.host.closing) return false;
    return this.extensions.pipelining || this.expected.length === 0;
  }

  /** The commands of the next message, which the caller writes at once; empty when none may begin. */
  private nextCommands(): string {
    while (this.mayBegin()) {
      const delivery = this.host.take(this.busy);
      if (delivery === undefined) break;
      const transaction = transactionOf(delivery, this.extensions, this.host.server);
      if (transaction === undefined) continue;
      if ('refusal' in transaction) {
        delivery.settle(transaction.refusal);
        continue;
      }
      if (!delivery.handOver()) continue;
      this.begun += 1;
      this.ahead = delivery;
      this.aheadContent = transaction.content;
      const reset = this.needsReset;
      this.needsReset = false;
      if (this.extensions.pipelining) {
        if (reset) this.expected.push('rset');
        this.expected.push('mail', 'rcpt', 'data');
        return `${reset ? 'RSET\r\n' : ''}${transaction.mail}${transaction.rcpt}DATA\r\n`;
      }
      if (reset) this.unsent.push(['rset', 'RSET\r\n']);
      this.unsent.push(['mail', transaction.mail], ['rcpt', transaction.rcpt], ['data', 'DATA\r\n']);
      return this.nextUnsent();
    }
    return '';
  }

  private nextUnsent(): string {
    const [step, command] = this.unsent.shift() ?? [];
    if (step === undefined || command === undefined) return '';
    this.expected.push(step);
    return command;
  }

  private writeBody(delivery: PendingDelivery, content: Buffer): void {
    this.body = delivery;
    this.expected.push('body');
    this.writer.write(content, () => this.nextCommands());
    this.host.stateChanged(this);
  }

  private read(chunk: Buffer): void {
    if (this.state !== 'open') return;
    const complaint = this.reader.push(chunk, this.onReply);
    if (complaint !== undefined) this.fail(`the server sent ${complaint}`);
  }

  /** @returns false when the connection is over */
  private handleReply(code: number, text: string): boolean {
    const step = this.expected[0];
    if (step === undefined) {
      // RFC 5321 section 3.8: a server may announce with 421 at any time that it closes an idle connection.
      if (code === 421) this.finish({ kind: 'quit', reason: cleanReply(`421 ${text}`) });
      else this.fail(`an unexpected reply: ${code} ${text}`);
      return false;
    }
    this.since = this.host.now;
    if (code === 421) this.serverCloses(step, text);
    else if (!this.isPossible(step, code)) this.fail(`an unexpected reply: ${code} ${text}`);
    else {
      this.expected.shift();
      if (step === 'body') this.bodyAnswered(code, text);
      else if (step === 'data') this.dataAnswered(code, text);
      else if (step === 'mail' || step === 'rcpt') this.envelopeAnswered(step, code, text);
      else this.continueEnvelope();
      this.continueWork();
    }
    return this.state === 'open';
  }

  /** Replies that are out of step belong to other commands than the client assumes. */
  private isPossible(step: Step, code: number): boolean {
    if (step === 'discard') return true;
    if (step === 'rset') return code < 300;
    if (step === 'data') return code === 354 ? this.refusedAt !== 'mail' : code >= 400;
    // Before the dot has left only a refusal can be true.
    if (step === 'body' && !this.writer.given) return code >= 400;
    return code < 300 || code >= 400;
  }

  private continueWork(): void {
    if (!this.idle) return;
    if (this.host.closing) this.quit('the transport is closing');
    else if (this.begun >= this.host.messagesPerConnection) this.quit(`after ${this.begun} messages`);
    else this.pull();
  }

  private continueEnvelope(): void {
    const command = this.nextUnsent();
    if (command !== '') this.socket.write(command);
  }

  private envelopeAnswered(step: 'mail' | 'rcpt', code: number, text: string): void {
    if (this.refusedAt !== undefined) return;
    if (code < 300) {
      this.continueEnvelope();
      return;
    }
    this.ahead?.settle(attemptFromReply(step, code, decodeReplyText(text)));
    this.refusedAt = step;
    this.needsReset = step === 'rcpt';
    if (!this.extensions.pipelining) this.transactionOver();
  }

  private dataAnswered(code: number, text: string): void {
    const { ahead, aheadContent, refusedAt } = this;
    if (ahead === undefined || aheadContent === undefined) return;
    if (code !== 354) {
      if (refusedAt === undefined) {
        ahead.settle(attemptFromReply('data', code, decodeReplyText(text)));
        this.needsReset = true;
      }
      this.transactionOver();
    } else if (refusedAt === 'rcpt') {
      this.transactionOver();
      this.needsReset = false;
      this.expected.push('discard');
      this.socket.write(END_OF_DATA + this.nextCommands());
    } else {
      this.ahead = undefined;
      this.aheadContent = undefined;
      if (ahead.mayProceed() && ahead.giveContent()) this.writeBody(ahead, aheadContent);
      else {
        ahead.settle(WITHDRAWN);
        this.finish({ kind: 'quit', reason: 'a message was withdrawn after 354' });
      }
    }
  }

  private bodyAnswered(code: number, text: string): void {
    const whole = this.writer.given;
    this.settleBody(code < 300 ? this.acceptances.of(code, text) : attemptFromReply('body', code, decodeReplyText(text)));
    this.countAnswer();
    // What the server would make of the rest of the body is anyone's guess.
    if (!whole) this.fail('the body was refused before its end');
  }

  private serverCloses(step: Step, text: string): void {
    const reply = decodeReplyText(text);
    if (step === 'body') this.settleBody(attemptFromReply('body', 421, reply));
    else if (step !== 'rset' && step !== 'discard' && !this.mayReturn()) this.settleAhead(attemptFromReply(step, 421, reply));
    this.finish({ kind: 'failed', reason: cleanReply(`421 ${reply}`) });
  }

  private transactionOver(): void {
    this.ahead = undefined;
    this.aheadContent = undefined;
    this.refusedAt = undefined;
    this.unsent = [];
    this.countAnswer();
  }

  private countAnswer(): void {
    this.answered += 1;
    this.host.answered();
  }

  private settleBody(result: Parameters<PendingDelivery['settle']>[0]): void {
    this.body?.settle(result);
    this.body = undefined;
  }

  private settleAhead(result: Parameters<PendingDelivery['settle']>[0]): void {
    if (this.refusedAt === undefined) this.ahead?.settle(result);
    this.ahead = undefined;
  }

  /** A connection that worked before, or that has another message's body on it, tells nothing about the message behind. */
  private mayReturn(): boolean {
    return this.ahead !== undefined && (this.body !== undefined || !this.fresh) && this.ahead.mayReturn;
  }

  private lost(detail: string): void {
    if (this.state === 'quitting' || this.expected.length === 0) this.finish({ kind: 'quit', reason: detail });
    else this.fail(`lost (${detail})`);
  }

  private fail(what: string, how: { waited: boolean } = { waited: false }): void {
    if (this.state !== 'open') return;
    const failed = this.broken('deferred', what);
    // A message that waited in vain for a reply to its own command does not wait again.
    if (!this.mayReturn() || (how.waited && this.body === undefined)) this.settleAhead(failed);
    this.settleBody(this.writer.given ? this.broken('in_doubt', what) : failed);
    this.finish({ kind: 'failed', reason: failed.reply });
  }

  private broken(outcome: 'deferred' | 'in_doubt', what: string): Attempt {
    return brokenAttempt(outcome, `${this.host.server} ${this.where()}`, what);
  }

  private where(): string {
    const step = this.expected[0];
    if (step === 'body') return this.writer.given ? 'after the final dot' : 'inside the body';
    return step === undefined ? 'in idleness' : `at ${step === 'discard' ? 'the lone dot' : step.toUpperCase()}`;
  }

  /** Whatever is still on the connection goes back into the queue. */
  private finish(ending: SessionEnding): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.socket.destroy();
    if (this.ahead !== undefined && this.refusedAt === undefined) {
      this.ahead.returns += 1;
      this.host.giveBack(this.ahead);
    }
    this.ahead = undefined;
    this.host.ended(this, ending);
  }
}
