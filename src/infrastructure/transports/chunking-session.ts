/**
 * Speaks SMTP transactions on a connection whose server offers CHUNKING (RFC 3030) and PIPELINING (RFC 2920). MAIL, RCPT, `BDAT
 * n LAST` and the content of a message leave in one write, and further messages leave behind it before it is answered: a
 * round trip then costs no throughput.
 *
 * Replies come in the order of the commands. A transaction is settled at its last one: accepted with 2yz to BDAT, otherwise refused at its
 * first refusal. A refused RCPT leaves MAIL open at the server, which would put the next recipient and content into the old
 * transaction: so each one that is sent while another is unanswered begins with RSET in the same write.
 *
 * What a lost connection means: a message whose last byte the kernel may have is `in_doubt` until its reply, however many there
 * are. After 421 the server reads nothing more, so those behind the one that it answers go back into the queue.
 *
 * A refusal and 2yz to the BDAT behind it, or a code that cannot answer the command, show that replies are out of step. Then
 * nothing on the connection is known, and the transport does without CHUNKING from there on.
 */
import type { Socket } from 'node:net';
import { type Attempt, attemptFromReply, cleanReply } from '../../domain/delivery/index.ts';
import { ChunkWriter } from './chunk-writer.ts';
import { type PendingDelivery, WITHDRAWN } from './pending-delivery.ts';
import { PipelineDepth, SLOW_MS } from './pipeline-depth.ts';
import type { SessionEnding, SessionHost, SmtpDialogue } from './session-host.ts';
import { Acceptances, brokenAttempt, onLoss, sayQuit, transactionOf } from './session-parts.ts';
import type { SmtpExtensions, Transaction } from './smtp-envelope.ts';
import type { OpenedConnection } from './smtp-handshake.ts';
import { decodeReplyText, ReplyReader } from './smtp-replies.ts';
import type { AwaitedReply } from './waits.ts';

/** One that has more than this unanswered begins no further message. */
const MOST_UNANSWERED_BYTES = 1024 * 1024;

/** A transaction on the wire whose last reply has not come. */
interface Unanswered {
  readonly delivery: PendingDelivery;
  readonly bytes: number;
  readonly writtenAt: number;
  /** Its receiving domain is slow: nothing is sent behind it. */
  readonly alone: boolean;
  /** The command that the next reply is about. */
  awaits: 'rset' | 'mail' | 'rcpt' | 'bdat';
  answered: boolean;
  refusal: Attempt | undefined;
  /** Whether the kernel has its last byte. `perhaps`: it has a part of a write, and others stand behind this one in it. */
  given: 'no' | 'perhaps' | 'yes';
}

export class ChunkingSession implements SmtpDialogue {
  private readonly host: SessionHost;
  private readonly socket: Socket;
  private readonly extensions: SmtpExtensions;
  private readonly reader = new ReplyReader();
  private readonly writer: ChunkWriter;
  private readonly pipeline = new PipelineDepth();
  private readonly acceptances = new Acceptances();
  /** In the order of their replies. */
  private unanswered: Unanswered[] = [];
  private unansweredBytes = 0;
  /** The last answer was a refusal, which can leave a transaction open at the server. */
  private needsReset = false;
  private begun = 0;
  private answered = 0;
  /** A message was accepted by BDAT: the server does it. */
  private proven = false;
  private state: 'open' | 'quitting' | 'ended' = 'open';
  /** When the front reply began to be awaited, or when the connection fell idle. */
  private since: number;
  /** When the front message began to be the front one. */
  private frontSince: number;
  private readonly onReply = (code: number, text: string): boolean => this.handleReply(code, text);

  constructor(connection: OpenedConnection, host: SessionHost) {
    this.socket = connection.socket;
    this.extensions = connection.extensions;
    this.host = host;
    this.since = host.now;
    this.frontSince = host.now;
    // The end of a write must not wait until the one before is acknowledged, which takes a round trip.
    this.socket.setNoDelay(true);
    this.writer = new ChunkWriter(this.socket, (whole) => this.left(whole));
    connection.listen((bytes) => this.read(bytes));
    onLoss(this.socket, (detail) => this.lost(detail));
  }

  get idle(): boolean {
    return this.state === 'open' && this.unanswered.length === 0;
  }

  get hungry(): boolean {
    return this.state === 'open' && this.unanswered.length > 0 && this.mayBegin();
  }

  get busy(): boolean {
    return this.unanswered.length > 0;
  }

  get depth(): number {
    return this.pipeline.allowed;
  }

  get awaited(): AwaitedReply | undefined {
    return this.busy ? { messages: this.unanswered.length, where: this.where(), since: this.since } : undefined;
  }

  get fresh(): boolean {
    return this.answered === 0;
  }

  pull(): void {
    if (this.idle && !this.host.chunking) this.quit('CHUNKING is not used any more');
    else if (this.state === 'open' && this.mayBegin()) this.writeNext();
    this.host.stateChanged(this);
  }

  quit(reason: string): void {
    if (!this.idle) return;
    this.state = 'quitting';
    this.host.stateChanged(this);
    sayQuit(this.socket, () => this.finish({ kind: 'quit', reason }));
  }

  abandon(reason: string): void {
    const inDoubt = this.broken('in_doubt', reason);
    for (const { delivery, refusal, given } of this.unanswered.splice(0))
      delivery.settle(refusal ?? (given === 'no' ? WITHDRAWN : inDoubt));
    this.finish({ kind: 'quit', reason });
  }

  checkTime(): void {
    if (this.state !== 'open') return;
    const { timeouts, now } = this.host;
    const [front] = this.unanswered;
    if (front === undefined) {
      if (now - this.since > timeouts.idle) this.quit('idle');
      return;
    }
    this.lookAtFront(front, now);
    const limit = front.awaits !== 'bdat' ? timeouts.command : front.given === 'no' ? timeouts.block : timeouts.dot;
    if (now - this.since <= limit) return;
    // A process that was stopped or busy finds its timers due before it reads what came meanwhile: look at the socket once more.
    const { since } = this;
    setImmediate(() => {
      if (this.since === since) this.fail(`no reply within ${limit / 1000} s`);
    });
  }

  private mayBegin(): boolean {
    if (this.begun >= this.host.messagesPerConnection || this.host.closing || !this.host.chunking) return false;
    if (this.unanswered.at(-1)?.alone === true) return false;
    return !this.writer.busy && this.unanswered.length < this.depth && this.unansweredBytes < MOST_UNANSWERED_BYTES;
  }

  private writeNext(): void {
    const now = this.host.monotonic();
    if (!this.busy) {
      this.since = now;
      this.frontSince = now;
    } else this.lookAtFront(this.unanswered[0], now);
    while (this.mayBegin() && !this.writer.full) {
      const delivery = this.host.take(this.busy);
      if (delivery === undefined) break;
      const transaction = transactionOf(delivery, this.extensions, this.host.server, true);
      if (transaction === undefined) continue;
      if ('refusal' in transaction) {
        delivery.settle(transaction.refusal);
        continue;
      }
      if (delivery.handOver() && delivery.giveContent()) this.add(delivery, transaction, now);
    }
    this.writer.flush();
  }

  private add(delivery: PendingDelivery, transaction: Exclude<Transaction, { refusal: Attempt }>, writtenAt: number): void {
    const { mail, rcpt, content } = transaction;
    const reset = this.needsReset || this.busy;
    const before = this.unanswered.at(-1);
    // Of one write only the last message surely ends where the write does.
    if (before?.given === 'no') before.given = 'perhaps';
    this.needsReset = false;
    this.begun += 1;
    this.unansweredBytes += content.length;
    this.unanswered.push({
      delivery,
      bytes: content.length,
      writtenAt,
      alone: this.host.isSlow(delivery),
      awaits: reset ? 'rset' : 'mail',
      answered: false,
      refusal: undefined,
      given: 'no',
    });
    this.writer.add(`${reset ? 'RSET\r\n' : ''}${mail}${rcpt}BDAT ${content.length} LAST\r\n`, content);
  }

  private left(whole: boolean): void {
    if (this.state !== 'open') return;
    const last = this.unanswered.at(-1);
    for (const one of this.unanswered) if (whole || one !== last) one.given = 'yes';
    if (!whole) this.since = this.host.monotonic();
    this.pull();
  }

  private read(chunk: Buffer): void {
    if (this.state !== 'open') return;
    const complaint = this.reader.push(chunk, this.onReply);
    if (complaint !== undefined) this.fail(`the server sent ${complaint}`);
    else this.continueWork();
  }

  private continueWork(): void {
    if (!this.idle) this.pull();
    else if (this.host.closing) this.quit('the transport is closing');
    else if (this.begun >= this.host.messagesPerConnection) this.quit(`after ${this.begun} messages`);
    else this.pull();
  }

  /** @returns false when the connection is over */
  private handleReply(code: number, text: string): boolean {
    const [front] = this.unanswered;
    if (front === undefined) {
      // RFC 5321 section 3.8: a server may announce with 421 at any time that it closes an idle connection.
      if (code === 421) this.finish({ kind: 'quit', reason: cleanReply(`421 ${text}`) });
      else this.fail(`an unexpected reply: ${code} ${text}`);
      return false;
    }
    this.since = this.host.monotonic();
    if (code === 421) this.serverCloses(text);
    else if (!isPossible(front, code)) this.outOfStep(front, `an unexpected reply: ${code} ${text}`);
    else {
      front.answered = true;
      if (front.awaits === 'rset') front.awaits = 'mail';
      else if (front.awaits === 'bdat') this.transactionAnswered(front, code, text);
      else {
        if (code >= 400) front.refusal ??= attemptFromReply(front.awaits, code, decodeReplyText(text));
        front.awaits = front.awaits === 'mail' ? 'rcpt' : 'bdat';
      }
    }
    return this.state === 'open';
  }

  private transactionAnswered(front: Unanswered, code: number, text: string): void {
    const { delivery, refusal, given, writtenAt, bytes } = front;
    // 503 after a refused envelope is the usual answer; after a good one it says that there is no BDAT.
    if (code >= 500 && code <= 504 && refusal === undefined && !this.proven) {
      this.notDone(`${code} ${decodeReplyText(text)}`);
      return;
    }
    this.unanswered.shift();
    this.unansweredBytes -= bytes;
    this.answered += 1;
    this.host.answered();
    this.needsReset = code >= 400;
    if (code < 300) {
      this.proven = true;
      delivery.settle(this.acceptances.of(code, text));
    } else delivery.settle(refusal ?? attemptFromReply('body', code, decodeReplyText(text)));
    // Until BDAT is known to work each message goes alone.
    if (this.proven) {
      const before = this.depth;
      this.pipeline.answered(this.since - writtenAt);
      this.host.tookLong(delivery, this.since - this.frontSince > SLOW_MS);
      if (this.depth !== before) this.depthChanged();
    }
    this.frontSince = this.since;
    // What the server would make of the rest of the content is anyone's guess.
    if (given === 'no') this.fail('the content was refused before its end');
  }

  /** A front reply that is long in coming holds up what stands behind it. */
  private lookAtFront(front: Unanswered | undefined, now: number): void {
    if (front === undefined || !this.pipeline.stuck(now - this.since)) return;
    this.host.tookLong(front.delivery, true);
    this.depthChanged();
  }

  private depthChanged(): void {
    this.host.depthChanged();
    this.host.stateChanged(this);
  }

  /** BDAT was not understood, so nothing was accepted. Messages go alone until it is, so nothing stands behind this one. */
  private notDone(reply: string): void {
    this.host.chunkingFailed(cleanReply(`BDAT was answered with ${reply}`));
    const returning = this.unanswered.splice(0).map(({ delivery }) => delivery);
    this.finish({ kind: 'quit', reason: cleanReply(reply) }, returning);
  }

  private outOfStep(front: Unanswered, what: string): void {
    this.host.chunkingFailed(`replies are out of step: ${cleanReply(decodeReplyText(what))}`);
    // A refusal that may have been another message's.
    front.refusal = undefined;
    this.fail(what);
  }

  private serverCloses(text: string): void {
    const reply = decodeReplyText(text);
    const [front, ...behind] = this.unanswered.splice(0);
    // The server says nothing about those behind; each time another one is in front, so that this has an end.
    const returning = behind.map(({ delivery }) => delivery);
    if (front?.refusal !== undefined) front.delivery.settle(front.refusal);
    else if (front?.awaits === 'bdat') front.delivery.settle(attemptFromReply('body', 421, reply));
    else if (front !== undefined) {
      const refused = attemptFromReply(front.awaits === 'rcpt' ? 'rcpt' : 'mail', 421, reply);
      if (this.fresh || !front.delivery.mayReturn) front.delivery.settle(refused);
      else {
        front.delivery.returns += 1;
        returning.unshift(front.delivery);
      }
    }
    this.finish({ kind: 'failed', reason: cleanReply(`421 ${reply}`) }, returning);
  }

  private lost(detail: string): void {
    if (this.state === 'quitting' || this.unanswered.length === 0) this.finish({ kind: 'quit', reason: detail });
    else this.fail(`lost (${detail})`);
  }

  private fail(what: string): void {
    if (this.state !== 'open') return;
    const failed = this.broken('deferred', what);
    const inDoubt = this.broken('in_doubt', what);
    const returning: PendingDelivery[] = [];
    for (const [index, { delivery, refusal, given, answered }] of this.unanswered.splice(0).entries()) {
      if (refusal !== undefined) delivery.settle(refusal);
      else if (given !== 'no') delivery.settle(inDoubt);
      // A connection that worked before, or broke under another message, tells nothing about this one.
      else if ((index > 0 || (!this.fresh && !answered)) && delivery.mayReturn) {
        delivery.returns += 1;
        returning.push(delivery);
      } else delivery.settle(failed);
    }
    this.finish({ kind: 'failed', reason: failed.reply }, returning);
  }

  private broken(outcome: 'deferred' | 'in_doubt', what: string): Attempt {
    return brokenAttempt(outcome, `${this.host.server} ${this.where()}`, what);
  }

  private where(): string {
    const [front] = this.unanswered;
    if (front === undefined) return 'in idleness';
    if (front.awaits !== 'bdat') return `at ${front.awaits.toUpperCase()}`;
    return front.given === 'no' ? 'inside the body' : 'after the last chunk';
  }

  /** @param returning goes back into the queue, in this order */
  private finish(ending: SessionEnding, returning: readonly PendingDelivery[] = []): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.socket.destroy();
    for (const delivery of returning.toReversed()) this.host.giveBack(delivery);
    this.host.ended(this, ending);
  }
}

/** False for a reply that cannot belong to this command: client and server are then out of step. */
function isPossible({ awaits, refusal, given }: Unanswered, code: number): boolean {
  if (awaits === 'rset') return code < 300;
  if (code >= 400) return true;
  // Nothing can be accepted after a refusal, nor before its last byte has left.
  return code < 300 && refusal === undefined && (awaits !== 'bdat' || given !== 'no');
}
