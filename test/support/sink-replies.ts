import type { Socket } from 'node:net';

export interface SinkReplyStyle {
  /** Bytes per write, each in a segment of its own. */
  readonly chunk?: number;
  readonly lineEnd?: string;
  /** Pads the text of every reply to so many bytes. */
  readonly pad?: number;
  /** Sends every reply in so many lines. */
  readonly lines?: number;
  /** The reply of this number on a connection is never sent; the greeting is the first. */
  readonly drop?: number;
  /** The reply of this number is sent behind the one after it. */
  readonly swap?: number;
}

/** Sends the replies of one connection, in the style of its sink. */
export class SinkReplies {
  private readonly style: SinkReplyStyle;
  private readonly socket: () => Socket;
  private count = 0;
  private output = '';
  private swapped = '';
  private pieces: string[] = [];
  private afterPieces: (() => void) | undefined;

  constructor(style: SinkReplyStyle, socket: () => Socket) {
    this.style = style;
    this.socket = socket;
  }

  /** @param reply lines without line ends, separated by LF */
  add(reply: string): void {
    const { lineEnd = '\r\n', pad = 0, lines = 1, drop, swap } = this.style;
    this.count += 1;
    let text = '';
    for (const line of reply.split('\n')) {
      const padded = line.padEnd(pad, 'x');
      for (let more = 1; more < lines; more += 1) text += `${padded.slice(0, 3)}-${padded.slice(4)}${lineEnd}`;
      text += padded + lineEnd;
    }
    if (this.count === drop) return;
    if (this.count === swap) {
      this.swapped = text;
      return;
    }
    this.output += text + this.swapped;
    this.swapped = '';
  }

  flush(then?: () => void): void {
    const { chunk } = this.style;
    if (chunk === undefined) {
      if (this.output !== '') this.socket().write(this.output);
      this.output = '';
      then?.();
      return;
    }
    const idle = this.pieces.length === 0;
    for (let at = 0; at < this.output.length; at += chunk) this.pieces.push(this.output.slice(at, at + chunk));
    this.output = '';
    if (then !== undefined) this.afterPieces = then;
    if (idle) this.writePiece();
  }

  /** A turn of the event loop between two pieces keeps them in segments of their own. */
  private writePiece(): void {
    const piece = this.pieces[0];
    if (piece === undefined) {
      this.afterPieces?.();
      return;
    }
    this.socket().write(piece, 'latin1');
    setImmediate(() => {
      this.pieces.shift();
      this.writePiece();
    });
  }
}
