import { Context, type Liquid, type Template, toValueSync } from 'liquidjs';
import {
  type AssembledParts,
  type ComposedMessage,
  type Content,
  type MessagePlan,
  type PlanContext,
  type PlanLink,
  type PlanRecipient,
  type RenderedMessage,
  RenderFailed,
} from '../../domain/campaign/index.ts';
import { Frame } from './frame.ts';
import { type HardLimit, OutOfTime } from './hard-limit.ts';
import { collapse } from './headers.ts';
import { reasonOf } from './liquid.ts';
import { HeaderWriter } from './message-headers.ts';
import { type BufferPool, CappedEmitter, MessageSink } from './message-sink.ts';
import { createPlanEngine, LinkWriter } from './plan-tags.ts';
import { compileText, Program } from './program.ts';
import { mayRunAway } from './runaway.ts';
import { MessageState } from './steps.ts';
import { usesOf } from './variables.ts';

/** What plans of one process share. */
export interface PlanSurroundings {
  readonly pool: BufferPool;
  readonly hardLimit: HardLimit;
}

/** Content compiled for one campaign; see program.ts for how a message is made. Not re-entrant: one message at a time. */
export class CompiledPlan implements MessagePlan {
  readonly links: readonly PlanLink[];
  private readonly surroundings: PlanSurroundings;
  private readonly parts: {
    readonly html: string | undefined;
    readonly text: string;
    readonly subject: string;
    readonly preheader: string;
  };
  private readonly frame: Frame;
  private readonly headers: HeaderWriter;
  private readonly htmlEngine: Liquid;
  private readonly textEngine: Liquid;
  private readonly text: Program;
  private readonly html: Program | undefined;
  private readonly subject: () => string;
  private readonly risky: boolean;
  private readonly sink = new MessageSink();
  private readonly state = new MessageState();
  private expected = 8_192;

  constructor(content: Content, context: PlanContext, assembled: AssembledParts, surroundings: PlanSurroundings) {
    this.links = assembled.links;
    this.surroundings = surroundings;
    const { html, text } = assembled;
    this.parts = { html, text, subject: content.subject, preheader: html === undefined ? '' : (content.preheader ?? '') };
    this.frame = new Frame(content, context);
    this.headers = new HeaderWriter(content, context, html !== undefined);
    const { frame, state } = this;
    const links = new LinkWriter(frame, assembled.slots, context.tracking);
    const tools = { frame, links, renderLimit: surroundings.hardLimit.milliseconds / 2 };
    this.htmlEngine = createPlanEngine('html', tools);
    this.textEngine = createPlanEngine('text', tools);

    const subjectTemplates = this.textEngine.parse(content.subject);
    const textTemplates = this.textEngine.parse(text);
    const htmlTemplates = html === undefined ? undefined : this.htmlEngine.parse(html);
    const bodies = assembled.slots.flatMap((_, position) => links.body(position) ?? []);
    this.risky = mayRunAway([...subjectTemplates, ...textTemplates, ...(htmlTemplates ?? []), ...bodies]);
    this.subject = this.compileSubject(subjectTemplates);
    this.text = new Program(textTemplates, { engine: this.textEngine, html: false, frame, links, state });
    this.html =
      htmlTemplates === undefined
        ? undefined
        : new Program(htmlTemplates, { engine: this.htmlEngine, html: true, frame, links, state });
  }

  compose(recipient: PlanRecipient): ComposedMessage {
    const { pool, hardLimit } = this.surroundings;
    const { sink } = this;
    this.frame.recipient = recipient;
    this.state.begin();
    sink.begin(pool.take(this.expected), hardLimit.milliseconds / 2);
    try {
      if (this.risky) hardLimit.run(() => this.write(recipient));
      else this.write(recipient);
    } catch (error) {
      pool.give(sink.target);
      throw renderFailed(error);
    }
    const buffer = sink.target;
    // The next buffer is large enough from the start, unless one huge value made this one large.
    if (sink.position > this.expected && sink.position < 500_000)
      this.expected = Math.ceil(sink.position / 4_096) * 4_096 + 4_096;
    let held = true;
    return {
      bytes: buffer.subarray(0, sink.position),
      release: () => {
        if (held) pool.give(buffer);
        held = false;
      },
    };
  }

  render(recipient: PlanRecipient): RenderedMessage {
    this.frame.recipient = recipient;
    const { html, text, subject, preheader } = this.parts;
    try {
      return this.surroundings.hardLimit.run(() => ({
        subject: collapse(this.plain(this.textEngine, subject)),
        preheader: collapse(this.plain(this.textEngine, preheader)),
        html: html === undefined ? undefined : this.plain(this.htmlEngine, html),
        text: this.plain(this.textEngine, text),
      }));
    } catch (error) {
      throw renderFailed(error);
    }
  }

  private write(recipient: PlanRecipient): void {
    const { sink, headers } = this;
    headers.open(sink, recipient, this.subject());
    sink.beginPart();
    this.text.run(sink);
    sink.endPart(this.html === undefined);
    if (this.html !== undefined) {
      headers.openHtml(sink);
      sink.beginPart();
      this.html.run(sink);
      sink.endPart(false);
      headers.close(sink);
    }
    if (recipient.own !== undefined) headers.closeFiles(sink, recipient.own.files);
  }

  private compileSubject(templates: Template[]): () => string {
    const fast = compileText(templates, { frame: this.frame, assigned: usesOf(templates).assigned, loops: [] });
    const slow = (): string => String(this.textEngine.renderSync(templates, this.frame.environment()));
    return fast === undefined ? slow : () => fast.read() ?? slow();
  }

  private plain(engine: Liquid, source: string): string {
    const context = new Context(this.frame.environment(), engine.options, { sync: true }, { liquid: engine });
    const emitter = new CappedEmitter();
    toValueSync(engine.renderer.renderTemplates(engine.parse(source), context, emitter));
    return emitter.buffer.replace(/\r\n?/g, '\n').toWellFormed();
  }
}

/** Whatever broke, as one reason for the ledger. */
function renderFailed(error: unknown): RenderFailed {
  if (error instanceof RenderFailed) return error;
  if (error instanceof OutOfTime) return new RenderFailed(`The template ran for too long and was ${error.message}.`);
  const original: unknown =
    typeof error === 'object' && error !== null && 'originalError' in error ? error.originalError : undefined;
  if (original instanceof RenderFailed) return original;
  if (error instanceof RangeError) return new RenderFailed('The template is nested too deeply or its output is too long.');
  return new RenderFailed(`The template fails for this recipient: ${reasonOf(error)}.`);
}
