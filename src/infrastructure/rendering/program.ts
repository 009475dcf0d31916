import {
  BreakTag,
  Context,
  ContinueTag,
  type Emitter,
  IfTag,
  isTruthy,
  type Liquid,
  Output,
  type Template,
  toValue,
  toValueSync,
  UnlessTag,
  type Value,
} from 'liquidjs';
import { ASK_LIQUID, compileCondition, compileValue, isEscaped, type Names, staticText } from './fast-values.ts';
import type { Frame, Read } from './frame.ts';
import { CappedEmitter, MessageSink, toText } from './message-sink.ts';
import { LabelTag, LinkTag, type LinkWriter, OpenTag, readLabel } from './plan-tags.ts';
import { encodeStatic } from './quoted-printable.ts';
import { childrenOf, usesOf } from './variables.ts';

/**
 * A parsed template as a list of steps that write encoded bytes. Text that is the same in every message is encoded here,
 * once. Outputs, links and `if` whose expressions are simple become closures; every other tag is rendered by liquidjs into
 * the same sink, with the static text inside it answered by bytes that were encoded here too.
 */

/** One step; true says: stop here (`{% break %}` outside a loop ends the part). */
interface Step {
  run(sink: MessageSink): boolean;
}

/** What the steps of all parts share while one message is composed. */
export class MessageState {
  /** Where the click token stands in the message already, so that the next copy is a copy. */
  clickFrom = -1;
  clickTo = -1;

  begin(): void {
    this.clickFrom = -1;
  }
}

export interface ProgramTools {
  readonly engine: Liquid;
  readonly html: boolean;
  readonly frame: Frame;
  readonly links: LinkWriter;
  readonly state: MessageState;
}

export class Program {
  private readonly steps: readonly Step[];
  private readonly tools: ProgramTools;
  private readonly names: Names;
  private context: Context | undefined;

  constructor(templates: readonly Template[], tools: ProgramTools) {
    this.tools = tools;
    const bodies = [...eachTemplate(templates)].flatMap((template) =>
      template instanceof LinkTag ? [...(tools.links.body(template.position) ?? [])] : [],
    );
    this.names = { frame: tools.frame, locals: usesOf([...templates, ...bodies]).locals };
    this.steps = this.block(templates);
  }

  run(sink: MessageSink): void {
    this.context = undefined;
    runAll(this.steps, sink);
  }

  /** For liquidjs, made when the first tag of a message needs it. */
  private liquidContext(): Context {
    this.context ??= new Context(
      this.tools.frame.environment(),
      this.tools.engine.options,
      { sync: true },
      { liquid: this.tools.engine },
    );
    return this.context;
  }

  private block(templates: readonly Template[]): Step[] {
    const steps: Step[] = [];
    let text = '';
    const flush = (): void => {
      if (text !== '') steps.push(new StaticStep(text));
      text = '';
    };
    const step = (next: Step): void => {
      flush();
      steps.push(next);
    };
    const { html, links, frame, state } = this.tools;
    for (const template of templates) {
      const written = staticText(template);
      if (written !== undefined) {
        text += written;
      } else if (template instanceof Output) {
        const value = compileValue(template.value, this.names);
        const constant = value?.constant === true ? value.read() : ASK_LIQUID;
        if (value === undefined) step(this.liquid(template));
        else if (constant !== ASK_LIQUID) text += this.constantText(template);
        else step(new ValueStep(value.read, html && isEscaped(template.value), this.liquid(template)));
      } else if (template instanceof LinkTag) {
        const fixed = links.fixed(template.position, html);
        if (fixed === undefined) {
          step(this.dynamicLink(template));
        } else {
          text += fixed.before;
          if (fixed.after !== undefined) {
            step(new ClickStep(frame, state));
            text = fixed.after;
          }
        }
      } else if (template instanceof OpenTag) {
        text += links.openUrl;
        step(new ValueStep(() => frame.recipient.openToken, false, this.liquid(template)));
      } else if (template instanceof LabelTag) {
        step(new ValueStep(() => readLabel(template.label, frame), html, this.liquid(template)));
      } else if (template instanceof IfTag || template instanceof UnlessTag) {
        step(this.branches(template));
      } else if (template instanceof BreakTag || template instanceof ContinueTag) {
        step(STOP);
      } else {
        step(this.liquid(template));
      }
    }
    flush();
    return steps;
  }

  /** What an output of a constant (`{{ project.name }}`) prints in every message, by liquidjs itself. */
  private constantText(template: Output): string {
    const emitter = new CappedEmitter();
    toValueSync(template.render(this.liquidContext(), emitter));
    this.context = undefined;
    return emitter.buffer;
  }

  private branches(template: IfTag | UnlessTag): Step {
    const branches = template.branches.map((branch, index) => ({
      negated: template instanceof UnlessTag && index === 0,
      read: this.condition(branch.value),
      steps: this.block(branch.templates),
    }));
    return new BranchStep(branches, this.block(template.elseTemplates ?? []));
  }

  private condition(value: Value): () => boolean {
    const fast = compileCondition(value, this.names);
    const slow = (): boolean => {
      const context = this.liquidContext();
      return isTruthy(toValue(toValueSync(value.value(context, false))), context);
    };
    if (fast === undefined) return slow;
    return () => {
      const result = fast();
      return result === ASK_LIQUID ? slow() : result !== false && result !== null && result !== undefined;
    };
  }

  private dynamicLink(template: LinkTag): Step {
    const { links, html } = this.tools;
    const body = links.body(template.position) ?? [];
    const text = compileText(body, this.names);
    const slow = this.liquid(template);
    return {
      run: (sink) => {
        const rendered = text?.();
        if (rendered === undefined) return slow.run(sink);
        sink.text(links.follow(template.position, rendered), html);
        return false;
      },
    };
  }

  private liquid(template: Template): Step {
    const prepared = eachTemplate(childrenOf(template));
    for (const child of prepared) answerWithBytes(child);
    return {
      run: (sink) => {
        const context = this.liquidContext();
        const printed: unknown = toValueSync(template.render(context, sink));
        if (printed) sink.write(printed);
        return context.breakCalled || context.continueCalled;
      },
    };
  }
}

/**
 * A template that is only text and simple outputs as one closure (subjects, link targets); undefined when it is more, and
 * the closure answers undefined when a value wants liquidjs.
 */
export function compileText(templates: readonly Template[], names: Names): (() => string | undefined) | undefined {
  const pieces: (string | Read)[] = [];
  for (const template of templates) {
    const written = staticText(template);
    const value = written === undefined && template instanceof Output ? compileValue(template.value, names) : undefined;
    const piece = written ?? value?.read;
    if (piece === undefined) return undefined;
    pieces.push(piece);
  }
  return () => {
    let text = '';
    for (const piece of pieces) {
      if (typeof piece === 'string') {
        text += piece;
        continue;
      }
      const value = piece();
      if (value === ASK_LIQUID) return undefined;
      text += toText(value);
    }
    return text;
  };
}

/** All templates, those inside tags included. */
export function* eachTemplate(templates: readonly Template[]): Generator<Template> {
  for (const template of templates) {
    yield template;
    yield* eachTemplate(childrenOf(template));
  }
}

/** Static text inside a tag that liquidjs renders: our sink gets bytes, anything else (a capture) gets the text. */
function answerWithBytes(template: Template): void {
  const text = staticText(template);
  if (text === undefined) return;
  const step = new StaticStep(text);
  template.render = (_context: Context, emitter: Emitter) => {
    if (emitter instanceof MessageSink) step.run(emitter);
    else emitter.write(text);
  };
}

function runAll(steps: readonly Step[], sink: MessageSink): boolean {
  for (const step of steps) if (step.run(sink)) return true;
  return false;
}

const STOP: Step = { run: () => true };

class StaticStep implements Step {
  private readonly bytes: Uint8Array;
  private readonly characters: number;
  constructor(text: string) {
    this.bytes = encodeStatic(text);
    this.characters = text.length;
  }
  run(sink: MessageSink): boolean {
    sink.bytes(this.bytes, this.characters);
    return false;
  }
}

class ValueStep implements Step {
  private readonly read: Read;
  private readonly html: boolean;
  private readonly slow: Step;
  constructor(read: Read, html: boolean, slow: Step) {
    this.read = read;
    this.html = html;
    this.slow = slow;
  }
  run(sink: MessageSink): boolean {
    const value = this.read();
    if (typeof value === 'string') sink.text(value, this.html);
    else if (value === ASK_LIQUID) return this.slow.run(sink);
    else sink.text(toText(value), this.html);
    return false;
  }
}

/** The click token: the same in every link of a message, so it is encoded once and copied. Its letters are safe in HTML. */
class ClickStep implements Step {
  private readonly frame: Frame;
  private readonly state: MessageState;
  constructor(frame: Frame, state: MessageState) {
    this.frame = frame;
    this.state = state;
  }
  run(sink: MessageSink): boolean {
    const { state } = this;
    if (state.clickFrom >= 0) {
      sink.repeat(state.clickFrom, state.clickTo);
      return false;
    }
    state.clickFrom = sink.position;
    sink.text(this.frame.recipient.clickToken, false);
    state.clickTo = sink.position;
    return false;
  }
}

class BranchStep implements Step {
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
  run(sink: MessageSink): boolean {
    for (const branch of this.branches) if (branch.read() !== branch.negated) return runAll(branch.steps, sink);
    return runAll(this.otherwise, sink);
  }
}
