import type { ErrorSection } from './section.ts';

export const CONTENT: ErrorSection = {
  title: 'Problems in content',
  about:
    '`content.invalid` lists these under `problems`. `severity` is `error` where the problem prevents sending, otherwise `warning`.',
  errors: {
    'subject.empty': {
      kind: 'content',
      meaning: 'The subject is empty.',
      remedy: 'Write one.',
    },
    'source.empty': {
      kind: 'content',
      meaning: 'There is no content.',
      remedy: 'Write some, or choose a template.',
    },
    'source.too_long': {
      kind: 'content',
      meaning: 'A part of the content exceeds the size limit.',
      remedy: 'Shorten it. Host pictures on a web server and not in the source.',
    },
    'content.too_complex': {
      kind: 'content',
      meaning: 'Processing the content took longer than 10 s, or more than 256 MB, and was stopped.',
      remedy: 'Make it smaller, or its loops, lists and styles simpler.',
    },
    'content.more_problems': {
      kind: 'content',
      meaning: 'Only the first 100 problems are listed.',
      remedy: 'Correct those first.',
    },
    'template.syntax': {
      kind: 'content',
      meaning: 'The part is not valid Liquid; the line is named.',
      remedy: 'Correct the tag or filter at that line.',
    },
    'template.unknown_variable': {
      kind: 'content',
      meaning:
        'The content prints a variable that subscribers may lack and that has no default. As a warning: a condition tests such a variable.',
      remedy: 'Correct its name, declare a default, or guard it: `{% if name %}`.',
    },
    'template.foreign_tag': {
      kind: 'content',
      meaning:
        'Warning: a merge tag of another system (`[[name]]`, `%recipient.name%`, `{{{name}}}` and the like) would be sent as written.',
      remedy: 'Write it in Liquid; the message names the form.',
    },
    'template.raw_output': {
      kind: 'content',
      meaning: 'Warning: a value is printed as markup.',
      remedy: 'Use the filter `raw` only for values that you write yourself.',
    },
    'template.trial_failed': {
      kind: 'content',
      meaning: 'Warning: rendering with only the defaults fails; some recipients may end as `failed`.',
      remedy: 'Read the message; give a default, or a condition around the part.',
    },
    'mjml.invalid': {
      kind: 'content',
      meaning: 'MJML reports a fault at that line.',
      remedy: 'Correct the component or attribute. Faults that MJML tolerates are warnings.',
    },
    'mjml.include': {
      kind: 'content',
      meaning: '`<mj-include>` reads files, which content may not do.',
      remedy: 'Insert the included source in its place.',
    },
    'mjml.lost_liquid': {
      kind: 'content',
      meaning: 'MJML drops Liquid that stands between components.',
      remedy: 'Wrap it: `<mj-raw>{% if x %}</mj-raw>`.',
    },
    'html.unsafe': {
      kind: 'content',
      meaning: 'The tag runs or embeds something. Mail programs remove it, and spam filters distrust it.',
      remedy: 'Remove it; link to a page.',
    },
    'html.form': {
      kind: 'content',
      meaning: 'Warning: many mail programs remove forms.',
      remedy: 'Link to a page with the form.',
    },
    'html.invalid': {
      kind: 'content',
      meaning: 'More elements are open at once than a message may have (the message says how many); some are not closed.',
      remedy: 'Close them; the line is named.',
    },
    'html.unfinished': {
      kind: 'content',
      meaning: 'Warning: a tag or comment never ends, and readers do not see what follows.',
      remedy: 'Close it; the line is named.',
    },
    'html.clipped': {
      kind: 'content',
      meaning: 'Warning: the HTML is over 102 kB, where Gmail clips messages.',
      remedy: 'Shorten it, or move parts to a page.',
    },
    'link.invalid': {
      kind: 'content',
      meaning:
        'A web address cannot be used in mail: it has user information, a blank in the host, or a port or host that cannot exist.',
      remedy: 'Correct the address on the line that is named.',
    },
    'link.unquoted_liquid': {
      kind: 'content',
      meaning: 'A link has Liquid tags in its address and no quotation marks, so its end is unknown.',
      remedy: 'Put the address in quotation marks.',
    },
    'link.empty': {
      kind: 'content',
      meaning: 'Warning: a link with an empty address leads nowhere.',
      remedy: 'Write its destination, or remove it.',
    },
    'link.unknown_scheme': {
      kind: 'content',
      meaning: 'Warning: the link has a scheme that pennypost does not know. It is sent as written and not tracked.',
      remedy: 'Correct it if it is a typing error; leave it if it opens an app.',
    },
    'link.relative': {
      kind: 'content',
      meaning: 'Warning: a link without a host leads nowhere in a mail.',
      remedy: 'Write it out as `https://host/...`.',
    },
    'header.invalid': {
      kind: 'content',
      meaning: 'The name of a header, or an address in one, is not valid in a message.',
      remedy:
        'Use letters, digits and hyphens for names and begin with a letter or digit; give each name once; use plain ASCII for addresses.',
    },
    'header.reserved': {
      kind: 'content',
      meaning: 'Pennypost writes this header itself.',
      remedy: 'Remove it.',
    },
    'header.injection': {
      kind: 'content',
      meaning: 'A value holds a line break or a control character.',
      remedy: 'Write it on one line.',
    },
    'header.liquid': {
      kind: 'content',
      meaning: 'The author, the reply-to or a custom header holds Liquid, which is not evaluated there.',
      remedy: 'Write plain text; only subject, preheader, source and text may hold Liquid.',
    },
    'line.too_long': {
      kind: 'content',
      meaning: 'A line would be longer than the 998 octets that RFC 5322 allows.',
      remedy: 'Put spaces between words, or shorten the value.',
    },
    'footer.hidden': {
      kind: 'content',
      meaning:
        'The footer that marketing mail needs would not be visible: an unclosed tag, or `{% break %}` outside of a loop, hides the end of the message.',
      remedy: 'Close or remove the tag on the line that is named.',
    },
    'footer.missing': {
      kind: 'content',
      meaning: 'Marketing content with `footer: none` lacks an unsubscribe link or a postal address that every recipient sees.',
      remedy: 'Add what the message names, or use the project’s footer.',
    },
    'footer.no_postal_address': {
      kind: 'content',
      meaning: 'The project has no postal address, which the footer of marketing mail must show.',
      remedy: 'Set it: `pennypost project update --postal-address`.',
    },
  },
};
