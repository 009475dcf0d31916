import type { Attempt, OutgoingMessage, TransportCapabilities, TransportKind } from '../../../domain/delivery/index.ts';
import type { HttpAnswer, HttpRequest } from '../../network/http-client.ts';

/** A request to a provider, without what belongs to one connection. */
export type ProviderCall = Omit<HttpRequest, 'onStart'>;

/** The HTTP API of one provider. `M` is a message in the form that the API takes. */
export interface Provider<M> {
  readonly kind: TransportKind;
  /** `https://api.example.com`. */
  readonly origin: string;
  readonly capabilities: TransportCapabilities;
  /** Most bytes of one message, as composed. */
  readonly maxMessageBytes: number;
  /** Credentials, which no reply and no error repeats. */
  readonly secrets: readonly string[];
  /** True when the same call with the same body can be made again after a lost answer without a second copy. */
  readonly repeatable: boolean;
  /** A message that cannot share a call with others. Default: every message can. */
  readonly goesAlone?: ((message: M) => boolean) | undefined;
  /** @throws MessageNotConvertible */
  prepare(message: OutgoingMessage): M | Promise<M>;
  /** One call for these messages, at most `capabilities.batchSize`. */
  call(messages: readonly M[]): ProviderCall | Promise<ProviderCall>;
  /** How the attempt of each message ended, in the order of the call. */
  read(answer: HttpAnswer, messages: readonly M[]): readonly Attempt[];
  readonly check: CredentialCheck;
}

/** A call that shows without mail whether the credentials are accepted. */
export interface CredentialCheck {
  call(): ProviderCall | Promise<ProviderCall>;
  /** @returns what is wrong, or undefined when the credentials are accepted */
  read(answer: HttpAnswer): string | undefined;
}

/** The message is not one that this provider can take; no other message is concerned. */
export class MessageNotConvertible extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MessageNotConvertible';
  }
}

export const jsonBody = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value), 'utf8');

/** A JSON value from outside, or undefined where the text is not JSON. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A field of a JSON object from outside; undefined for anything else. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name);
}

/** Text or a number as text; otherwise empty. */
export const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
