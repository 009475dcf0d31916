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
  'a list in itself':
    '{% assign a = "x" | split: "," %}{% for i in (1..40) %}{% assign a = a | push: a | push: a %}{% endfor %}{{ a }}',
  'a list in itself, joined': `{% assign a = "x" | split: "," %}${'{% assign a = a | push: a | unshift: a %}'.repeat(40)}{{ a | join: "," | size }}`,
  'a list of long texts':
    '{% assign s = "0123456789" %}{% for i in (1..16) %}{% assign s = s | append: s %}{% endfor %}{% assign a = s | split: "," %}{% for i in (1..12) %}{% assign a = a | concat: a %}{% endfor %}{{ a }}',
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

describe('content that takes too long to read', () => {
  /** mjml takes the product of rules and elements. */
  const slow = content({
    kind: 'mjml',
    source: `<mjml><mj-head><mj-style inline="inline">${Array.from({ length: 10_000 }, (_, i) => `.c${i} p{color:red}`).join('')}</mj-style></mj-head><mj-body><mj-section><mj-column>${'<mj-text css-class="c1">x</mj-text>'.repeat(1_000)}</mj-column></mj-section></mj-body></mjml>`,
  });
  const tooComplex = { code: 'content.too_complex', severity: 'error', part: 'source' };

  it('is stopped, keeps nothing else waiting, and what comes after it is read', async () => {
    const hasty = createRenderer({ timeLimit: 1_000 });
    let stopped = false;
    let turns = 0;
    const checking = hasty.check(slow, transactional()).finally(() => {
      stopped = true;
    });
    while (!stopped) {
      turns += 1;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(await checking).toMatchObject([tooComplex]);
    // A thousand on a free machine, and two or three where the event loop was blocked.
    expect(turns).toBeGreaterThan(20);
    expect(await hasty.check(content(), transactional())).toEqual([]);
    await expect(hasty.compile(slow, transactional())).rejects.toMatchObject({ problems: [tooComplex] });
    await hasty.close();
  }, 60_000);

  it('does not make other projects wait', async () => {
    const patient = createRenderer({ timeLimit: 1_500 });
    const order: string[] = [];
    const other = transactional({ project: { name: 'B', postalAddress: '', senderDomain: 'other.example' } });
    await Promise.all([
      patient.check(slow, transactional()).then(() => order.push('slow')),
      patient.check(slow, transactional()).then(() => order.push('slow again')),
      patient.check(content(), other).then(() => order.push('other project')),
    ]);
    expect(order).toEqual(['other project', 'slow', 'slow again']);
    await patient.close();
  }, 60_000);

  it('is stopped when it takes too much memory', async () => {
    const small = createRenderer({ memoryLimit: 16, timeLimit: 60_000 });
    expect(await small.check(slow, transactional())).toMatchObject([
      { ...tooComplex, message: expect.stringContaining('memory') },
    ]);
    await small.close();
  }, 60_000);
});

describe('transactional content', () => {
  it('is compiled once per version, whoever asks and however many at once', async () => {
    const template = () => content({ source: '<p>{{ code }}</p>' });
    const context = () => transactional({ variables: ['code'] });
    const [plan, same] = await Promise.all([renderer.compile(template(), context()), renderer.compile(template(), context())]);
    expect(same).toBe(plan);
    expect(await renderer.compile(template(), context())).toBe(plan);
    expect(await renderer.compile({ ...template(), subject: 'Other' }, context())).not.toBe(plan);
    expect(await renderer.compile(template(), transactional({ variables: ['code', 'name'] }))).not.toBe(plan);
    await expect(renderer.compile(template(), transactional())).rejects.toThrow('Unknown variable code');
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
