/**
 * What recipients do with their mail, over HTTP and with nothing but what stands in the messages: mail programs load the pixel,
 * people follow links, mail providers post the one-click unsubscribe (RFC 8058). Who does what is decided by counting, so that
 * the same number of recipients always gives the same figures.
 */
import type { InboxMessage, ReadableInbox } from '../../web/readable-inbox.ts';

/** Numbers of distinct recipients that acted, counted on their side. */
export interface Acted {
  readonly opened: number;
  readonly clicked: number;
  readonly unsubscribed: number;
}

/** Shares of the recipients, as a letter among friends has them. */
const OPENED = 0.46;
const CLICKED = 0.17;
const UNSUBSCRIBED = 0.012;
const AT_ONCE = 16;

const MAIL_PROGRAMS = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.3.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
];

interface Letter {
  readonly pixel: string;
  readonly links: readonly string[];
  readonly unsubscribe: string;
}

/**
 * @param messages ids of one message per recipient, in an order that does not change from run to run
 * @param baseUrl the beginning of every link of this instance
 */
export async function act(inbox: ReadableInbox, messages: readonly string[], baseUrl: string): Promise<Acted> {
  const openers = evenly(messages, OPENED);
  const clickers = new Set(evenly(openers, CLICKED / OPENED));
  const leavers = new Set(evenly(openers, UNSUBSCRIBED / OPENED));
  const waiting = openers.entries();
  const work = async (): Promise<void> => {
    for (const [index, id] of waiting) {
      const message = await inbox.get(id);
      if (message === undefined) throw new Error(`Message ${id} is no longer in the inbox.`);
      const letter = read(message, baseUrl);
      const agent = MAIL_PROGRAMS[index % MAIL_PROGRAMS.length]!;
      await open(letter.pixel, agent);
      // Every fifth reads it again later: a person counts once, an open twice.
      if (index % 5 === 0) await open(letter.pixel, agent);
      if (clickers.has(id)) await click(letter, index, agent);
      if (leavers.has(id)) await leave(letter.unsubscribe);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { opened: openers.length, clicked: clickers.size, unsubscribed: leavers.size };
}

/** That share of them, spread evenly; at least one. */
function evenly<T>(all: readonly T[], share: number): readonly T[] {
  const wanted = Math.min(all.length, Math.max(1, Math.round(all.length * share)));
  return all.filter((_, index) => Math.floor(((index + 1) * wanted) / all.length) > Math.floor((index * wanted) / all.length));
}

/** @throws Error that names what a message lacks: then it was not composed as it should be */
function read(message: InboxMessage, baseUrl: string): Letter {
  const lacks = (what: string): Error => new Error(`The message to ${message.to} has no ${what}.`);
  const header = (name: string): string => message.headers.find((field) => field.name.toLowerCase() === name)?.value ?? '';
  const links = message.links.map(({ url }) => url).filter((url) => url.startsWith(`${baseUrl}/c/`));
  const pixel = message.html?.split(/["']/).find((part) => part.startsWith(`${baseUrl}/o/`));
  const unsubscribe = /<(https?:[^<>]+)>/.exec(header('list-unsubscribe'))?.[1];
  if (links.length === 0) throw lacks('tracked link');
  if (pixel === undefined) throw lacks('open pixel');
  if (unsubscribe === undefined || header('list-unsubscribe-post') !== 'List-Unsubscribe=One-Click')
    throw lacks('one-click unsubscribe');
  return { pixel, links, unsubscribe };
}

async function open(pixel: string, agent: string): Promise<void> {
  const answer = await fetch(pixel, { headers: { 'User-Agent': agent } });
  await answer.arrayBuffer();
  expectStatus('the open pixel', answer.status, 200);
}

async function click({ links }: Letter, index: number, agent: string): Promise<void> {
  // The first link of a letter gets most of the attention; some people follow a second one.
  const chosen = [
    links[index % 2 === 0 ? 0 : index % links.length]!,
    ...(index % 4 === 1 ? [links[(index + 3) % links.length]!] : []),
  ];
  for (const url of chosen) {
    // Not followed any further: it leads to the shop of the example, which does not exist.
    const answer = await fetch(url, { redirect: 'manual', headers: { 'User-Agent': agent } });
    await answer.arrayBuffer();
    expectStatus('a tracked link', answer.status, 302);
  }
}

async function leave(unsubscribe: string): Promise<void> {
  const answer = await fetch(unsubscribe, { method: 'POST', body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }) });
  await answer.arrayBuffer();
  expectStatus('the one-click unsubscribe', answer.status, 200);
}

function expectStatus(what: string, status: number, expected: number): void {
  if (status !== expected) throw new Error(`${what} answered ${status} instead of ${expected}.`);
}
