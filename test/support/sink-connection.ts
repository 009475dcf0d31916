import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { readSunkMessage, type SunkMessage } from './sink-message.ts';
import { SinkReplies, type SinkReplyStyle } from './sink-replies.ts';
import { type SinkAction, type SinkScript, type SinkStep, scriptOfAddress } from './sink-script.ts';

/** What a connection needs from its sink. */
export interface SinkHost {
  readonly extensions: readonly string[];
  readonly certificate: { readonly key: string; readonly cert: string } | undefined;
  readonly credentials: { readonly user: string; readonly pass: string } | undefined;
  readonly messagesPerConnection: number;
  readonly replies: SinkReplyStyle;
  /** Milliseconds of rest after each chunk that was read. */
  readonly readPause: number;
  readonly headers: readonly string[];
  readonly keepRaw: boolean;
  overRate(): boolean;
  /** How often this recipient met this action before. */
  timesMet(recipient: string, step: SinkStep): number;
  heard(connection: number, line: string): void;
  /** Stores the messages; `answer` is called when it is on disk. */
  store(messages: readonly SunkMessage[], answer: () => void): void;
}

const END_OF_DATA = Buffer.from('\r\n.\r\n');
/** Bytes of the final dot line. */
const END_OF_DATA_LINE = 3;
const CRLF = Buffer.from('\r\n');
const TEXTS: Record<string, string> = {
  '450': '4.2.0 Greylisted, please come back later',
  '451': '4.3.0 Temporary failure',
  '452': '4.2.2 Mailbox full',
  '421': '4.7.0 Too much, closing the connection',
  '500': '5.5.2 Command not recognized',
  '535': '5.7.8 Authentication failed',
  '550': '5.1.1 User unknown',
  '552': '5.2.2 Mailbox full',
  '554': '5.7.1 Message refused',
};

export class SinkConnection {
  private readonly host: SinkHost;
  private readonly number: number;
  private readonly plain: Socket;
  private socket: Socket;
  private input: Buffer = Buffer.alloc(0);
  private readonly replies: SinkReplies;
  /** A delay is running, a message is being stored, or the script hangs. */
  private waiting = false;
  private storing = false;
  private over = false;
  private inBody = false;
  /** Bytes of a chunk that are still to come; undefined when no chunk is read. */
  private chunkLeft: number | undefined;
  private lastChunk = false;
  private body: Buffer[] = [];
  private bodyBytes = 0;
  private carry: Buffer = CRLF;
  private from: string | undefined;
  private recipients: string[] = [];
  private stored = 0;
  private authenticated = false;
  private readonly connectionScript: SinkScript | undefined;
  private scripts: SinkScript[] = [];
  private readonly timers = new Set<NodeJS.Timeout>();

  constructor(socket: Socket, number: number, host: SinkHost, script: SinkScript | undefined) {
    this.host = host;
    this.number = number;
    this.plain = socket;
    this.socket = socket;
    this.replies = new SinkReplies(host.replies, () => this.socket);
    this.connectionScript = script;
    if (script !== undefined) this.scripts = [script];
    this.listen(socket);
  }

  /** A transaction was begun with MAIL, and its end not answered yet. */
  get unfinished(): boolean {
    return this.from !== undefined || this.storing;
  }

  /** @param refusal a whole reply line instead of the greeting */
  greet(refusal?: string): void {
    if (refusal === undefined) this.perform('greeting', '220 sink.example ESMTP');
    else this.answer(refusal, 'fin');
    this.replies.flush();
  }

  destroy(): void {
    this.over = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.socket.destroy();
    this.plain.destroy();
  }

  private listen(socket: Socket): void {
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.input = this.input.length === 0 ? chunk : Buffer.concat([this.input, chunk]);
      if (this.host.readPause > 0) {
        socket.pause();
        this.later(this.host.readPause, () => socket.resume());
      }
      this.run();
    });
    // A client that resets or leaves is no news to a sink.
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.destroy());
  }

  private run(): void {
    while (!this.waiting && !this.over && this.readOn());
    this.replies.flush();
  }

  private readOn(): boolean {
    if (this.chunkLeft !== undefined) return this.readChunk(this.chunkLeft);
    return this.inBody ? this.readBody() : this.readCommand();
  }

  private later(milliseconds: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      if (!this.over) work();
    }, milliseconds);
    this.timers.add(timer);
  }

  private readCommand(): boolean {
    const end = this.input.indexOf(10);
    if (end < 0) return false;
    const line = this.input.toString('utf8', 0, end).trimEnd();
    this.input = this.input.subarray(end + 1);
    this.host.heard(this.number, line);
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'MAIL') this.mail(line);
    else if (verb === 'RCPT') this.rcpt(line);
    else if (verb === 'DATA') this.data();
    else if (verb === 'BDAT') this.bdat(line);
    else if (verb === 'EHLO') this.perform('ehlo', this.greetingLines().join('\n'));
    else if (verb === 'HELO') this.perform('helo', '250 sink.example');
    else if (verb === 'STAR') this.perform('starttls', '220 2.0.0 Ready to start TLS', () => this.secure());
    else if (verb === 'AUTH') this.authenticate(line);
    else if (verb === 'RSET') {
      this.endTransaction();
      this.answer('250 2.0.0 Ok');
    } else if (verb === 'QUIT') this.answer('221 2.0.0 Bye', 'fin');
    else this.answer('500 5.5.2 Command not recognized');
    return true;
  }

  private greetingLines(): string[] {
    const lines = ['sink.example', ...this.host.extensions];
    if (this.host.certificate !== undefined && !(this.socket instanceof TLSSocket)) lines.push('STARTTLS');
    if (this.host.credentials !== undefined) lines.push('AUTH PLAIN');
    return lines.map((text, at) => `250${at === lines.length - 1 ? ' ' : '-'}${text}`);
  }

  private secure(): void {
    const { certificate } = this.host;
    if (certificate === undefined) return;
    this.replies.flush();
    this.plain.removeAllListeners('data');
    this.input = Buffer.alloc(0);
    this.socket = new TLSSocket(this.plain, { isServer: true, ...certificate });
    this.listen(this.socket);
  }

  private authenticate(line: string): void {
    const { credentials } = this.host;
    const [, user, pass] = Buffer.from(line.split(' ')[2] ?? '', 'base64')
      .toString()
      .split('\0');
    this.authenticated = credentials !== undefined && user === credentials.user && pass === credentials.pass;
    this.perform('auth', this.authenticated ? '235 2.7.0 Welcome' : '535 5.7.8 Authentication failed');
  }

  private mail(line: string): void {
    const address = /^MAIL FROM:\s*<([^>]*)>/i.exec(line)?.[1];
    if (address === undefined) this.answer('501 5.1.7 Bad sender address syntax');
    else if (this.from !== undefined) this.answer('503 5.5.1 Nested MAIL command');
    else if (this.host.credentials !== undefined && !this.authenticated) this.answer('530 5.7.0 Authentication required');
    else if (this.stored >= this.host.messagesPerConnection) this.answer('421 4.7.0 Too many messages on this connection', 'fin');
    else if (this.host.overRate()) this.answer('451 4.7.1 Rate limit exceeded, please slow down');
    else {
      const script = scriptOfAddress(address);
      this.scripts = [this.connectionScript, script].filter((item) => item !== undefined);
      this.perform('mail', '250 2.1.0 Ok', () => {
        this.from = address;
      });
    }
  }

  private rcpt(line: string): void {
    const address = /^RCPT TO:\s*<([^>]+)>/i.exec(line)?.[1];
    if (address === undefined) this.answer('501 5.1.3 Bad recipient address syntax');
    else if (this.from === undefined) this.answer('503 5.5.1 Need MAIL command');
    else {
      const script = scriptOfAddress(address);
      if (script !== undefined) this.scripts = [...this.scripts, script];
      this.perform('rcpt', '250 2.1.5 Ok', () => this.recipients.push(address), address);
    }
  }

  private data(): void {
    const begin = (): void => {
      this.inBody = true;
      this.body = [];
      this.bodyBytes = 0;
      // As if a line had ended before, so that a lone dot is found as well.
      this.carry = CRLF;
    };
    if (this.recipients.length > 0) this.perform('data', '354 End data with <CR><LF>.<CR><LF>', begin);
    else if (this.from !== undefined && this.scripts.some((script) => script.acceptData)) {
      begin();
      this.answer('354 End data with <CR><LF>.<CR><LF>');
    } else this.answer('554 5.5.1 No valid recipients');
  }

  /** RFC 3030: the chunk is read also where it is refused. A script for the command answers it as a server without BDAT would. */
  private bdat(line: string): void {
    const [, size, last] = /^BDAT (\d+)( LAST)?$/i.exec(line) ?? [];
    if (size === undefined || !this.host.extensions.includes('CHUNKING')) this.answer('502 5.5.1 Command not implemented');
    else
      this.perform('bdat', undefined, () => {
        this.chunkLeft = Number(size);
        this.lastChunk = last !== undefined;
      });
  }

  private readChunk(left: number): boolean {
    const taken = Math.min(left, this.input.length);
    if (this.failsInside(taken)) return false;
    this.body.push(this.input.subarray(0, taken));
    this.bodyBytes += taken;
    this.input = this.input.subarray(taken);
    this.chunkLeft = left - taken;
    if (this.chunkLeft > 0) return false;
    this.chunkLeft = undefined;
    if (this.from === undefined) {
      this.endTransaction();
      this.answer('503 5.5.1 Need MAIL and RCPT commands');
    } else if (this.lastChunk) this.delayed('dot', () => this.bodyEnded());
    else this.answer('250 2.0.0 Ok');
    return true;
  }

  /** The script ends or answers inside of what is being read. */
  private failsInside(taken: number): boolean {
    const action = this.actionAt('body');
    if (action === undefined || taken === 0 || this.bodyBytes + taken <= (action.after ?? 0)) return false;
    this.input = Buffer.alloc(0);
    this.act(action);
    this.waiting = true;
    return true;
  }

  private readBody(): boolean {
    if (this.input.length === 0) return false;
    // The end of data may lie across two chunks: look again at the last bytes of what was there.
    const seen = Buffer.concat([this.carry, this.input]);
    const end = seen.indexOf(END_OF_DATA);
    const taken = end < 0 ? this.input.length : end + END_OF_DATA.length - this.carry.length;
    if (this.failsInside(taken)) return false;
    this.body.push(this.input.subarray(0, taken));
    this.bodyBytes += taken;
    this.input = this.input.subarray(taken);
    this.carry = seen.subarray(-4);
    if (end < 0) return false;
    this.delayed('dot', () => this.bodyEnded());
    return true;
  }

  /** After the final dot, or the last chunk. */
  private bodyEnded(): void {
    const action = this.actionAt('dot', this.recipients[0]);
    const messages = this.messages();
    this.endTransaction();
    if (messages.length === 0) this.answer('554 5.5.1 No valid recipients');
    else if (action?.code !== undefined && action.code >= '400') this.act(action);
    else {
      this.waiting = true;
      this.storing = true;
      this.stored += 1;
      this.host.store(messages, () => {
        this.waiting = false;
        // Whoever hangs here has not answered.
        this.storing = action?.hang === true;
        if (action === undefined) this.answer(`250 2.0.0 Ok: queued as ${this.number}-${this.stored}`);
        else this.act(action);
        this.run();
      });
    }
  }

  private messages(): SunkMessage[] {
    const content = this.body.length === 1 ? this.body[0]! : Buffer.concat(this.body);
    const { headers, keepRaw } = this.host;
    const end = this.inBody ? content.length - END_OF_DATA_LINE : content.length;
    const message = readSunkMessage(content.subarray(0, end), headers, keepRaw, this.inBody);
    return this.recipients.map((to) => ({ ...message, connection: this.number, from: this.from ?? '', to }));
  }

  private endTransaction(): void {
    this.from = undefined;
    this.recipients = [];
    this.body = [];
    this.bodyBytes = 0;
    this.inBody = false;
  }

  private actionAt(step: SinkStep, recipient?: string): SinkAction | undefined {
    for (const script of this.scripts) {
      for (const action of script.actions) {
        if (action.step !== step) continue;
        if (action.times === undefined || this.host.timesMet(action.together ?? recipient ?? '', step) < action.times)
          return action;
      }
    }
    return undefined;
  }

  private delayed(step: SinkStep, work: () => void): void {
    const delay = Math.max(0, ...this.scripts.map((script) => script.delays[step] ?? 0));
    if (delay === 0) {
      work();
      return;
    }
    this.waiting = true;
    this.later(delay, () => {
      this.waiting = false;
      work();
      this.run();
    });
  }

  /** @param usual undefined: nothing is answered yet */
  private perform(step: SinkStep, usual: string | undefined, after?: () => void, recipient?: string): void {
    if (this.scripts.length === 0) {
      if (usual !== undefined) this.answer(usual);
      after?.();
      return;
    }
    this.delayed(step, () => {
      const action = this.actionAt(step, recipient);
      if (action === undefined) {
        if (usual !== undefined) this.answer(usual);
        after?.();
      } else this.act(action);
    });
  }

  private act(action: SinkAction): void {
    if (action.hang === true) {
      this.waiting = true;
      this.socket.pause();
    } else if (action.code === undefined) this.end(action.end ?? 'reset');
    else
      this.answer(
        `${action.code} ${action.text ?? TEXTS[action.code] ?? 'As scripted'}`,
        action.end ?? (action.code === '421' ? 'fin' : undefined),
      );
  }

  /** @param reply lines without line ends, separated by LF */
  private answer(reply: string, end?: 'reset' | 'fin'): void {
    this.replies.add(reply);
    if (end !== undefined) this.end(end);
  }

  private end(how: 'reset' | 'fin'): void {
    this.over = true;
    this.replies.flush(() => {
      if (how === 'reset') this.plain.resetAndDestroy();
      else this.socket.end();
    });
  }
}
