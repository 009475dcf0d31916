import {
  BreakTag,
  Context,
  ContinueTag,
  type Emitter,
  ForTag,
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
import {
  ASK_LIQUID,
  compileCondition,
  compilePath,
  compileValue,
  isEscaped,
  Loop,
  type Names,
  staticText,
} from './fast-values.ts';
import type { Frame, Read } from './frame.ts';
import { CappedEmitter, MessageSink, toText } from './message-sink.ts';
import { type FixedLink, LabelTag, LinkTag, type LinkWriter, OpenTag, readLabel } from './plan-tags.ts';
import {
  always,
  BranchStep,
  LoopStep,
  type MessageState,
  RepeatedStep,
  runAll,
  StaticStep,
  type Step,
  ValueStep,
} from './steps.ts';
import { childrenOf, usesOf } from './variables.ts';

/**
 * A parsed template as a list of steps that write encoded bytes. Text that is the same in every message is encoded here,
 * once. Outputs, links and `if` whose expressions are simple become closures; every other tag is rendered by liquidjs into
 * the same sink, with the static text inside it answered by bytes that were encoded here too.
 */

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
  /** Some loop asks for `offset: continue` or the like, which liquidjs keeps account of in its own loops only. */
  private readonly continues: boolean;
  private context: Context | undefined;

  constructor(templates: readonly Template[], tools: ProgramTools) {
    this.tools = tools;
    const all = [...eachTemplate(templates)];
    const bodies = all.flatMap((template) =>
      template instanceof LinkTag ? [...(tools.links.body(template.position) ?? [])] : [],
    );
    this.continues = all.some((template) => template instanceof ForTag && Object.hasOwn(template.hash.hash, 'offset'));
    this.steps = this.block(templates, { frame: tools.frame, assigned: usesOf([...templates, ...bodies]).assigned, loops: [] });
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

  private block(templates: readonly Template[], names: Names): Step[] {
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
        const value = compileValue(template.value, names);
        const constant = value?.constant === true ? value.read() : ASK_LIQUID;
        if (value === undefined) step(this.liquid(template, names));
        else if (constant !== ASK_LIQUID) text += this.constantText(template);
        else if (value.plain === 'unsubscribe_url')
          step(new RepeatedStep(() => frame.recipient.unsubscribeUrl, html && isEscaped(template.value), state.unsubscribe));
        else step(new ValueStep(value.read, html && isEscaped(template.value), this.liquid(template, names)));
      } else if (template instanceof LinkTag) {
        const fixed = links.fixed(template.position, html) ?? this.constantLink(template, names);
        if (fixed === undefined) {
          step(this.dynamicLink(template, names));
        } else {
          text += fixed.before;
          if (fixed.after !== undefined) {
            step(new RepeatedStep(() => frame.recipient.clickToken, html, state.click));
            text = fixed.after;
          }
        }
      } else if (template instanceof OpenTag) {
        text += links.openUrl;
        step(new ValueStep(() => frame.recipient.openToken, false, this.liquid(template, names)));
      } else if (template instanceof LabelTag) {
        step(new ValueStep(() => readLabel(template.label, frame), html, this.liquid(template, names)));
      } else if (template instanceof IfTag || template instanceof UnlessTag) {
        step(this.branches(template, names));
      } else if (template instanceof ForTag) {
        step(this.loop(template, names));
      } else if (template instanceof BreakTag) {
        step(always('break'));
      } else if (template instanceof ContinueTag) {
        step(always('continue'));
      } else {
        step(this.liquid(template, names));
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

  /** A compiled `for`, used where the list is a plain path and nothing limits or reverses it. */
  private loop(template: ForTag, names: Names): Step {
    const slow = this.liquid(template, names);
    const list = compilePath(template.collection, names);
    if (list === undefined || this.continues || Object.keys(template.hash.hash).length > 0) return slow;
    const loop = new Loop(template.variable, template.collection.getText());
    const body = this.block(template.templates, { ...names, loops: [...names.loops, loop] });
    return new LoopStep(list.read, loop, body, this.block(template.elseTemplates, names), slow);
  }

  private branches(template: IfTag | UnlessTag, names: Names): Step {
    const branches = template.branches.map((branch, index) => ({
      negated: template instanceof UnlessTag && index === 0,
      read: this.condition(branch.value, names),
      steps: this.block(branch.templates, names),
    }));
    return new BranchStep(branches, this.block(template.elseTemplates ?? [], names));
  }

  private condition(value: Value, names: Names): () => boolean {
    const fast = compileCondition(value, names);
    const slow = (): boolean =>
      this.inScope(names, (context) => isTruthy(toValue(toValueSync(value.value(context, false))), context));
    if (fast === undefined) return slow;
    return () => {
      const result = fast();
      return result === ASK_LIQUID ? slow() : result !== false && result !== null && result !== undefined;
    };
  }

  /** A link whose Liquid says the same in every message, such as `?from={{ campaign.id }}`. */
  private constantLink(template: LinkTag, names: Names): FixedLink | undefined {
    const { links, html } = this.tools;
    const text = compileText(links.body(template.position) ?? [], names);
    const rendered = text?.constant === true ? text.read() : undefined;
    return rendered === undefined ? undefined : links.settled(template.position, rendered, html);
  }

  private dynamicLink(template: LinkTag, names: Names): Step {
    const { links, html } = this.tools;
    const body = links.body(template.position) ?? [];
    const text = compileText(body, names);
    const slow = this.liquid(template, names);
    return {
      run: (sink) => {
        const rendered = text?.read();
        if (rendered === undefined) return slow.run(sink);
        sink.text(links.follow(template.position, rendered), html);
        return 'next';
      },
    };
  }

  /** Leaves a tag to liquidjs. */
  private liquid(template: Template, names: Names): Step {
    for (const child of eachTemplate(childrenOf(template))) answerWithBytes(child);
    return {
      run: (sink) =>
        this.inScope(names, (context) => {
          const printed: unknown = toValueSync(template.render(context, sink));
          if (printed) sink.write(printed);
          const signal = context.breakCalled ? 'break' : context.continueCalled ? 'continue' : 'next';
          context.breakCalled = context.continueCalled = false;
          return signal;
        }),
    };
  }

  /** Runs a tag of liquidjs with the variables of the compiled loops in its scope. */
  private inScope<T>(names: Names, work: (context: Context) => T): T {
    const context = this.liquidContext();
    for (const loop of names.loops) context.push({ [loop.variable]: loop.element, forloop: loop.drop });
    const result = work(context);
    for (let left = names.loops.length; left > 0; left -= 1) context.pop();
    return result;
  }
}

interface CompiledText {
  /** Undefined when a value wants liquidjs. */
  read(): string | undefined;
  /** The same in every message. */
  readonly constant: boolean;
}

/** A template that is only text and simple outputs as one closure (subjects, link targets); undefined when it is more. */
export function compileText(templates: readonly Template[], names: Names): CompiledText | undefined {
  const pieces: (string | Read)[] = [];
  let constant = true;
  for (const template of templates) {
    const written = staticText(template);
    const value = written === undefined && template instanceof Output ? compileValue(template.value, names) : undefined;
    const piece = written ?? value?.read;
    if (piece === undefined) return undefined;
    if (value?.constant === false) constant = false;
    pieces.push(piece);
  }
  const read = (): string | undefined => {
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
  return { read, constant };
}

/** All templates, those inside tags included. */
function* eachTemplate(templates: readonly Template[]): Generator<Template> {
  for (const template of templates) {
    yield template;
    yield* eachTemplate(childrenOf(template));
  }
}

/** Static text inside a tag that liquidjs renders: the message sink gets bytes, anything else (a capture) gets the text. */
function answerWithBytes(template: Template): void {
  const text = staticText(template);
  if (text === undefined) return;
  const step = new StaticStep(text);
  template.render = (_context: Context, emitter: Emitter) => {
    if (emitter instanceof MessageSink) step.run(emitter);
    else emitter.write(text);
  };
}
