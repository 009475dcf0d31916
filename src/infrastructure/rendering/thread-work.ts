import type { Liquid } from 'liquidjs';
import {
  type Content,
  ContentInvalid,
  type ContentProblem,
  type FinalContent,
  type PlanContext,
  type PlanRecipient,
  type RenderedMessage,
  RenderFailed,
} from '../../domain/campaign/index.ts';
import type { Assembled } from './assemble.ts';
import { examine } from './check.ts';
import { NOBODY } from './frame.ts';
import { HardLimit } from './hard-limit.ts';
import { createEngine, SourceReader } from './liquid.ts';
import { BufferPool } from './message-sink.ts';
import { CompiledPlan } from './plan.ts';

/** A plan's context without its functions, which cannot travel between threads. */
export interface ContextFacts extends Omit<PlanContext, 'tracking'> {
  readonly tracking?: Omit<NonNullable<PlanContext['tracking']>, 'linkToken'> | undefined;
}

/** Milliseconds for composing messages of a page of recipients, to find those whose data break the content. */
const FAULTS_MS = 1_000;

/**
 * Everything that reads content which may be hostile: it runs in a thread that is stopped when it takes too long. Nothing of
 * what it returns or throws holds a function.
 */
export class ThreadWork {
  private readonly reader = new SourceReader();
  private readonly engine: Liquid = createEngine('text');
  private readonly pool = new BufferPool();
  private readonly hardLimit: HardLimit;

  constructor(hardLimit: number) {
    this.hardLimit = new HardLimit(hardLimit);
  }

  async check(content: Content, facts: ContextFacts): Promise<readonly ContentProblem[]> {
    const context = contextOf(facts);
    const { problems, assembled } = await examine(this.reader, this.engine, content, context);
    if (assembled === undefined) return shortened(problems);
    return [...shortened(problems), ...trial(this.plan(content, context, assembled))];
  }

  /** @throws ContentInvalid */
  async freeze(content: Content, facts: ContextFacts): Promise<FinalContent> {
    const { problems, html, assembled } = await examine(this.reader, this.engine, content, contextOf(facts));
    if (assembled === undefined) throw new ContentInvalid(shortened(problems));
    if (html === undefined || html === content.source) return { content, parts: assembled };
    const frozen: Content = { ...content, kind: 'html', source: html, layout: 'none' };
    return { content: frozen, parts: await this.assemble(frozen, facts) };
  }

  /** @throws ContentInvalid */
  async assemble(content: Content, facts: ContextFacts): Promise<Assembled> {
    const { problems, assembled } = await examine(this.reader, this.engine, content, contextOf(facts));
    if (assembled === undefined) throw new ContentInvalid(shortened(problems));
    return assembled;
  }

  /** @throws ContentInvalid, RenderFailed */
  async preview(content: Content, facts: ContextFacts, recipient: PlanRecipient): Promise<RenderedMessage> {
    return this.plan(content, contextOf(facts), await this.assemble(content, facts)).render(recipient);
  }

  /**
   * Composes a message for each, as long as time allows.
   * @returns one answer for each that was tried: undefined, or what is wrong with their data
   * @throws ContentInvalid
   */
  async faults(content: Content, facts: ContextFacts, people: readonly PlanRecipient[]): Promise<(string | undefined)[]> {
    const plan = this.plan(content, contextOf(facts), await this.assemble(content, facts));
    const until = performance.now() + FAULTS_MS;
    const faults: (string | undefined)[] = [];
    for (const recipient of people) {
      faults.push(faultOf(plan, recipient));
      if (performance.now() > until) break;
    }
    return faults;
  }

  private plan(content: Content, context: PlanContext, assembled: Assembled): CompiledPlan {
    return new CompiledPlan(content, context, assembled, { pool: this.pool, hardLimit: this.hardLimit });
  }
}

/** A generated source repeats its fault a hundred thousand times; the first of them tell enough. */
const MOST_PROBLEMS = 100;

function shortened(problems: readonly ContentProblem[]): readonly ContentProblem[] {
  if (problems.length <= MOST_PROBLEMS) return problems;
  const errorsFirst = problems.toSorted((one, other) => Number(one.severity !== 'error') - Number(other.severity !== 'error'));
  const [shown, left] = [errorsFirst.slice(0, MOST_PROBLEMS), errorsFirst.slice(MOST_PROBLEMS)];
  const message = `${left.length} more problems are not shown. Correct these first.`;
  return [...shown, { severity: left[0]!.severity, code: 'content.more_problems', part: 'source', line: undefined, message }];
}

/** Nothing that is made in this thread leaves with a link token in it. */
function contextOf(facts: ContextFacts): PlanContext {
  if (facts.tracking === undefined) return { ...facts, tracking: undefined };
  return { ...facts, tracking: { ...facts.tracking, linkToken: (index) => `link-${index}` } };
}

function faultOf(plan: CompiledPlan, recipient: PlanRecipient): string | undefined {
  try {
    plan.compose(recipient).release();
    return undefined;
  } catch (error) {
    if (error instanceof RenderFailed) return error.message;
    throw error;
  }
}

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
