import {
  CaptureTag,
  type Context,
  type Emitter,
  Liquid,
  LiquidError,
  type LiquidErrors,
  type LiquidOptions,
  Tag,
  type TagToken,
  type Template,
  type TopLevelToken,
} from 'liquidjs';
import { useRubyDates } from './liquid-dates.ts';
import { bounded, boundLists, filterNamed, type SyntaxProblem, tooMuch } from './liquid-limits.ts';
import { PART_LIMIT, toText } from './message-sink.ts';

/**
 * The one set-up of liquidjs for untrusted templates. No files (`templates: {}` replaces the default file system,
 * which reads the working directory), no prototypes, unknown filters refused. The limits of liquidjs are cooperative: it
 * looks at the clock between two tags and counts what most filters allocate; HardLimit stops what slips through.
 */
const SETUP = {
  templates: {},
  ownPropertyOnly: true,
  strictFilters: true,
  strictVariables: false,
  /** Characters of one source; a part cannot become longer anyway. Gmail cuts HTML at 102 kB, so this is room enough. */
  parseLimit: PART_LIMIT,
  /** Characters and list elements that filters may make in one render. */
  memoryLimit: 10_000_000,
  /** Dates come out the same on every machine. */
  timezoneOffset: 0,
  locale: 'en-US',
} as const satisfies LiquidOptions;

/** Milliseconds of one render after which it is stopped from outside; generous, because a busy machine may suspend the process for a while. */
export const HARD_LIMIT = 2_000;

/** `html` escapes what `{{ }}` prints; `text` prints it as it is (text part, subject, link targets). */
export type Escaping = 'html' | 'text';

/** @param renderLimit milliseconds until liquidjs stops by itself; half of the hard limit, so that it comes first where it can */
export function createEngine(escaping: Escaping, renderLimit: number = HARD_LIMIT / 2): Liquid {
  const engine = new Liquid({
    ...SETUP,
    renderLimit,
    templates: {},
    outputEscape: escaping === 'html' ? bounded(filterNamed('escape')) : toText,
  });
  refuseFiles(engine);
  engine.registerTag('capture', BoundedCaptureTag);
  useRubyDates(engine);
  boundLists(engine);
  return engine;
}

/** Parses an author's source to find its faults. */
export class SourceReader {
  private readonly first = createReader(false);
  private readonly all = createReader(true);

  /** Never throws: at most 20 problems, or the templates. */
  parse(source: string): { readonly templates: readonly Template[]; readonly problems: readonly SyntaxProblem[] } {
    try {
      const excess = tooMuch(this.first, source);
      if (excess !== undefined) return { templates: [], problems: [excess] };
      const engine = source.length <= ALL_ERRORS ? this.all : this.first;
      return { templates: engine.parse(source), problems: [] };
    } catch (error) {
      return { templates: [], problems: flatten(error).slice(0, 20).map(toProblem) };
    }
  }
}

/** Every error that liquidjs reports costs it a walk over the source, so a long source is read to its first error only. */
const ALL_ERRORS = 20_000;

function createReader(catchAllErrors: boolean): Liquid {
  const engine = new Liquid({ ...SETUP, templates: {}, catchAllErrors });
  refuseFiles(engine);
  return engine;
}

function refuseFiles(engine: Liquid): void {
  for (const name of ['include', 'render', 'layout', 'block']) engine.registerTag(name, RefusedTag);
}

class RefusedTag extends Tag {
  constructor(token: TagToken, rest: TopLevelToken[], liquid: Liquid) {
    super(token, rest, liquid);
    throw new Error(`the tag "${token.name}" is not available: a message is a single template without includes`);
  }
  render(): void {
    throw new Error('not available');
  }
}

/** liquidjs does not count what is captured: 30 captures of a doubled value would fill the memory. */
class BoundedCaptureTag extends CaptureTag {
  override *render(context: Context): Generator<unknown, void, string> {
    const emitter = new CaptureEmitter(context);
    yield this.liquid.renderer.renderTemplates(this.templates, context, emitter);
    const scope: Record<string, unknown> = context.bottom();
    scope[this.variable] = emitter.buffer;
  }
}

class CaptureEmitter implements Emitter {
  buffer = '';
  private readonly context: Context;
  constructor(context: Context) {
    this.context = context;
  }
  write(value: unknown): void {
    const text = toText(value);
    this.context.memoryLimit.use(text.length);
    this.buffer += text;
  }
}

const isMany = (error: unknown): error is LiquidErrors =>
  LiquidError.is(error) && 'errors' in error && Array.isArray(error.errors);

/** `{% liquid %}` wraps the errors of its own lines. */
function flatten(error: unknown): unknown[] {
  return isMany(error) ? error.errors.flatMap(flatten) : [error];
}

function toProblem(error: unknown): SyntaxProblem {
  if (error instanceof RangeError) return { line: undefined, message: 'tags are nested too deeply' };
  return { line: lineOf(error), message: reasonOf(error) };
}

/** 1-based line of a Liquid error in the text that was parsed. */
function lineOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('token' in error)) return undefined;
  const { token } = error;
  if (typeof token !== 'object' || token === null || !('getPosition' in token) || typeof token.getPosition !== 'function')
    return undefined;
  const position: unknown = token.getPosition();
  return Array.isArray(position) && typeof position[0] === 'number' ? position[0] : undefined;
}

/** What went wrong, without the place in a text that the author never saw. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/, line:\d+, col:\d+$/, '').slice(0, 300);
}
