import { describe, expect, it } from 'vitest';
import { type Content, ContentInvalid, type ContentProblem } from '../../src/domain/campaign/index.ts';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';
import { content, marketing, recipient, transactional } from './support.ts';

const renderer = createRenderer();

async function problems(overrides: Partial<Content>): Promise<readonly ContentProblem[]> {
  return renderer.check(content(overrides), transactional());
}

const mjml = (body: string): string => `<mjml>\n<mj-body>\n${body}\n</mj-body>\n</mjml>`;

describe('content without a fault', () => {
  it('has no problems, as MJML, HTML and text', async () => {
    expect(await problems({})).toEqual([]);
    expect(await problems({ kind: 'text', source: 'Hello {{ first_name }}', defaults: { first_name: 'friend' } })).toEqual([]);
    expect(
      await problems({ kind: 'mjml', source: mjml('<mj-section><mj-column><mj-text>Hi</mj-text></mj-column></mj-section>') }),
    ).toEqual([]);
  });
});

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

describe('a Liquid error', () => {
  it('is named with its line in the part as written', async () => {
    const found = await problems({
      source: '<p>\n{{ first_name | nosuch }}\n{% if x %}</p>',
      subject: '{{',
      text: 'a\n\n{% endfor %}',
    });
    expect(found).toMatchObject([
      { code: 'template.syntax', part: 'subject', line: 1 },
      { code: 'template.syntax', part: 'source', line: 2, message: expect.stringContaining('undefined filter: nosuch') },
      { code: 'template.syntax', part: 'source', line: 3, message: expect.stringContaining('not closed') },
      { code: 'template.syntax', part: 'text', line: 3 },
    ]);
  });

  it('is every attempt to include something', async () => {
    for (const source of [
      '{% include ".env" %}',
      '{% render "/etc/passwd" %}',
      '{% layout "x" %}',
      '{% liquid\n include "a"\n%}',
      '{% block a %}',
    ]) {
      expect(await problems({ source }), source).toMatchObject([
        { severity: 'error', code: 'template.syntax', message: expect.stringContaining('not available') },
      ]);
    }
  });

  it('is a tag of ours that an author writes', async () => {
    expect(await problems({ source: '{% pennypost_link 0 %}' })).toMatchObject([{ code: 'template.syntax' }]);
  });

  it('is nesting without end', async () => {
    const source = '{% if a %}'.repeat(5000) + '{% endif %}'.repeat(5000);
    expect(await problems({ source })).toMatchObject([{ severity: 'error', code: 'template.syntax' }]);
  });
});

describe('an unknown variable', () => {
  it('is an error with its line unless a default is declared', async () => {
    const source = '<p>\n\n{{ frist_name }} {{ city }} {{ subscriber.attributes.city }} {{ subscriber.attributes.zip }}</p>';
    expect(await problems({ source, defaults: { city: 'Rome' } })).toMatchObject([
      {
        severity: 'error',
        code: 'template.unknown_variable',
        part: 'source',
        line: 3,
        message: expect.stringContaining('frist_name'),
      },
      {
        severity: 'error',
        code: 'template.unknown_variable',
        part: 'source',
        line: 3,
        message: expect.stringContaining('subscriber.attributes.zip'),
      },
    ]);
    expect(await problems({ subject: 'Hi {{ name }}' })).toMatchObject([{ part: 'subject', line: 1 }]);
    expect(await problems({ preheader: 'Hi {{ name }}' })).toMatchObject([{ part: 'preheader', line: 1 }]);
  });

  it('is none of ours, none that the template sets, none with the filter default, none that its own condition guards', async () => {
    const source = [
      '{{ subscriber.id }}{{ subscriber.email }}{{ subscriber.locale }}{{ project.name }}{{ postal_address }}{{ unsubscribe_url }}{{ message_id }}{{ campaign.name }}',
      '{% assign total = 3 %}{{ total }}{% capture box %}x{% endcapture %}{{ box }}{% increment n %}{{ n }}',
      '{% for item in items %}{{ item.name }}{{ forloop.index }}{% endfor %}',
      '{{ nickname | default: "friend" }}',
    ].join('\n');
    expect(await problems({ source, defaults: { items: [] } })).toEqual([]);
    const guarded = await problems({ source: '{% if coupon %}Use {{ coupon.code }}{% endif %}' });
    expect(guarded).toMatchObject([{ severity: 'warning', code: 'template.unknown_variable', line: 1 }]);
  });

  it('is a field that project, campaign or subscriber do not have', async () => {
    for (const source of ['{{ project.secret }}', '{{ campaign.budget }}', '{{ subscriber.password }}']) {
      expect(await problems({ source }), source).toMatchObject([{ severity: 'error', code: 'template.unknown_variable' }]);
    }
  });
});

describe('MJML', () => {
  it('that is not closed is named with the line of the component', async () => {
    expect(await problems({ kind: 'mjml', source: mjml('<mj-section>\n<mj-column>\n</mj-section>') })).toMatchObject([
      {
        severity: 'error',
        code: 'mjml.invalid',
        part: 'source',
        line: 4,
        message: expect.stringContaining('<mj-column> is not closed'),
      },
    ]);
    expect(await problems({ kind: 'mjml', source: '<mjml><mj-body>\n<mj-section>' })).toMatchObject([
      { line: 1 },
      { line: 1 },
      { line: 2 },
    ]);
    expect(
      await problems({ kind: 'mjml', source: mjml('<mj-section><mj-column><mj-text>Hi</mj-column></mj-section>') }),
    ).toMatchObject([{ line: 3, message: expect.stringContaining('<mj-text>') }]);
    expect(await problems({ kind: 'mjml', source: mjml('</mj-column>') })).toMatchObject([
      { line: 3, message: expect.stringContaining('closes nothing') },
    ]);
  });

  it('that is no MJML is refused', async () => {
    for (const source of ['hello', '<mjml></mjml>', '<mj-body></mj-body>', '<p>x</p>']) {
      expect(await problems({ kind: 'mjml', source }), source).toMatchObject([{ severity: 'error', code: 'mjml.invalid' }]);
    }
  });

  it('with an unknown component is an error, with an unknown attribute a warning, with Liquid in a colour neither', async () => {
    const source = mjml(
      '<mj-section><mj-column>\n<mj-foo />\n<mj-text color="{{ color }}" colour="red">\n{% comment %}\n\n{% endcomment %}x</mj-text>\n<mj-bar /></mj-column></mj-section>',
    );
    expect(await problems({ kind: 'mjml', source, defaults: { color: '#fff' } })).toMatchObject([
      { severity: 'error', line: 4, message: expect.stringContaining('mj-foo') },
      { severity: 'warning', line: 5, message: expect.stringContaining('colour') },
      { severity: 'error', line: 9, message: expect.stringContaining('mj-bar') },
    ]);
  });

  it('never includes a file', async () => {
    const source = mjml('<mj-include path="/etc/passwd" type="css" />\n<mj-section></mj-section>');
    expect(await problems({ kind: 'mjml', source })).toMatchObject([{ severity: 'error', code: 'mjml.include', line: 3 }]);
  });

  it('that would lose a Liquid tag between components says so', async () => {
    const lost = mjml('{% if vip %}\n<mj-section></mj-section>\n{% endif %}');
    expect(await problems({ kind: 'mjml', source: lost, defaults: { vip: false } })).toMatchObject([
      { severity: 'error', code: 'mjml.lost_liquid', line: 3 },
      { severity: 'error', code: 'mjml.lost_liquid', line: 5 },
    ]);
    const kept = mjml('<mj-raw>{% if vip %}</mj-raw>\n<mj-section></mj-section>\n<mj-raw>{% endif %}</mj-raw>');
    expect(await problems({ kind: 'mjml', source: kept, defaults: { vip: false } })).toEqual([]);
  });

  it('is refused in absurd depth, quickly', async () => {
    const source = mjml('<mj-wrapper>'.repeat(200) + '</mj-wrapper>'.repeat(200));
    expect((await problems({ kind: 'mjml', source })).some((problem) => problem.message.includes('100 deep'))).toBe(true);
  });
});

describe('a header', () => {
  it('that is ours, no token, broken or too long is an error', async () => {
    const headers = {
      Bcc: 'a@example.com',
      'message-id': 'x',
      'List-Unsubscribe': '<https://x.example>',
      'Content-Type': 'text/x',
      'X Y': 'z',
      'X:Y': 'z',
      'X-A': 'a\r\nBcc: b@example.com',
      'X-B': 'a\0',
      'X-C': 'x'.repeat(1500),
    };
    const found = await problems({ headers });
    expect(found.map((problem) => problem.code)).toEqual([
      'header.reserved',
      'header.reserved',
      'header.reserved',
      'header.reserved',
      'header.invalid',
      'header.invalid',
      'header.injection',
      'header.injection',
      'line.too_long',
    ]);
    expect(found.every((problem) => problem.part === 'headers' && problem.severity === 'error')).toBe(true);
    for (const name of ['.From', '.List-Unsubscribe', '..Bcc', '-Bcc', '\u200bBcc', 'X-Ü', 'X(y)'])
      expect(await problems({ headers: { [name]: 'x' } }), name).toMatchObject([{ code: 'header.invalid' }]);
    expect(await problems({ headers: { 'X-Fine': 'grün', 'In-Reply-To': '<a@example.com>' } })).toEqual([]);
  });

  it('with an author that would break it is an error', async () => {
    expect(await problems({ author: { name: 'A\r\nBcc: x', address: 'a@example.com' } })).toMatchObject([
      { code: 'header.injection' },
    ]);
    expect(await problems({ author: { address: 'a@example.com>\r\nBcc: x' } })).toMatchObject([{ code: 'header.invalid' }]);
    expect(await problems({ replyTo: { address: 'a, b@example.com' } })).toMatchObject([{ code: 'header.invalid' }]);
  });

  it('with Liquid, which would go out as it is written, is an error that names the field', async () => {
    const liquid = (what: string) => ({
      severity: 'error',
      code: 'header.liquid',
      part: 'headers',
      message: expect.stringMatching(`^${what} holds Liquid.*only subject, preheader, source and text`),
    });
    const address = 'a@example.com';
    expect(await problems({ author: { name: 'News for {{ name }}', address } })).toMatchObject([liquid('The author name')]);
    expect(await problems({ replyTo: { name: '{% if x %}A{% endif %}', address } })).toMatchObject([liquid('The reply-to name')]);
    expect(await problems({ replyTo: { address: '{{x}}@example.com' } })).toMatchObject([liquid('The reply-to address')]);
    expect(await problems({ headers: { 'X-Shop': '{{- shop }}' } })).toMatchObject([liquid('The value of the header "X-Shop"')]);
    expect(await problems({ author: { name: 'A {B} 5%}', address }, headers: { 'X-Json': '{"a":{"b":1}}' } })).toEqual([]);
  });
});

describe('a template that fails when it runs', () => {
  it('is found by a trial with the defaults alone', async () => {
    expect(await problems({ source: '{{ message_id | append }}' })).toMatchObject([
      { severity: 'warning', code: 'template.trial_failed' },
    ]);
    expect(await problems({ source: '<a href="{{ url }}">x</a>', defaults: { url: 'nowhere' } })).toMatchObject([
      { severity: 'warning', code: 'template.trial_failed', message: expect.stringContaining('{{ url }} becomes "nowhere"') },
    ]);
  });
});

describe('marketing content of a project without a postal address', () => {
  it('is refused', async () => {
    const project = { name: 'Acme', postalAddress: ' ', senderDomain: 'example.com' };
    expect(await renderer.check(content(), marketing({ project }))).toMatchObject([
      { severity: 'error', code: 'footer.no_postal_address' },
    ]);
  });
});

describe('empty content', () => {
  it('is an error', async () => {
    expect(await problems({ subject: ' ', source: '\n' })).toMatchObject([{ code: 'subject.empty' }, { code: 'source.empty' }]);
  });
});

describe('compile', () => {
  it('throws what check reports', async () => {
    await expect(renderer.compile(content({ source: '{{' }), marketing())).rejects.toThrow(ContentInvalid);
    await expect(renderer.freeze(content({ source: '{{' }), marketing())).rejects.toThrow(ContentInvalid);
  });
});
