import {
  type Context,
  type Emitter,
  type Liquid,
  Tag,
  type TagToken,
  type Template,
  type TopLevelToken,
  toValueSync,
} from 'liquidjs';
import { type PlacedLink, type PlanContext, RenderFailed } from '../../domain/campaign/index.ts';
import { LONGEST_TRACKED_TARGET } from '../../domain/tracking/index.ts';
import { isLabel, type Label, labelFor } from './footer.ts';
import type { Frame } from './frame.ts';
import { isAppLink, webTarget } from './link-target.ts';
import { createEngine, type Escaping } from './liquid.ts';

/**
 * The three tags that stand in a compiled template where pennypost inserts something: a link, the open pixel's address, a word
 * of the footer. Authors cannot write them: their source is parsed by an engine that does not know them.
 */
export interface PlanTools {
  readonly frame: Frame;
  readonly links: LinkWriter;
  /** Milliseconds, see `createEngine`. */
  readonly renderLimit: number;
}

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (mark) =>
    mark === '&' ? '&amp;' : mark === '<' ? '&lt;' : mark === '>' ? '&gt;' : mark === '"' ? '&#34;' : '&#39;',
  );

/** Link tokens of dynamic targets kept per plan: about 300 kB. */
const TOKEN_CACHE = 1_000;

/** What stands before and behind the click token of a tracked link, or the whole of an untracked one. */
export interface FixedLink {
  readonly before: string;
  readonly after: string | undefined;
}

/** Makes the address that a link leads to, in either part. */
export class LinkWriter {
  private readonly frame: Frame;
  private readonly slots: readonly PlacedLink[];
  /** Absent: links stay as they are. */
  private readonly tracking: PlanContext['tracking'];
  /** What stands before the open token in the pixel's address. */
  readonly openUrl: string;
  private readonly bodies: readonly (readonly Template[] | undefined)[];
  private readonly engine: Liquid;
  /** The link token depends on index and target only, and many recipients share a target. */
  private readonly tokens = new Map<string, string>();

  constructor(frame: Frame, slots: readonly PlacedLink[], tracking: PlanContext['tracking']) {
    this.frame = frame;
    this.slots = slots;
    this.tracking = tracking?.clicks === true ? tracking : undefined;
    this.openUrl = `${tracking?.baseUrl ?? ''}/o/`;
    this.engine = createEngine('text');
    this.bodies = slots.map((slot) => (slot.dynamic ? this.engine.parse(slot.target) : undefined));
  }

  /** A static link. */
  fixed(position: number, html: boolean): FixedLink | undefined {
    const slot = this.slots[position];
    if (slot === undefined || slot.dynamic) return undefined;
    if (this.tracking === undefined || slot.index === undefined) {
      // Line breaks inside a URL, which browsers ignore, would cut it in two in a text.
      const text = (): string => webTarget(slot.target) ?? slot.target;
      return { before: html ? slot.written.replaceAll('"', '&#34;') : text(), after: undefined };
    }
    return this.tracked(this.tracking, slot.index, webTarget(slot.target) ?? slot.target, html);
  }

  /** A dynamic link that rendered to an address which is the same in every message; undefined for other links. */
  settled(position: number, rendered: string, html: boolean): FixedLink | undefined {
    const slot = this.slots[position];
    const target = webTarget(rendered);
    if (slot === undefined || target === undefined) return undefined;
    if (this.tracking === undefined || slot.index === undefined || target.length > LONGEST_TRACKED_TARGET) {
      return { before: html ? escapeHtml(target) : target, after: undefined };
    }
    return this.tracked(this.tracking, slot.index, target, html);
  }

  private tracked(tracking: NonNullable<PlanContext['tracking']>, index: number, target: string, html: boolean): FixedLink {
    const quote = html ? escapeHtml : String;
    return { before: quote(`${tracking.baseUrl}/c/`), after: quote(`/${tracking.linkToken(index, target)}`) };
  }

  /** The Liquid of a dynamic link. */
  body(position: number): readonly Template[] | undefined {
    return this.bodies[position];
  }

  /**
   * The address for what the Liquid of a dynamic link rendered to.
   * @throws RenderFailed when that is not an address that may be sent
   */
  follow(position: number, rendered: string): string {
    const slot = this.slots[position]!;
    const trimmed = rendered.trim();
    if (trimmed === this.frame.recipient.unsubscribeUrl) return trimmed;
    const target = webTarget(trimmed);
    if (target === undefined) {
      if (trimmed.startsWith('#') || isAppLink(trimmed)) return trimmed;
      const became = trimmed === '' ? 'is empty' : `becomes "${trimmed.slice(0, 80)}", which is not an http or https address`;
      throw new RenderFailed(`The link ${slot.target.slice(0, 80)} ${became} for this recipient.`);
    }
    if (this.tracking === undefined || slot.index === undefined || target.length > LONGEST_TRACKED_TARGET) return target;
    const key = `${slot.index} ${target}`;
    let token = this.tokens.get(key);
    if (token === undefined) {
      token = this.tracking.linkToken(slot.index, target);
      if (this.tokens.size >= TOKEN_CACHE) this.tokens.clear();
      this.tokens.set(key, token);
    }
    return `${this.tracking.baseUrl}/c/${this.frame.recipient.clickToken}/${token}`;
  }

  /** The plain way, for a tag deep inside others and for previews. */
  address(position: number, html: boolean, context: Context): string {
    const fixed = this.fixed(position, html);
    if (fixed !== undefined)
      return fixed.after === undefined ? fixed.before : fixed.before + this.frame.recipient.clickToken + fixed.after;
    const rendered: unknown = toValueSync(this.engine.renderer.renderTemplates([...(this.bodies[position] ?? [])], context));
    const address = this.follow(position, String(rendered));
    return html ? escapeHtml(address) : address;
  }
}

export abstract class LinkTag extends Tag {
  abstract readonly position: number;
}
export abstract class OpenTag extends Tag {}
export abstract class LabelTag extends Tag {
  abstract readonly label: Label;
}

/** The engine for compiled templates of one plan: `html` or `text`, with the three tags. */
export function createPlanEngine(escaping: Escaping, tools: PlanTools): Liquid {
  const engine = createEngine(escaping, tools.renderLimit);
  const html = escaping === 'html';
  const { frame, links } = tools;
  engine.registerTag(
    'pennypost_link',
    class extends LinkTag {
      readonly position: number;
      constructor(token: TagToken, rest: TopLevelToken[], liquid: Liquid) {
        super(token, rest, liquid);
        this.position = Number(token.args);
      }
      render(context: Context, emitter: Emitter): void {
        emitter.write(links.address(this.position, html, context));
      }
    },
  );
  engine.registerTag(
    'pennypost_open',
    class extends OpenTag {
      render(_context: Context, emitter: Emitter): void {
        emitter.write(links.openUrl + frame.recipient.openToken);
      }
    },
  );
  engine.registerTag(
    'pennypost_label',
    class extends LabelTag {
      readonly label: Label;
      constructor(token: TagToken, rest: TopLevelToken[], liquid: Liquid) {
        super(token, rest, liquid);
        const name = token.args.trim();
        this.label = isLabel(name) ? name : 'unsubscribe';
      }
      render(_context: Context, emitter: Emitter): void {
        emitter.write(readLabel(this.label, frame));
      }
    },
  );
  return engine;
}

/** The footer's word in the language of the recipient at hand. */
export function readLabel(label: Label, frame: Frame): string {
  const subscriber: unknown = frame.recipient.variables.subscriber;
  const locale = typeof subscriber === 'object' && subscriber !== null && 'locale' in subscriber ? subscriber.locale : undefined;
  return labelFor(label, locale);
}
