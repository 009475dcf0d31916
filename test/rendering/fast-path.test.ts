import fc from 'fast-check';
import { simpleParser } from 'mailparser';
import MailComposer from 'nodemailer/lib/mail-composer/index.js';
import { describe, expect, it } from 'vitest';
import type { PlanRecipient } from '../../src/domain/campaign/index.ts';
import { HardLimit } from '../../src/infrastructure/rendering/hard-limit.ts';
import { HARD_LIMIT } from '../../src/infrastructure/rendering/liquid.ts';
import { BufferPool } from '../../src/infrastructure/rendering/message-sink.ts';
import { CompiledPlan } from '../../src/infrastructure/rendering/plan.ts';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';
import { ThreadWork } from '../../src/infrastructure/rendering/thread-work.ts';
import { composed, content, marketing, part, recipient } from './support.ts';

/** Text that breaks encoders: line starts and ends, every script, half characters, our own delimiters. */
const awkward = fc.constantFrom(
  '\n',
  '\r\n',
  ' \n',
  '\t\n',
  '.',
  '\n.',
  '\n..\n',
  'From me',
  '\nFrom me',
  ' ',
  '  ',
  '=',
  '=3D',
  '=\n',
  '--=_x',
  '\u0000',
  '\u007f',
  'é',
  'ß',
  '日本語',
  '😀',
  '👨‍👩‍👧',
  'שלום',
  'مرحبا',
  '\u202e',
  '\ufeff',
  '\u2028',
  '\ud83d',
  '\ude00',
  '\ud83d\ud83d',
  '&',
  '<b>',
  '"',
  "'",
  '&amp;',
);
const words = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.string({ maxLength: 20 }) },
      { weight: 3, arbitrary: awkward },
      fc.string({ unit: 'binary', maxLength: 8 }),
    ),
    { maxLength: 12 },
  )
  .map((pieces) => pieces.join(''));
const long = fc
  .tuple(awkward, fc.constantFrom('x', 'é', '😀', 'ab ', '\n.', '\ud800'))
  .map(([first, filler]) => (first + filler).repeat(Math.ceil(65_536 / (first + filler).length)));

/** No half of a character and no CR at the ends, which would join with its neighbour only where nobody encodes piece by piece. */
const whole = (text: string): string => text.replace(/^[\udc00-\udfff\n]/, '·').replace(/[\ud800-\udbff\r]$/, '·');

const text = fc.oneof({ weight: 12, arbitrary: words }, { weight: 1, arbitrary: long }).map(whole);
const scalar = fc.oneof(
  { weight: 6, arbitrary: text },
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.constant(''),
  fc.constant(undefined),
);
const any = fc.oneof(
  { weight: 8, arbitrary: scalar },
  fc.array(words, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('a', 'b', 'size', 'first'), words, { maxKeys: 2, noNullPrototype: true }),
);

const data = fc.record({
  a: any,
  b: any,
  c: scalar,
  url: fc.constantFrom(
    'https://example.com/x',
    'https://example.com/?q=ü&r=1',
    'http://bücher.example/a b',
    'mailto:a@example.com',
    '#top',
  ),
  items: fc.array(fc.record({ name: text, url: fc.constantFrom('https://shop.example/1', 'https://shop.example/2?x=%20') }), {
    maxLength: 3,
  }),
  subscriber: fc.record({
    id: fc.constant('s1'),
    email: fc.constant('ann@example.org'),
    locale: fc.constantFrom('de', 'en', null),
    attributes: fc.record({ c: scalar }),
  }),
});

/** Static text as an author might write it: no Liquid, no tags. */
const prose = words.map((value) => whole(value.replace(/[{}%\r<>]/g, '')));

const path = fc.constantFrom(
  'a',
  'b',
  'c',
  'a.b',
  'a.size',
  'b.first',
  'a[0]',
  'subscriber.email',
  'subscriber.attributes.c',
  'project.name',
  'campaign.name',
  'message_id',
  'unsubscribe_url',
  'nothing',
  'x',
  'loop.name',
  'forloop.index',
  'forloop.last',
  'forloop.first',
  'forloop.rindex0',
  'forloop.length',
  'forloop',
  'loop',
  'row',
  'row.name',
  'b.a',
  'items',
);
const filter = fc.constantFrom(
  '',
  '',
  '',
  ' | upcase',
  ' | downcase',
  ' | capitalize',
  ' | strip',
  ' | default: "d é"',
  ' | append: "!"',
  ' | prepend: "<"',
  ' | escape',
  ' | raw',
  ' | size',
  ' | truncate: 7',
  ' | split: "" | join: "-"',
  ' | default: c',
  ' | url_encode',
  ' | replace: "a", "\n"',
  ' | upcase | append: "=" | default: "z"',
  ' | newline_to_br',
  ' | strip_html',
  ' | date: "%Y"',
  ' | json',
);
const output = fc
  .tuple(path, filter, fc.constantFrom(['{{ ', ' }}'], ['{{- ', ' -}}'], ['{{', '}}']))
  .map(([name, filters, [open, close]]) => `${open}${name}${filters}${close}`);
const operand = fc.oneof(path, fc.constantFrom('"a"', "''", '3', '-1.5', 'true', 'false', 'nil', 'blank', 'empty'));
const condition = fc.oneof(
  path,
  fc.tuple(operand, fc.constantFrom('==', '!=', '<', '>', '<=', '>=', 'contains'), operand).map((triple) => triple.join(' ')),
  fc.tuple(path, fc.constantFrom('and', 'or'), path, fc.constantFrom('==', '!='), operand).map((five) => five.join(' ')),
  path.map((name) => `not ${name}`),
  path.map((name) => `${name} | upcase`),
);

const { html: template } = fc.letrec<{ html: string; piece: string }>((tie) => ({
  html: fc.array(tie('piece'), { maxLength: 6, depthIdentifier: 'template' }).map((pieces) => pieces.join('')),
  piece: fc.oneof(
    { depthIdentifier: 'template', maxDepth: 3 },
    prose,
    output,
    prose.map((value) => `{% raw %}${value} {{ x }}{% endraw %}`),
    fc.constantFrom(
      '<a href="https://example.com/a?b=1&amp;c=2">link</a>',
      "<a href='https://example.com/b'>b</a>",
      '<a href="{{ url }}">c</a>',
      '<a href="https://example.com/{{ c | url_encode }}">d</a>',
      '<a href="{{ unsubscribe_url }}">out</a>',
      '<a data-pennypost-track="off" href="https://example.com/off">e</a>',
    ),
    fc.tuple(path, filter).map(([name, filters]) => `{% assign x = ${name}${filters} %}`),
    fc.constantFrom(
      '{% increment counter %}',
      '{% decrement counter %}',
      '{% cycle "one", a, "é" %}',
      '{% echo a %}',
      '{% comment %} {{ a }} {% endcomment %}',
      '{% break %}',
      '{% continue %}',
      '{% assign loop = a %}',
      '{% increment row %}',
      '{% # note %}',
      '{% liquid\n assign x = a\n echo x\n%}',
    ),
    fc
      .tuple(condition, tie('html'), condition, tie('html'), tie('html'))
      .map(
        ([first, one, second, two, three]) => `{% if ${first} %}${one}{% elsif ${second} %}${two}{% else %}${three}{% endif %}`,
      ),
    fc
      .tuple(condition, tie('html'), tie('html'))
      .map(([test, one, two]) => `{%- unless ${test} -%}${one}{% else %}${two}{% endunless %}`),
    fc
      .tuple(path, tie('html'), tie('html'))
      .map(([name, one, two]) => `{% case ${name} %}{% when 1, "a" %}${one}{% else %}${two}{% endcase %}`),
    fc
      .record({
        name: fc.constantFrom('loop', 'row', 'a'),
        list: fc.constantFrom('items', 'items', 'b', 'a', '(1..3)', 'loop', 'row', 'nothing', 'x'),
        modifier: fc.constantFrom('', '', '', ' limit: 2', ' reversed', ' offset: 1', ' limit: 1 offset: continue'),
        body: tie('html'),
        otherwise: tie('html'),
        link: fc.constantFrom(
          '',
          '<a href="https://example.com/{{ loop.name | url_encode }}">{{ row.name }}</a>',
          '<a href="{{ loop.url }}">l</a>',
        ),
        jump: fc.constantFrom(
          '',
          '{% if forloop.last %}{% break %}{% endif %}',
          '{% unless forloop.first %}{% continue %}{% endunless %}.',
        ),
      })
      .map(
        ({ name, list, modifier, body, otherwise, link, jump }) =>
          `{% for ${name} in ${list}${modifier} %}${body}${jump}${link}{% else %}${otherwise}{% endfor %}`,
      ),
    tie('html').map((body) => `{% capture x %}${body}{% endcapture %}{{ x | raw }}`),
  ),
}));

const defaults = {
  a: 'default a',
  b: '',
  c: 'C',
  nothing: '',
  x: '',
  url: 'https://example.com/',
  items: [],
  loop: '',
  forloop: '',
  row: '',
  counter: 0,
};

/** Where both ways end in the same refusal there is nothing to compare. */
function outcome<T>(work: () => T): T | Error {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
}

function expectAgreement(plan: CompiledPlan, to: PlanRecipient): void {
  const plain = outcome(() => plan.render(to));
  const fast = outcome(() => composed(plan, to));
  if (plain instanceof Error || fast instanceof Error) {
    expect(fast).toBeInstanceOf(Error);
    expect(plain).toMatchObject({ code: 'content.render_failed' });
    expect(fast).toMatchObject({ code: 'content.render_failed' });
    return;
  }
  expect(part(fast, 'text/html')).toBe(plain.html);
  expect(part(fast, 'text/plain')).toBe(plain.text);
}

describe('the fast path', () => {
  it('writes what liquidjs renders, for any template and data', async () => {
    // Without the thread: 300 ways there and back are slow on a busy machine.
    const work = new ThreadWork(HARD_LIMIT);
    const surroundings = { pool: new BufferPool(), hardLimit: new HardLimit(HARD_LIMIT) };
    await fc.assert(
      fc.asyncProperty(template, template, data, data, async (html, text, one, other) => {
        const source = content({
          source: `<html><body>${html}</body></html>`,
          text: `${text} https://example.com/{{ c }} end.`,
          defaults,
        });
        // Links and pixel as in marketing mail, which refuses a jump outside of a loop: its footer would not be seen.
        const context = marketing({ stream: 'transactional' });
        const plan = new CompiledPlan(source, context, await work.assemble(source, context), surroundings);
        // Twice, and with another recipient in between: nothing may stay behind in the plan.
        for (const variables of [one, other, one]) expectAgreement(plan, recipient({ variables }));
      }),
      { numRuns: 300 },
    );
  });

  it('reads back in a mail program as what a MIME library makes of the same parts', async () => {
    const renderer = createRenderer();
    const source = content({
      source: '<p>{{ a }}</p>\n<p>{{ b | raw }}</p>{% for item in items %}<li>{{ item.name }}</li>{% endfor %}',
      text: '{{ a }}\n-- \n{{ b }}',
      subject: 'About {{ a | truncate: 300 }}',
      defaults,
    });
    const plan = await renderer.compile(source, marketing());
    await fc.assert(
      fc.asyncProperty(data, async (variables) => {
        const to = recipient({ variables });
        const plain = plan.render(to);
        const library = new MailComposer({ text: plain.text, html: plain.html }).compile();
        const message = plan.compose(to);
        const [ours, theirs] = await Promise.all([parse(Buffer.from(message.bytes)), parse(await library.build())]);
        message.release();
        expect(ours.parts).toEqual(theirs.parts);
        // The library loses blanks where it folds, so the subject is measured by the preview.
        expect(ours.subject).toBe(plain.subject);
      }),
      { numRuns: 100 },
    );
  });
});

async function parse(bytes: Buffer): Promise<{ subject: string | undefined; parts: unknown }> {
  const mail = await simpleParser(bytes, { skipHtmlToText: true, skipTextToHtml: true });
  return { subject: mail.subject, parts: { text: mail.text, html: mail.html } };
}
