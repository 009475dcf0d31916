/** What the benchmarks send, and to whom: two newsletters of 5 kB and 40 kB, and made-up people. */
import type { ContentInput } from '../../../src/application/application.ts';

export type Size = '5k' | '40k';

const WORDS =
  'Every spring we choose a few things that will last: made by people we know, priced so that they can live of it. '.split(' ');
const prose = (count: number, seed: number): string =>
  Array.from({ length: count }, (_, index) => WORDS[(index + seed) % WORDS.length]).join(' ');

/** Links that a reader can follow in each, besides the unsubscribe address. */
export const TRACKED_LINKS: Readonly<Record<Size, number>> = { '5k': 2, '40k': 15 };

const SMALL = `<!doctype html><html><body><h1>Hello {{ first_name | default: "friend" }},</h1>
<p>${prose(110, 0)}</p><p>{% if vip == "yes" %}As a guest of the house in {{ city }} you come first.{% else %}Nice to have you.{% endif %}</p>
<p><a href="https://shop.example/spring?c={{ campaign.id }}">See it all</a> or <a href="https://shop.example/visit">visit us in {{ city }}</a>.</p>
<p>${prose(40, 5)}</p></body></html>`;

const article = (index: number): string =>
  `<mj-text font-size="18px">Item ${index} for {{ first_name | default: "you" }}</mj-text>
<mj-text>${prose(100, index)} <a href="https://shop.example/item/${index}?ref=news">Read on</a></mj-text>`;
const LARGE = `<mjml><mj-body><mj-section><mj-column><mj-text>Hello {{ first_name | default: "friend" }} in {{ city }},</mj-text>
<mj-text>{% if vip == "yes" %}early access for you.{% else %}welcome.{% endif %}</mj-text>
${Array.from({ length: 15 }, (_, index) => article(index)).join('\n')}</mj-column></mj-section></mj-body></mjml>`;

export function newsletter(size: Size): ContentInput {
  return {
    kind: size === '5k' ? 'html' : 'mjml',
    source: size === '5k' ? SMALL : LARGE,
    subject: 'Spring is here, {{ first_name | default: "friend" }}',
    preheader: 'For {{ city }}',
    author: { name: 'Acme', address: `news@${SENDER_DOMAIN}` },
    defaults: { city: 'Vienna', vip: 'no' },
  };
}

export const SENDER_DOMAIN = 'news.example.com';

/** With a letter behind them some 200 different ones, and some who told none. */
const NAMES = ['Ann', 'Jürgen', 'Zoë', 'O’Neil & Sons', '美咲', 'Bob', '', 'María José'] as const;
const CITIES = ['São Paulo', 'Graz', 'Vienna', 'New York', 'Łódź'] as const;
/** As in most audiences, a few receiving domains have most of the people and a long tail has the rest. */
const LARGE_DOMAINS = ['gmail', 'outlook', 'yahoo', 'icloud', 'gmx', 'web', 'orange'] as const;
const TAIL = 2_000;

export interface Person {
  readonly email: string;
  readonly firstName: string;
  readonly city: string;
  readonly vip: string;
}

export function person(index: number): Person {
  // Multiplying by a prime scatters the domains over neighbours, as ids in order of sign-up do.
  const scattered = (index * 7_919) % 10_007;
  const large = scattered % 10 < 7 ? LARGE_DOMAINS[scattered % LARGE_DOMAINS.length] : undefined;
  const name = NAMES[index % NAMES.length] ?? '';
  return {
    email: `person${index}@${large ?? `company${scattered % TAIL}`}.example`,
    firstName: name === '' ? '' : `${name} ${String.fromCharCode(65 + ((index >> 3) % 26))}.`,
    city: CITIES[index % CITIES.length] ?? '',
    vip: index % 2 === 0 ? 'yes' : 'no',
  };
}

/** People as CSV, in pieces of some 64 kB. */
export async function* peopleCsv(count: number): AsyncGenerator<Buffer> {
  let text = 'email,first_name,city,vip\r\n';
  for (let index = 0; index < count; index += 1) {
    const { email, firstName, city, vip } = person(index);
    text += `${email},${firstName},${city},${vip}\r\n`;
    if (text.length < 65_536) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
}
