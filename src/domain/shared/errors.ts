/**
 * The one root of every error that the domain throws on purpose. Subclasses stand beside the class that throws them,
 * and `code` is a stable word that API clients may rely on (`campaign.not_editable`); `docs/reference/errors.md` lists them all.
 */
export abstract class DomainError extends Error {
  /** Stable, dotted, lower case: `<context>.<what>`. */
  abstract readonly code: string;
  /** What the caller can do about it; adapters map it to their own idea of status or exit code. */
  abstract readonly kind: ErrorKind;
  /** JSON pointer (RFC 6901) to the field at fault, where there is one. */
  readonly pointer: string | undefined;

  constructor(message: string, pointer?: string) {
    super(message);
    this.name = new.target.name;
    this.pointer = pointer;
  }
}

/** `invalid`: the input is wrong. `missing`: no such thing (here). `conflict`: not in this state. `forbidden`: not with this key. `limited`: slow down. `unavailable`: try later. */
export type ErrorKind = 'invalid' | 'missing' | 'conflict' | 'forbidden' | 'unauthenticated' | 'limited' | 'unavailable';

/** Input that breaks a rule; `pointer` names the field. */
export class InvalidInput extends DomainError {
  readonly code = 'input.invalid';
  readonly kind = 'invalid';
}

/** Something named by id or address that does not exist in this project. */
export class NotFound extends DomainError {
  readonly code = 'resource.not_found';
  readonly kind = 'missing';
  constructor(what: string, id: string) {
    super(`There is no ${what} ${id} in this project.`);
  }
}
