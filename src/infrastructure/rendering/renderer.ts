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
import type { Liquid } from 'liquidjs';
import {
  type Content,
  ContentInvalid,
  type ContentProblem,
  type PlanContext,
  type Renderer,
  RenderFailed,
} from '../../domain/campaign/index.ts';
import { examine } from './check.ts';
import { NOBODY } from './frame.ts';
import { HardLimit } from './hard-limit.ts';
import { createEngine, HARD_LIMIT, SourceReader } from './liquid.ts';
import { BufferPool } from './message-sink.ts';
import { CompiledPlan } from './plan.ts';

export interface RendererOptions {
  /** Milliseconds after which a runaway template is stopped from outside; 2,000 by default. */
  readonly hardLimit?: number;
}

export class MjmlRenderer implements Renderer {
  private readonly reader = new SourceReader();
  private readonly engine: Liquid = createEngine('text');
  private readonly pool = new BufferPool();
  private readonly hardLimit: HardLimit;

  constructor(options: RendererOptions = {}) {
    this.hardLimit = new HardLimit(options.hardLimit ?? HARD_LIMIT);
  }

  async check(content: Content, context: PlanContext): Promise<readonly ContentProblem[]> {
    const unified = withLineFeeds(content);
    const { problems, assembled } = await examine(this.reader, this.engine, unified, context);
    if (assembled === undefined) return problems;
    const plan = new CompiledPlan(unified, context, assembled, { pool: this.pool, hardLimit: this.hardLimit });
    return [...problems, ...trial(plan)];
  }

  async freeze(content: Content, context: PlanContext): Promise<Content> {
    const { problems, html, assembled } = await examine(this.reader, this.engine, withLineFeeds(content), context);
    if (assembled === undefined) throw new ContentInvalid(problems);
    return html === undefined ? content : { ...content, kind: 'html', source: html };
  }

  async compile(content: Content, context: PlanContext): Promise<CompiledPlan> {
    const unified = withLineFeeds(content);
    const { problems, assembled } = await examine(this.reader, this.engine, unified, context);
    if (assembled === undefined) throw new ContentInvalid(problems);
    return new CompiledPlan(unified, context, assembled, { pool: this.pool, hardLimit: this.hardLimit });
  }
}

export const createRenderer = (options?: RendererOptions): MjmlRenderer => new MjmlRenderer(options);

/** Some faults show only when a template runs: a filter without its argument, a loop without end. */
function trial(plan: CompiledPlan): ContentProblem[] {
  try {
    plan.render(NOBODY);
    return [];
  } catch (error) {
    if (!(error instanceof RenderFailed)) throw error;
    const message = `With nothing but the defaults, rendering fails: ${error.message}`;
    return [{ severity: 'warning', code: 'template.trial_failed', part: 'source', line: undefined, message }];
  }
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
