import { createHash } from 'node:crypto';
import type { Content } from '../../domain/campaign/index.ts';
import type { CompiledPlan } from './plan.ts';
import type { ContextFacts } from './thread-work.ts';

/** Characters of content whose plans are kept: about 100 templates as they are usual, and some 100 MB at the worst. */
const MOST_CHARACTERS = 8_000_000;

/**
 * Plans of transactional content, compiled once per version: the key is what they are compiled from. The one that was not used
 * for the longest time goes first.
 */
export class PlanCache {
  readonly #plans = new Map<string, { readonly plan: Promise<CompiledPlan>; readonly characters: number }>();
  #characters = 0;

  get(content: Content, context: ContextFacts, compile: () => Promise<CompiledPlan>): Promise<CompiledPlan> {
    const written = JSON.stringify([content, context]);
    const key = createHash('sha256').update(written).digest('base64');
    const known = this.#plans.get(key);
    if (known !== undefined) {
      this.#plans.delete(key);
      this.#plans.set(key, known);
      return known.plan;
    }
    const plan = compile();
    this.#plans.set(key, { plan, characters: written.length });
    this.#characters += written.length;
    plan.catch(() => this.#forget(key));
    for (const oldest of this.#plans.keys()) {
      if (this.#characters <= MOST_CHARACTERS) break;
      this.#forget(oldest);
    }
    return plan;
  }

  #forget(key: string): void {
    this.#characters -= this.#plans.get(key)?.characters ?? 0;
    this.#plans.delete(key);
  }
}
