import type { Loop } from './fast-values.ts';
import { ASK_LIQUID } from './fast-values.ts';
import type { Read } from './frame.ts';
import { type MessageSink, toText } from './message-sink.ts';
import { encodeStatic } from './quoted-printable.ts';

/** What a step says to the block around it: go on, or what `{% break %}` and `{% continue %}` say to their loop. */
export type Signal = 'next' | 'break' | 'continue';

/** One piece of a compiled template. Outside loops `break` and `continue` end the part. */
export interface Step {
  run(sink: MessageSink): Signal;
}

/** Where a value stands in the message already, so that the next time is a copy of encoded bytes. */
interface Written {
  from: number;
  to: number;
}

/** What the steps of all parts share while one message is composed. */
export class MessageState {
  readonly click: Written = { from: -1, to: -1 };
  readonly unsubscribe: Written = { from: -1, to: -1 };

  begin(): void {
    this.click.from = -1;
    this.unsubscribe.from = -1;
  }
}

export function runAll(steps: readonly Step[], sink: MessageSink): Signal {
  for (const step of steps) {
    const signal = step.run(sink);
    if (signal !== 'next') return signal;
  }
  return 'next';
}

export const always = (signal: Signal): Step => ({ run: () => signal });

export class StaticStep implements Step {
  private readonly bytes: Uint8Array;
  private readonly characters: number;
  constructor(text: string) {
    this.bytes = encodeStatic(text);
    this.characters = text.length;
  }
  run(sink: MessageSink): Signal {
    sink.bytes(this.bytes, this.characters);
    return 'next';
  }
}

export class ValueStep implements Step {
  private readonly read: Read;
  private readonly html: boolean;
  private readonly slow: Step;
  constructor(read: Read, html: boolean, slow: Step) {
    this.read = read;
    this.html = html;
    this.slow = slow;
  }
  run(sink: MessageSink): Signal {
    const value = this.read();
    if (typeof value === 'string') sink.text(value, this.html);
    else if (value === ASK_LIQUID) return this.slow.run(sink);
    else sink.text(toText(value), this.html);
    return 'next';
  }
}

/** A string that stands in a message several times; unless HTML would write it differently, it is encoded once and copied. */
export class RepeatedStep implements Step {
  private readonly read: () => string;
  private readonly html: boolean;
  private readonly written: Written;
  constructor(read: () => string, html: boolean, written: Written) {
    this.read = read;
    this.html = html;
    this.written = written;
  }
  run(sink: MessageSink): Signal {
    const { written } = this;
    if (written.from >= 0) {
      sink.repeat(written.from, written.to);
      return 'next';
    }
    const value = this.read();
    const from = sink.position;
    sink.text(value, this.html);
    if (MARKUP.test(value)) return 'next';
    written.from = from;
    written.to = sink.position;
    return 'next';
  }
}

const MARKUP = /[&<>"']/;

export class BranchStep implements Step {
  private readonly branches: readonly {
    readonly negated: boolean;
    readonly read: () => boolean;
    readonly steps: readonly Step[];
  }[];
  private readonly otherwise: readonly Step[];
  constructor(branches: BranchStep['branches'], otherwise: readonly Step[]) {
    this.branches = branches;
    this.otherwise = otherwise;
  }
  run(sink: MessageSink): Signal {
    for (const branch of this.branches) if (branch.read() !== branch.negated) return runAll(branch.steps, sink);
    return runAll(this.otherwise, sink);
  }
}

/** `for` over a list of the recipient's. Other iterations take the slow path. */
export class LoopStep implements Step {
  private readonly read: Read;
  private readonly loop: Loop;
  private readonly body: readonly Step[];
  private readonly otherwise: readonly Step[];
  private readonly slow: Step;
  constructor(read: Read, loop: Loop, body: readonly Step[], otherwise: readonly Step[], slow: Step) {
    this.read = read;
    this.loop = loop;
    this.body = body;
    this.otherwise = otherwise;
    this.slow = slow;
  }
  run(sink: MessageSink): Signal {
    const list = this.read();
    if (list === undefined || list === null || list === '') return runAll(this.otherwise, sink);
    if (!Array.isArray(list)) return this.slow.run(sink);
    if (list.length === 0) return runAll(this.otherwise, sink);
    const { loop } = this;
    loop.begin(list.length);
    for (const element of list) {
      sink.tick();
      loop.element = element;
      if (runAll(this.body, sink) === 'break') break;
      loop.drop.i += 1;
    }
    return 'next';
  }
}
