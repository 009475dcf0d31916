/**
 * Microseconds of CPU, collector included, to compose one message from a compiled plan: `node test/bench/compose.ts`. Two newsletters of
 * 5 kB and 40 kB (15 tracked links), each recipient with values of their own.
 */
import type { Content, PlanContext, PlanRecipient } from '../../src/domain/campaign/index.ts';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';

const WORDS =
  'Every spring we choose a few things that will last: made by people we know, priced so that they can live of it. '.split(' ');
const prose = (count: number, seed: number): string =>
  Array.from({ length: count }, (_, index) => WORDS[(index + seed) % WORDS.length]).join(' ');

function small(): Content {
  const source = `<!doctype html><html><body><h1>Hello {{ first_name | default: "friend" }},</h1>
<p>${prose(180, 0)}</p><p>{% if vip %}As a guest of the house in {{ city }} you come first.{% else %}Nice to have you.{% endif %}</p>
<p><a href="https://shop.example/spring?c={{ campaign.id }}">See it all</a> or <a href="https://shop.example/visit">visit us in {{ city }}</a>.</p>
<p>${prose(60, 5)}</p></body></html>`;
  return contentOf('html', source);
}

function large(): Content {
  const article = (
    index: number,
  ): string => `<mj-text font-size="18px">Item ${index} for {{ first_name | default: "you" }}</mj-text>
<mj-text>${prose(90, index)} <a href="https://shop.example/item/${index}?ref=news">Read on</a></mj-text>`;
  const source = `<mjml><mj-body><mj-section><mj-column><mj-text>Hello {{ first_name | default: "friend" }} in {{ city }},</mj-text>
<mj-text>{% if vip %}early access for you.{% else %}welcome.{% endif %}</mj-text>
${Array.from({ length: 15 }, (_, index) => article(index)).join('\n')}</mj-column></mj-section></mj-body></mjml>`;
  return contentOf('mjml', source);
}

function contentOf(kind: Content['kind'], source: string): Content {
  return {
    kind,
    source,
    subject: 'Spring is here, {{ first_name | default: "friend" }}',
    preheader: 'For {{ city }}',
    author: { name: 'Acme', address: 'news@example.com' },
    headers: {},
    defaults: { city: 'Vienna', vip: false },
    footer: 'project',
  };
}

const context: PlanContext = {
  stream: 'marketing',
  project: { name: 'Acme', postalAddress: '1 Main Street, 12345 Town', senderDomain: 'example.com' },
  campaign: { id: '0192', name: 'Spring' },
  staticHeaders: ['List-Id: "Acme" <news.example.com>', 'Precedence: bulk', 'Feedback-ID: c:l:news:acme1'],
  tracking: {
    baseUrl: 'https://t.example.com',
    linkToken: (index) => `L${index}${'t'.repeat(60)}`,
    openPixel: true,
    clicks: true,
  },
};

const NAMES = ['Ann', 'Jürgen', 'Zoë', 'O’Neil & Sons', '美咲', 'Bob'] as const;

function recipientOf(index: number): PlanRecipient {
  const id = String(index).padStart(12, '0');
  return {
    address: `person${index}@example.org`,
    smtputf8: false,
    variables: {
      first_name: NAMES[index % NAMES.length],
      city: index % 3 === 0 ? 'São Paulo' : 'Graz',
      vip: index % 2 === 0,
      subscriber: { id, email: `person${index}@example.org`, locale: 'en', attributes: {} },
    },
    messageId: `${id}aaaaaaaaaaaaaaaaaaaa@example.com`,
    date: new Date(1_795_300_000_000 + index),
    clickToken: `C${id}${'k'.repeat(70)}`,
    openToken: `O${id}${'p'.repeat(70)}`,
    unsubscribeUrl: `https://t.example.com/u/U${id}${'u'.repeat(70)}`,
  };
}

const renderer = createRenderer();
const recipients = Array.from({ length: 1_000 }, (_, index) => recipientOf(index));
for (const [name, content] of [
  ['5 kB', small()],
  ['40 kB', large()],
] as const) {
  const plan = await renderer.compile(content, context);
  const rounds: number[] = [];
  let octets = 0;
  for (let round = 0; round < 12; round += 1) {
    const begin = process.cpuUsage();
    octets = 0;
    for (const recipient of recipients) {
      const message = plan.compose(recipient);
      octets += message.bytes.length;
      message.release();
    }
    const { user, system } = process.cpuUsage(begin);
    rounds.push((user + system) / recipients.length);
  }
  rounds.splice(0, 3);
  rounds.sort((one, other) => one - other);
  const median = rounds[Math.floor(rounds.length / 2)] ?? 0;
  const bytes = Math.round(octets / recipients.length);
  console.log(
    `${name}: ${bytes} bytes, ${plan.links.length} links, ${median.toFixed(1)} us a message (best round ${(rounds[0] ?? 0).toFixed(1)})`,
  );
}
