import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Campaign, type CampaignState, Template } from '../../../src/domain/campaign/index.ts';
import { AT, aContent, CAMPAIGN, idOf, PROJECT } from '../../support/builders-delivery.ts';

const LATER = new Date(AT.getTime() + 3_600_000);

const aCampaign = (given: { name?: string; lists?: readonly string[] } = {}): Campaign =>
  new Campaign(
    PROJECT,
    CAMPAIGN,
    {
      name: given.name ?? 'Spring',
      content: aContent(),
      audience: { include: (given.lists ?? [idOf(1)]).map((list) => ({ list })), exclude: [] },
      trackOpens: true,
      trackClicks: true,
    },
    AT,
  );

const verbs = {
  schedule: (campaign: Campaign) => campaign.schedule(LATER, AT),
  unschedule: (campaign: Campaign) => campaign.unschedule(),
  launch: (campaign: Campaign) => campaign.launch(AT),
  pause: (campaign: Campaign) => campaign.pause(null),
  resume: (campaign: Campaign) => campaign.resume(),
  cancel: (campaign: Campaign) => campaign.cancel(),
  finish: (campaign: Campaign) => campaign.finish(AT),
  settle: (campaign: Campaign) => campaign.settle(AT),
  reopen: (campaign: Campaign) => campaign.reopen(),
} as const;
type Verb = keyof typeof verbs;
type Mark = CampaignState | 'retrying' | 'paused while retrying';

/** What every verb does in every situation; what is missing is refused. `retrying`: submitted, and somebody is still tried. */
const TABLE: Readonly<Record<Mark, Partial<Record<Verb, Mark>>>> = {
  draft: { schedule: 'scheduled', launch: 'sending', cancel: 'cancelled' },
  scheduled: { unschedule: 'draft', launch: 'sending', cancel: 'cancelled' },
  sending: { pause: 'paused', finish: 'retrying', cancel: 'cancelled' },
  paused: { resume: 'sending', finish: 'retrying', cancel: 'cancelled' },
  retrying: { pause: 'paused while retrying', settle: 'submitted', cancel: 'cancelled', reopen: 'retrying' },
  'paused while retrying': { resume: 'retrying', cancel: 'cancelled' },
  submitted: { settle: 'submitted', reopen: 'retrying' },
  cancelled: {},
};

const markOf = (campaign: Campaign): Mark => {
  if (campaign.state === 'submitted') return campaign.settledAt === null ? 'retrying' : 'submitted';
  if (campaign.state === 'paused' && campaign.submittedAt !== null) return 'paused while retrying';
  return campaign.state;
};

describe('the state machine of a campaign', () => {
  it('allows what its table allows and refuses the rest without a trace', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...(Object.keys(verbs) as Verb[])), { maxLength: 30 }), (steps) => {
        const campaign = aCampaign();
        for (const verb of steps) {
          const mark = markOf(campaign);
          // Settling and finishing are the engine's: it asks only where there is something to settle or to finish.
          if (verb === 'settle' && mark !== 'retrying' && mark !== 'submitted') continue;
          if (verb === 'finish' && mark === 'paused while retrying') continue;
          const next = TABLE[mark][verb];
          const before = { ...campaign };
          if (next === undefined) {
            expect(() => verbs[verb](campaign)).toThrow(expect.objectContaining({ code: 'campaign.transition_refused' }));
            expect({ ...campaign }).toEqual(before);
          } else {
            verbs[verb](campaign);
            expect(markOf(campaign)).toBe(next);
          }
          if (campaign.state === 'sending' || campaign.state === 'submitted') expect(campaign.launchedOn).toBe('2026-11-22');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('says in which state it refused what, and what that needs', () => {
    const campaign = aCampaign();
    expect(() => campaign.resume()).toThrow('The campaign is a draft. Only a paused campaign can be resumed.');
    campaign.launch(AT);
    expect(() => campaign.launch(AT)).toThrow('The campaign is sending. A campaign is launched once: ');
    campaign.cancel();
    expect(() => campaign.pause(null)).toThrow('The campaign is cancelled. Only a launched campaign that still has mail to send');
  });

  it('says what to do before a resend', () => {
    const campaign = aCampaign();
    const refusal = (way: string) =>
      `The campaign is ${campaign.state === 'draft' ? 'a draft' : campaign.state}. A resend needs a submitted campaign, ${way}`;
    const needed = 'in which every recipient has a first outcome.';
    expect(() => campaign.reopen()).toThrow(refusal(`${needed} Launch it first.`));
    campaign.launch(AT);
    expect(() => campaign.reopen()).toThrow(refusal(`${needed} Wait until it is submitted, or cancel it to stop sending.`));
    campaign.pause(null);
    expect(() => campaign.reopen()).toThrow(refusal(`${needed} Resume it, and wait until it is submitted.`));
    campaign.cancel();
    expect(() => campaign.reopen()).toThrow(refusal(`${needed} Create another campaign for the remaining recipients.`));
  });
});

describe('a campaign', () => {
  it('can be edited as a draft only', () => {
    const campaign = aCampaign();
    campaign.edit({ name: ' Summer ', trackOpens: false, audience: { include: [], exclude: [{ list: idOf(2) }] } });
    expect(campaign).toMatchObject({
      name: 'Summer',
      trackOpens: false,
      audience: { include: [], exclude: [{ list: idOf(2) }] },
    });
    campaign.edit({ audience: { include: [{ list: idOf(1) }], exclude: [] } });
    campaign.schedule(LATER, AT);
    expect(() => campaign.edit({ name: 'Autumn' })).toThrow(expect.objectContaining({ code: 'campaign.not_editable' }));
    expect(campaign.name).toBe('Summer');
  });

  it.each(['', '   ', 'x'.repeat(201), 'a\0b', 'a\nb'])('is not named %j', (name) => {
    expect(() => aCampaign({ name })).toThrow(expect.objectContaining({ pointer: '/name' }));
    expect(() => aCampaign().edit({ name })).toThrow(expect.objectContaining({ pointer: '/name' }));
    expect(() => new Template(PROJECT, idOf(1), name, aContent(), AT)).toThrow(expect.objectContaining({ pointer: '/name' }));
  });

  it('is scheduled for the future', () => {
    expect(() => aCampaign().schedule(AT, AT)).toThrow(expect.objectContaining({ pointer: '/at' }));
    const campaign = aCampaign();
    campaign.schedule(LATER, AT);
    expect(campaign.scheduledAt).toEqual(LATER);
    campaign.unschedule();
    expect(campaign.scheduledAt).toBeNull();
  });

  it('remembers why its scheduled launch did not happen, until it is scheduled or launched anew', () => {
    for (const verb of ['schedule', 'launch'] as const) {
      const campaign = aCampaign();
      campaign.schedule(LATER, AT);
      campaign.unschedule('no public URL');
      expect(campaign).toMatchObject({ state: 'draft', scheduledAt: null, launchFailure: 'no public URL' });
      verbs[verb](campaign);
      expect(campaign.launchFailure).toBeNull();
    }
  });

  it('needs a list before it is scheduled or launched', () => {
    for (const verb of ['schedule', 'launch'] as const)
      expect(() => verbs[verb](aCampaign({ lists: [] }))).toThrow(expect.objectContaining({ pointer: '/audience/include' }));
  });

  it('remembers why a rule paused it until it goes on', () => {
    const campaign = aCampaign();
    campaign.launch(AT);
    campaign.pause('500 transport errors in a row');
    expect(campaign.pauseReason).toBe('500 transport errors in a row');
    campaign.resume();
    expect(campaign.pauseReason).toBeNull();
  });

  it.each([
    ['draft', []],
    ['submitted', ['launch', 'finish', 'settle']],
    ['cancelled', ['cancel']],
  ] as const)('can be archived when it is %s, once', (_, steps) => {
    const campaign = aCampaign();
    for (const verb of steps) verbs[verb](campaign);
    campaign.archive(AT);
    campaign.archive(LATER);
    expect(campaign.archivedAt).toEqual(AT);
  });

  it.each([
    ['scheduled', ['schedule']],
    ['sending', ['launch']],
    ['paused', ['launch', 'pause']],
  ] as const)('cannot be archived while it is %s: nobody would see it go', (_, steps) => {
    const campaign = aCampaign();
    for (const verb of steps) verbs[verb](campaign);
    expect(() => campaign.archive(AT)).toThrow();
    expect(campaign.archivedAt).toBeNull();
  });
});
