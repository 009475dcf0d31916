import type { Content, PlanContext, PlanRecipient } from '../../domain/campaign/index.ts';

/** Reads one value of the message at hand. */
export type Read = () => unknown;

type Values = Readonly<Record<string, unknown>>;

/** A recipient without data. */
export const NOBODY: PlanRecipient = {
  address: '',
  smtputf8: false,
  variables: {},
  messageId: '',
  date: new Date(0),
  clickToken: '',
  openToken: '',
  unsubscribeUrl: '',
};

/** What a recipient lacks is what Liquid's own filter `default` would replace: nothing, null, the empty string. */
const lacking = (value: unknown): boolean => value === undefined || value === null || value === '';

/** What liquidjs reads of a value under `ownPropertyOnly`. */
export const own = (value: unknown, key: string): unknown =>
  value !== null && value !== undefined && Object.hasOwn(Object(value), key) ? (value as Values)[key] : undefined;

/**
 * The variables of the message that is being composed. Two ways in: `reader` resolves a path once per plan into a closure,
 * and `environment` makes the whole object that liquidjs looks into. Ours win over attributes of the same name, so that
 * no attribute named `unsubscribe_url` replaces the real one.
 */
export class Frame {
  recipient: PlanRecipient = NOBODY;
  private readonly defaults: Values;
  private readonly constants: Values;
  private readonly defaultNames: readonly string[];

  constructor(content: Content, context: PlanContext) {
    this.defaults = content.defaults;
    this.defaultNames = Object.keys(content.defaults);
    this.constants = {
      project: { name: context.project.name },
      campaign: { ...context.campaign },
      postal_address: context.project.postalAddress,
    };
  }

  /** The value of a path that is the same in every message of the plan, as `{ value }`. */
  constant(path: readonly string[]): { readonly value: unknown } | undefined {
    const [root, ...rest] = path;
    if (root === undefined || !Object.hasOwn(this.constants, root)) return undefined;
    return { value: rest.reduce(own, this.constants[root]) };
  }

  /** A closure for a path of plain names. */
  reader(path: readonly string[]): Read {
    const [root = '', ...rest] = path;
    const constant = this.constant(path);
    if (constant !== undefined) return () => constant.value;
    if (root === 'unsubscribe_url') return () => rest.reduce(own, this.recipient.unsubscribeUrl as unknown);
    if (root === 'message_id') return () => rest.reduce(own, this.recipient.messageId as unknown);
    if (root === 'subscriber') {
      const [second, third, ...deeper] = rest;
      if (second === 'attributes' && third !== undefined) {
        return () =>
          deeper.reduce(own, this.orDefault(own(own(this.recipient.variables.subscriber, 'attributes'), third), third));
      }
      return () => rest.reduce(own, this.recipient.variables.subscriber);
    }
    if (rest.length === 0) return () => this.orDefault(own(this.recipient.variables, root), root);
    return () => rest.reduce(own, this.orDefault(own(this.recipient.variables, root), root));
  }

  /** Everything by name, fresh for one render: `increment` writes into it. */
  environment(): Record<string, unknown> {
    const { variables, unsubscribeUrl, messageId } = this.recipient;
    const subscriber = variables.subscriber;
    const environment: Record<string, unknown> = this.filled(variables);
    environment.subscriber =
      typeof subscriber === 'object' && subscriber !== null
        ? { ...subscriber, attributes: this.filled((own(subscriber, 'attributes') ?? {}) as Values) }
        : subscriber;
    return Object.assign(environment, this.constants, { unsubscribe_url: unsubscribeUrl, message_id: messageId });
  }

  private filled(values: Values): Record<string, unknown> {
    const filled: Record<string, unknown> = { ...values };
    for (const name of this.defaultNames) if (lacking(own(values, name))) filled[name] = this.defaults[name];
    return filled;
  }

  private orDefault(value: unknown, name: string): unknown {
    return lacking(value) ? (own(this.defaults, name) ?? value) : value;
  }
}
