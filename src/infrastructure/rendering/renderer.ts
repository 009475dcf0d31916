/**
 * Rendering: MJML, HTML or plain text with Liquid, compiled once per campaign into a plan that writes one whole message per
 * recipient (header, text part, HTML part, quoted-printable) into a reused buffer.
 *
 * What a template can and cannot do: the whole Liquid language of liquidjs, without includes and files; 1,000,000 characters
 * of source and of each rendered part; 1 s by liquidjs' own clock and 2 s by a hard stop; only own properties of the data it
 * is given. A recipient whose data break the template gets RenderFailed, and only that recipient.
 *
 * Standards: RFC 5322 (header, 998 octets a line), RFC 2045 and 2046 (MIME), RFC 2047 (encoded words), RFC 6532 (raw UTF-8
 * in To for SMTPUTF8 recipients only), RFC 8058 (one-click unsubscribe).
 */
import {
  type Content,
  ContentInvalid,
  type ContentProblem,
  type FinalContent,
  type PlanContext,
  type PlanRecipient,
  type RenderedMessage,
  type Renderer,
} from '../../domain/campaign/index.ts';
import { HardLimit } from './hard-limit.ts';
import { HARD_LIMIT } from './liquid.ts';
import { BufferPool } from './message-sink.ts';
import { CompiledPlan } from './plan.ts';
import { PlanCache } from './plan-cache.ts';
import { RenderingThreads, ThreadOverrun } from './rendering-thread.ts';
import type { ContextFacts } from './thread-work.ts';

export interface RendererOptions {
  /** Milliseconds after which a template that runs for one message is stopped from outside; 2,000 by default. */
  readonly hardLimit?: number;
  /** Milliseconds for checking, compiling or previewing one content; 10,000 by default. */
  readonly timeLimit?: number;
  /** Megabytes for the same; 256 by default. */
  readonly memoryLimit?: number;
}

export class MjmlRenderer implements Renderer {
  private readonly pool = new BufferPool();
  private readonly plans = new PlanCache();
  private readonly hardLimit: HardLimit;
  private readonly timeLimit: number;
  private readonly threads: RenderingThreads;

  constructor(options: RendererOptions = {}) {
    const { hardLimit = HARD_LIMIT, timeLimit = 10_000, memoryLimit = 256 } = options;
    this.hardLimit = new HardLimit(hardLimit);
    this.timeLimit = timeLimit;
    this.threads = new RenderingThreads({ time: timeLimit, memory: memoryLimit, hardLimit });
  }

  async check(content: Content, context: PlanContext): Promise<readonly ContentProblem[]> {
    try {
      return await this.threads.run(projectOf(context), 'check', withLineFeeds(content), factsOf(context));
    } catch (error) {
      if (error instanceof ThreadOverrun) return [this.overrun(error)];
      throw error;
    }
  }

  async freeze(content: Content, context: PlanContext): Promise<FinalContent> {
    const unified = withLineFeeds(content);
    return this.strictly(this.threads.run(projectOf(context), 'freeze', unified, factsOf(context)));
  }

  compileFrozen({ content, parts }: FinalContent, context: PlanContext): CompiledPlan {
    return new CompiledPlan(content, context, parts, { pool: this.pool, hardLimit: this.hardLimit });
  }

  /** Plans without links of their own are kept: transactional content is compiled once, not once per message. */
  compile(content: Content, context: PlanContext): Promise<CompiledPlan> {
    if (context.tracking !== undefined) return this.build(content, context);
    return this.plans.get(content, factsOf(context), () => this.build(content, context));
  }

  preview(content: Content, context: PlanContext, recipient: PlanRecipient): Promise<RenderedMessage> {
    const unified = withLineFeeds(content);
    return this.strictly(this.threads.run(projectOf(context), 'preview', unified, factsOf(context), recipient));
  }

  faults(content: Content, context: PlanContext, people: readonly PlanRecipient[]): Promise<readonly (string | undefined)[]> {
    const unified = withLineFeeds(content);
    return this.strictly(this.threads.run(projectOf(context), 'faults', unified, factsOf(context), people));
  }

  close(): Promise<void> {
    return this.threads.close();
  }

  private async build(content: Content, context: PlanContext): Promise<CompiledPlan> {
    const unified = withLineFeeds(content);
    const assembled = await this.strictly(this.threads.run(projectOf(context), 'assemble', unified, factsOf(context)));
    return new CompiledPlan(unified, context, assembled, { pool: this.pool, hardLimit: this.hardLimit });
  }

  private async strictly<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof ThreadOverrun) throw new ContentInvalid([this.overrun(error)]);
      throw error;
    }
  }

  private overrun({ what }: ThreadOverrun): ContentProblem {
    const message =
      what === 'time'
        ? `Processing the content took longer than ${this.timeLimit / 1_000} s and was stopped. Make it smaller, or its loops and styles simpler.`
        : 'Processing the content took too much memory and was stopped. Make it smaller, or its loops and lists simpler.';
    return { severity: 'error', code: 'content.too_complex', part: 'source', line: undefined, message };
  }
}

export const createRenderer = (options?: RendererOptions): MjmlRenderer => new MjmlRenderer(options);

/** Threads are shared out by this. */
const projectOf = (context: PlanContext): string => context.project.senderDomain;

function factsOf(context: PlanContext): ContextFacts {
  const { project, tracking } = context;
  const { name, postalAddress, senderDomain } = project;
  return {
    ...context,
    // What is given may be the whole aggregate.
    project: { name, postalAddress, senderDomain },
    tracking:
      tracking === undefined ? undefined : { baseUrl: tracking.baseUrl, openPixel: tracking.openPixel, clicks: tracking.clicks },
  };
}

/** One kind of line end, so that positions, lines and both ways of rendering agree. */
function withLineFeeds(content: Content): Content {
  const unify = (text: string): string => text.replace(/\r\n?/g, '\n');
  return {
    ...content,
    source: unify(content.source),
    subject: unify(content.subject),
    ...(content.text === undefined ? {} : { text: unify(content.text) }),
    ...(content.preheader === undefined ? {} : { preheader: unify(content.preheader) }),
  };
}
