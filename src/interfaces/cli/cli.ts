import { type Command, Option } from 'commander';
import { type Application, type Moment, type Project, parseMoment } from '../../application/application.ts';
import { closing } from '../../domain/shared/clean-up.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import type { Interruption } from './interruption.ts';
import type { Output } from './output.ts';
import type { Instance, OpenWish, Workbench } from './workbench.ts';

export type { Project };

/** What every command gets: where to say things, what to work with, when to stop. */
export interface Cli {
  readonly output: Output;
  readonly workbench: Workbench;
  readonly interruption: Interruption;
  readonly clock: { now(): Date; monotonic(): number };
  readonly stdin: AsyncIterable<Uint8Array>;
  /** `--project`, as it was given. */
  readonly projectWish: () => string | undefined;
  /** Ends the command with this status, when everything went as asked and the answer is still not a success. */
  readonly endWith: (status: number) => void;
}

/** Opens an instance for as long as `work` lasts. */
export async function withInstance<T>(cli: Cli, work: (instance: Instance) => Promise<T>, wish: OpenWish = {}): Promise<T> {
  const instance = await cli.workbench.open(wish);
  return closing(
    () => work(instance),
    () => instance.close(),
  );
}

/** The same, with the project that `--project` names, or the only one. */
export function inProject<T>(
  cli: Cli,
  work: (application: Application, project: Project, instance: Instance) => Promise<T>,
  wish?: OpenWish,
): Promise<T> {
  return withInstance(
    cli,
    async (instance) => {
      const project = await instance.application.projects.get(cli.projectWish());
      cli.output.showTimesIn(project.timeZone);
      return work(instance.application, project, instance);
    },
    wish,
  );
}

/** An option whose values `--help` lists. The command refuses other values itself and says which ones it takes. */
export const choice = (flags: string, description: string, values: readonly string[]): Option =>
  new Option(flags, description).choices(values).argParser((value) => value);

/** Shown under a command's options by `--help`. */
export function example(command: Command, ...lines: readonly string[]): Command {
  const heading = lines.length === 1 ? 'Example:' : 'Examples:';
  return command.addHelpText('after', `\n${heading}\n${lines.map((line) => `  $ ${line}`).join('\n')}`);
}

/** `name=value` pairs of a repeatable option. @throws InvalidInput */
export function pairs(texts: readonly string[], option: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new InvalidInput(`${option} must be name=value, not "${text.slice(0, 60)}".`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** Gathers the values of an option that may be given several times. */
export const gather = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** @throws InvalidInput unless it is a whole number of the range */
export function whole(text: string, option: string, least: number, most: number): number {
  const number = Number(text);
  if (!/^\d{1,10}$/.test(text) || number < least || number > most)
    throw new InvalidInput(
      `${option} must be a whole number from ${least} to ${most.toLocaleString('en-US')}, not "${text.slice(0, 40)}".`,
    );
  return number;
}

/** A time as `parseMoment` reads it, named for the option at fault. @throws InvalidInput */
export function moment(text: string, option: string): Moment {
  try {
    return parseMoment(text);
  } catch (error) {
    throw error instanceof InvalidInput ? new InvalidInput(`${option}: ${error.message}`) : error;
  }
}

/** `--limit` and `--after`, which every listing has. */
export function paged(command: Command): Command {
  return command
    .option('--limit <number>', 'Number of items to show, 1 to 500.', '50')
    .option('--after <cursor>', 'Cursor that the previous page printed; continues after that page.');
}

export interface PageOptions {
  readonly limit: string;
  readonly after?: string;
}

export const pageOf = (options: PageOptions) => ({
  limit: whole(options.limit, '--limit', 1, 500),
  after: options.after,
});

/** A page as JSON, or as a table with a line on how to go on. */
export function resultPage<Item, Shown>(
  cli: Cli,
  page: { readonly items: readonly Item[]; readonly next: string | undefined },
  shape: (item: Item) => Shown,
  table: (items: readonly Shown[]) => string,
): void {
  const items = page.items.map(shape);
  cli.output.result({ items, next: page.next ?? null }, () =>
    page.next === undefined ? table(items) : `${table(items)}\n\nMore: --after ${page.next}`,
  );
}
