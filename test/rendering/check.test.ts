import { describe, expect, it } from 'vitest';
import { type Content, ContentInvalid, type ContentProblem } from '../../src/domain/campaign/index.ts';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';
import { content, marketing, transactional } from './support.ts';

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
      message: expect.stringMatching(`^${what} contains Liquid.*subject, preheader, source and text only`),
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
