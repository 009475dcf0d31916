import { describe, expect, it } from 'vitest';
import { RenderFailed } from '../../src/domain/campaign/index.ts';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';
import { composed, content, part, recipient, transactional } from './support.ts';

const renderer = createRenderer({ hardLimit: 150 });

/** Templates that would never end, or end in no memory; each passes `check`, since only rendering tells. */
const RUNAWAYS: Readonly<Record<string, string>> = {
  'loops in loops':
    '{% for a in (1..100000) %}{% for b in (1..100000) %}{% for c in (1..100000) %}{% endfor %}{% endfor %}{% endfor %}',
  'a range without end': '{% for a in (1..9999999999) %}x{% endfor %}',
  'an expression per element, in a chain':
    '{% assign all = (1..200000) %}' +
    '{% assign all = all | where_exp: "x", "x > 0" | find_exp: "x", "x < 0" %}{% assign all = (1..200000) %}'.repeat(20),
  'expressions in expressions':
    '{% assign all = (1..2000) %}{{ all | where_exp: "x", "all | where_exp: \'y\', \'all | has_exp: z, false\'" | size }}',
  'a doubled capture':
    '{% assign x = "0123456789" %}{% for i in (1..60) %}{% capture x %}{{ x }}{{ x }}{% endcapture %}{% endfor %}{{ x }}',
  'a doubled assignment': '{% assign x = "0123456789" %}{% for i in (1..60) %}{% assign x = x | append: x %}{% endfor %}{{ x }}',
  'a padded date': "{% for i in (1..1000) %}{{ 'now' | date: '%5000000d' }}{% endfor %}",
  'more than 1 MB of output': '{% for i in (1..200000) %}0123456789{% endfor %}',
  'sorting for ever': `{% assign all = (1..300000) %}${'{% assign all = all | reverse | sort_natural | sort | uniq %}'.repeat(50)}`,
};

describe('a template that runs away', () => {
  for (const [name, source] of Object.entries(RUNAWAYS)) {
    it(`is stopped: ${name}`, async () => {
      const plan = await renderer.compile(content({ source, text: 'x' }), transactional());
      const before = process.memoryUsage().rss;
      expect(() => plan.compose(recipient())).toThrow(RenderFailed);
      expect(() => plan.render(recipient())).toThrow(RenderFailed);
      expect(process.memoryUsage().rss - before).toBeLessThan(600_000_000);
    });
  }

  it('leaves the plan and other plans in order', async () => {
    const source = '{% for i in times %}{% for j in (1..1000) %}{% assign x = j | times: 2 %}{% endfor %}{% endfor %}done';
    const patient = createRenderer({ hardLimit: 800 });
    const plan = await patient.compile(content({ source, text: 'x', defaults: { times: [1] } }), transactional());
    for (let round = 0; round < 3; round += 1) {
      expect(() => plan.compose(recipient({ variables: { times: Array.from({ length: 100_000 }, () => 0) } }))).toThrow(
        RenderFailed,
      );
      expect(part(composed(plan, recipient({ variables: { times: 'once' } })), 'text/html')).toBe('done');
    }
  });
});

describe('data that reach for more than they are given', () => {
  it('see own properties only, and no prototype', async () => {
    const source =
      '{{ a.constructor }}|{{ a.__proto__ }}|{{ toString }}|{{ a.constructor.name }}|{{ constructor }}|{{ a["constructor"]["constructor"] }}';
    const defaults = { a: { b: 1 }, toString: '', constructor: '' };
    const plan = await renderer.compile(content({ source, text: 'x', defaults }), transactional());
    expect(part(composed(plan, recipient()), 'text/html')).toBe('|||||');
    expect(plan.render(recipient()).html).toBe('|||||');
  });

  it('cannot replace what is ours', async () => {
    const source =
      '{{ unsubscribe_url }} {{ project.name }} {{ postal_address }} {{ campaign.name }} {{ message_id }} {% assign x = 1 %}{{ unsubscribe_url | append: x }}';
    const plan = await renderer.compile(content({ source, text: 'x' }), transactional());
    const evil = {
      unsubscribe_url: 'evil',
      project: { name: 'evil' },
      postal_address: 'evil',
      campaign: { name: 'evil' },
      message_id: 'evil',
    };
    expect(part(composed(plan, recipient({ variables: evil })), 'text/html')).not.toContain('evil');
    expect(plan.render(recipient({ variables: evil })).html).not.toContain('evil');
  });

  it('are not changed by rendering', async () => {
    const source = '{% increment n %}{% increment n %}{% assign a = "x" %}{{ list | sort | join: "" }}';
    const plan = await renderer.compile(content({ source, text: 'x', defaults: { list: [2, 1], a: '', n: 0 } }), transactional());
    const variables = Object.freeze({ n: 5, list: Object.freeze([3, 1, 2]) });
    for (let round = 0; round < 2; round += 1) expect(part(composed(plan, recipient({ variables })), 'text/html')).toBe('56123');
  });

  it('of 64 kB are delivered', async () => {
    const plan = await renderer.compile(content({ source: '<p>{{ a }}</p>', defaults: { a: '' } }), transactional());
    for (const a of ['x'.repeat(65_536), '😀'.repeat(16_384), '\n'.repeat(65_536), '.\n'.repeat(32_768), '"'.repeat(65_536)]) {
      expect(part(composed(plan, recipient({ variables: { a } })), 'text/html')).toBe(`<p>${a.replaceAll('"', '&#34;')}</p>`);
    }
  });
});

describe('a message', () => {
  it('keeps its bytes until it is released, whatever is composed meanwhile', async () => {
    const plan = await renderer.compile(content({ source: '{{ a }}', defaults: { a: '' } }), transactional());
    const held = ['one', 'two', 'three'].map((a) => plan.compose(recipient({ variables: { a } })));
    const texts = held.map((message) => Buffer.from(message.bytes).toString());
    expect(texts.map((text) => /one|two|three/.exec(text)?.[0])).toEqual(['one', 'two', 'three']);
    for (const message of [...held, ...held]) message.release();
    const [next, other] = [
      plan.compose(recipient({ variables: { a: 'four' } })),
      plan.compose(recipient({ variables: { a: 'five' } })),
    ];
    expect(Buffer.from(next.bytes).toString()).toContain('four');
    expect(Buffer.from(other.bytes).toString()).toContain('five');
  });
});
