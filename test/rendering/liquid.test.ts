import { describe, expect, it } from 'vitest';
import type { Content, ContentProblem } from '../../src/domain/campaign/index.ts';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';
import { content, recipient, transactional } from './support.ts';

const renderer = createRenderer();

async function problems(overrides: Partial<Content>): Promise<readonly ContentProblem[]> {
  return renderer.check(content(overrides), transactional());
}

const mjml = (body: string): string => `<mjml>\n<mj-body>\n${body}\n</mj-body>\n</mjml>`;

describe('a variable with a default behind it', () => {
  it.each([
    '{{ nick | default: "there" }}',
    '{{ nick | capitalize | default: "there" }}',
    '{{ nick | strip | upcase | default: "there" }}',
    '{{ nick | date: "%F" | default: "soon" }}',
    '{{ nick | default: "there" | capitalize }}',
    '{{ nick | split: "," | first | default: "x" }}',
    '{{ nick | truncate: 20 | default: "there" }}',
    '{% assign n = nick | capitalize | default: "there" %}{{ n }}',
    '{{ nick.first | downcase | default: "there" }}',
    '{{ nick | escape | default: "" }}',
  ])('is known: %s', async (source) => {
    expect(await problems({ source })).toEqual([]);
  });

  it.each([
    '{{ nick | append: "!" | default: "there" }}',
    '{{ nick | size | default: 3 }}',
    '{{ nick | prepend: "Dear " | default: "there" }}',
    '{{ nick | capitalize }}',
    '{{ "a" | default: nick }}',
    '{{ nick | plus: 1 | default: 2 }}',
  ])('is not, when the default can never be printed: %s', async (source) => {
    expect(await problems({ source })).toMatchObject([{ code: 'template.unknown_variable', severity: 'error' }]);
  });
});

describe('a date', () => {
  it.each([
    ['%F %T', '2026-11-05 09:07:03'],
    ['%D %R', '11/05/26 09:07'],
    ['%r', '09:07:03 AM'],
    ['%c', 'Thu Nov  5 09:07:03 2026'],
    ['%x %X', '11/05/26 09:07:03'],
    ['%v', ' 5-NOV-2026'],
    ['%h', 'Nov'],
    ['%G-W%V-%u', '2026-W45-4'],
    ['%g', '26'],
    ['%%F', '%F'],
    ['%-d.%-m.%Y', '5.11.2026'],
    ['%^a', 'THU'],
    ['%e', ' 5'],
    ['%j', '309'],
  ])('is written as Ruby writes it: %s', async (format, written) => {
    const source = `{{ "2026-11-05T09:07:03Z" | date: "${format}" }}`;
    const rendered = await renderer.preview(content({ source: `<p>x</p>`, text: source }), transactional(), recipient());
    expect(rendered.text).toBe(written);
  });
});

describe('a merge tag of another system', () => {
  it.each([
    ['*|FNAME|*', '{{ first_name }}'],
    ['*|LNAME|*', '{{ last_name }}'],
    ['*|EMAIL|*', '{{ subscriber.email }}'],
    ['*|UNSUB|*', '{{ unsubscribe_url }}'],
    ['*|LIST:ADDRESS|*', '{{ postal_address }}'],
    ['*|MERGE3|*', '{{ merge3 }}'],
    ['*|IF:FNAME|*', '{% if name %}'],
    ['[[name]]', '{{ name }}'],
    ['[[data:firstname:"friend"]]', '{{ first_name }}'],
    ['%recipient.name%', '{{ name }}'],
    ['%recipient.first_name%', '{{ first_name }}'],
    ['%%name%%', '{{ name }}'],
    ['%%First Name%%', '{{ first_name }}'],
    ['%%=v(@city)=%%', '{{ city }}'],
    ['%FIRSTNAME%', '{{ first_name }}'],
    ['<<First Name>>', '{{ first_name }}'],
    ['<<name>>', '{{ name }}'],
    ['-name-', '{{ name }}'],
    ['-first_name-', '{{ first_name }}'],
    ['[FNAME]', '{{ first_name }}'],
    ['[firstname,fallback=friend]', '{{ first_name }}'],
    ['[First Name]', '{{ first_name }}'],
    ['{$name}', '{{ name }}'],
    ['\u0024{user.city}', '{{ city }}'],
    ['{!Contact.FirstName}', '{{ first_name }}'],
    ['{name}', '{{ name }}'],
    ['~Contact.FirstName~', '{{ first_name }}'],
    ['##FNAME##', '{{ first_name }}'],
    ['«First_Name»', '{{ first_name }}'],
    ['*|CURRENT_YEAR|*', '{{ "now" | date: "%Y" }}'],
    ['*|LIST:COMPANY|*', '{{ project.name }}'],
    ['*|HTML:LIST_ADDRESS_HTML|*', '{{ postal_address }}'],
    ['*|UPDATE_PROFILE|*', 'Remove it'],
    ['%mailing_list_unsubscribe_url%', '{{ unsubscribe_url }}'],
    ['<unsubscribe>', '{{ unsubscribe_url }}'],
    ['<%= name %>', '{{ name }}'],
    ['<?php echo $name ?>', '{{ name }}'],
    ['{first_name|there}', '{{ first_name }}'],
    ['#FNAME#', '{{ first_name }}'],
  ])('is a warning that names the form to write: %s', async (tag, form) => {
    for (const found of [
      await problems({ kind: 'text', source: `Hello\n${tag}, read on` }),
      (await problems({ kind: 'text', source: 'x', subject: `For ${tag}` })).map((one) => ({ ...one, line: 2 })),
    ]) {
      expect(found).toMatchObject([{ severity: 'warning', code: 'template.foreign_tag', line: 2 }]);
      expect(found[0]?.message).toContain(tag);
      expect(found[0]?.message).toContain(form);
    }
  });

  it.each(['{{{name}}}', '{{#if name}}', '{{/if}}', '{{> footer}}'])(
    'is named beside what Liquid says of it: %s',
    async (tag) => {
      const found = await problems({ source: `<p>\n${tag}</p>` });
      expect(found).toContainEqual(expect.objectContaining({ code: 'template.foreign_tag', line: 2 }));
    },
  );

  it.each([
    '100% of 50% off',
    '[1] and [2]',
    'a - name - b',
    'e-mail-address',
    '[read on](https://example.com/)',
    'array[0]',
    'x << 2 >> 1',
    '{{ subscriber.email }} | *{{ subscriber.id }}*',
    '<style>a{color:red}</style>',
    '**|bold|**',
    'https://example.com/?a=%C3%A9%20b',
    '## News ##',
    '[[1]](https://example.com/)',
    '{% if subscriber.locale %}x{% endif %}',
    'well-name-d',
    '~~gone~~',
    '[ ] to do',
    '[x]',
    '{ }',
    '<!--[if mso]>x<![endif]-->',
    'Costs $5 {about}',
    'color: #ABCDEF; #SALE# <unsubscribed>',
  ])('is not what only looks like one: %s', async (source) => {
    expect((await problems({ source })).filter((one) => one.code === 'template.foreign_tag')).toEqual([]);
  });
});

describe('content that is made to be slow', () => {
  const many = (make: (index: number) => string, times: number): string =>
    Array.from({ length: times }, (_, i) => make(i)).join('');
  const hostile: Readonly<Record<string, readonly [source: string, line: number, limit: string]>> = {
    'a condition of 40,000 operands': [`\n{% if ${many((i) => `v${i} and `, 40_000)} x %}{% endif %}`, 2, '1000 names'],
    'a chain of 60,000 filters': [`{{ x ${'| append: "a" '.repeat(60_000)} }}`, 1, '1000 names'],
    'a filter with 100,000 arguments': [`{{ x | append: ${many((i) => `v${i}, `, 100_000)} 1 }}`, 1, '1000 names'],
    'a path of 400,000 steps': [`\n\n{{ x${'.a'.repeat(400_000)} }}`, 3, '1000 names'],
    'brackets in brackets': [`{{ x${'[x'.repeat(100)}${']'.repeat(100)} }}`, 1, '50 deep'],
    'parentheses in parentheses': [`{% if ${'('.repeat(100)}x${')'.repeat(100)} %}{% endif %}`, 1, '50 deep'],
    'tags in tags': [`{% if x %}`.repeat(101) + '{% endif %}'.repeat(101), 1, '100 deep'],
    'tags in tags, without their marks': [`{% liquid\n${'if x\n'.repeat(101)}${'endif\n'.repeat(101)} %}`, 102, '100 deep'],
    '80,000 statements in one tag': [`{% liquid\n${"echo 'a'\n".repeat(80_000)} %}`, 10_002, '10000 tags'],
    '20,000 tags': ['{{ x }}\n'.repeat(20_000), 10_001, '10000 tags'],
    '200,000 operands in all': [`{% if ${'x and '.repeat(450)} x %}{% endif %}\n`.repeat(222), 111, '100000 names'],
  };
  for (const [name, [source, line, limit]] of Object.entries(hostile)) {
    it(`is refused with the line and the limit: ${name}`, async () => {
      const found = await problems({ source, defaults: { x: 1 } });
      expect(found).toMatchObject([{ code: 'template.syntax', part: 'source', line, message: expect.stringContaining(limit) }]);
    });
  }

  it('is refused: 3,001 MJML components, 5,001 links, and what is too long with its links in it', async () => {
    const components = mjml(`<mj-section>\n${'<mj-divider />\n'.repeat(3_000)}</mj-section>`);
    expect(await problems({ kind: 'mjml', source: components })).toMatchObject([
      { code: 'source.too_long', severity: 'error', message: expect.stringContaining('3000 MJML components') },
    ]);
    const links = many((i) => `<a href="https://example.com/${i}">a</a>`, 5_001);
    expect(await problems({ source: links, text: 'x' })).toMatchObject([
      { code: 'source.too_long', message: expect.stringContaining('5001 links') },
      { code: 'html.clipped' },
    ]);
  });

  it('names its first 100 faults', async () => {
    const found = await problems({ source: many((i) => `{{ name${i} }}\n`, 500) });
    expect(found).toHaveLength(101);
    expect(found.at(-1)).toMatchObject({
      code: 'content.more_problems',
      severity: 'error',
      message: expect.stringMatching(/^400 /),
    });
  });

  it('is read when it is merely long: 100 comparisons, 1,000 lines, 80 conditions in one another', async () => {
    const cities = many((i) => `city == "C${i}" or `, 100);
    const nested = `${many((i) => `{% if city == "${i}" %}`, 80)}{{ city }}${'{% endif %}'.repeat(80)}`;
    const source = `{% if ${cities} city == "x" %}a{% endif %}${nested}${'<p>{{ city }}</p>\n'.repeat(1_000)}`;
    expect(await problems({ source, defaults: { city: '' } })).toEqual([]);
  });
});
