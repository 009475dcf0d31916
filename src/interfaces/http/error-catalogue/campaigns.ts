import type { ErrorSection } from './section.ts';

export const CAMPAIGNS: ErrorSection = {
  title: 'Campaigns and content',
  errors: {
    'campaign.list_missing': {
      kind: 'conflict',
      meaning: 'A list that the campaign includes or excludes was deleted.',
      remedy: 'Choose the lists of the campaign again.',
    },
    'campaign.not_editable': {
      kind: 'conflict',
      meaning: 'Content and audience are frozen at launch.',
      remedy: 'Edit drafts only. To change a launched campaign, cancel it and send another.',
    },
    'campaign.slug_taken': {
      kind: 'conflict',
      meaning: 'Another campaign of the project, possibly an archived one, has this slug.',
      remedy: 'Choose another slug, or omit it: it is then made from the name, with a number.',
    },
    'campaign.transition_refused': {
      kind: 'conflict',
      meaning: 'The campaign’s state does not allow this, for example pausing one that is finished.',
      remedy: 'The message names the state and what the step needs.',
    },
    'campaign.audience_empty': {
      kind: 'conflict',
      meaning: 'No subscriber of the chosen lists may be mailed.',
      remedy: 'Check the lists, the excluded lists, and whether subscriptions are confirmed.',
    },
    'campaign.public_url_not_secure': {
      kind: 'conflict',
      meaning: 'The public URL, which links in mail begin with, is not https.',
      remedy:
        'Set `PENNYPOST_PUBLIC_URL` to an https address. Plain http is accepted on loopback and for the development inbox only.',
    },
    'campaign.edited_meanwhile': {
      kind: 'conflict',
      meaning: 'The campaign was edited while it was being launched.',
      remedy: 'Check the edit, then launch again.',
    },
    'campaign.run_open': {
      kind: 'conflict',
      meaning: 'A run of this campaign (the launch, a retry or a resend) has not ended yet.',
      remedy: 'Wait until its report shows no pending recipients, then resend.',
    },
    'campaign.not_launched': {
      kind: 'conflict',
      meaning: 'Progress was requested before the campaign was launched.',
      remedy: 'Launch it. `--watch` follows it.',
    },
    'content.invalid': {
      kind: 'invalid',
      meaning: 'The content cannot be sent; `problems` lists each fault with part and line.',
      remedy: 'Correct what `problems` names. `pennypost campaign preview` shows the same without sending.',
    },
    'content.file_invalid': {
      kind: 'invalid',
      meaning: 'The front matter of a content file cannot be read; the message names the line.',
      remedy: 'Correct that line. The page on content files (docs/newsletter/content.md) describes the format.',
    },
    'content.render_failed': {
      kind: 'invalid',
      meaning: 'The content cannot be rendered for this recipient’s data.',
      remedy: 'Give the variable a default, or correct the attribute. Only this message fails, not the campaign.',
    },
    'content.busy': {
      kind: 'unavailable',
      meaning: 'Too many contents wait in this process to be checked, compiled or previewed.',
      remedy: 'Try again in a few seconds.',
    },
    'link.unsafe': {
      kind: 'invalid',
      meaning: 'A link is not absolute, not http or https, or hides its destination.',
      remedy: 'Write it out as `https://host/...`.',
    },
  },
};
