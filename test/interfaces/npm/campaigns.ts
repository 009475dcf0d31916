import type { CampaignInput, Pennypost } from '../../../src/interfaces/npm/index.ts';
import { eventually } from '../../support/processes.ts';

export const ADA_AND_BO = 'email,first_name\nada@example.net,Ada\nbo@example.net,Bo\n';

/** A project with a list of the people in `csv`, and a draft for all of them. */
export async function draft(
  pennypost: Pennypost,
  csv = ADA_AND_BO,
  content: Partial<CampaignInput['content']> = {},
): Promise<{ projectId: string; campaignId: string }> {
  const project = await pennypost.projects.create({
    name: 'Letters',
    senderDomain: 'news.example.com',
    postalAddress: '1 Road, Town',
  });
  const list = await pennypost.project(project.id).lists.create({ name: 'Everybody' });
  await pennypost.project(project.id).imports.create(octets(csv), { lists: [list.id] });
  const campaign = await pennypost.project(project.id).campaigns.create({
    name: 'First',
    audience: { include: [{ list: list.id }] },
    content: {
      kind: 'html',
      subject: 'Hello {{ first_name }}',
      source: '<p>Hello {{ first_name }}, <a href="https://example.com/offer">look</a>. {{ seats }}</p>',
      author: { address: 'hello@news.example.com' },
      defaults: { first_name: 'friend', seats: 'no seats' },
      ...content,
    },
  });
  return { projectId: project.id, campaignId: campaign.id };
}

export async function reaches(pennypost: Pennypost, projectId: string, campaignId: string, state: string): Promise<void> {
  await eventually(
    `the campaign to be ${state}`,
    async () => (await pennypost.project(projectId).campaigns.get(campaignId)).state === state,
  );
}

async function* octets(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
