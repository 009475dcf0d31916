/** Files of a project that has installed the package; as texts, since here they would be compiled against the sources. */

export const CONSUMER_TSCONFIG = JSON.stringify({
  compilerOptions: {
    target: 'es2024',
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    skipLibCheck: false,
    types: ['node'],
    noEmit: true,
  },
  include: ['*.ts'],
});

export const CONSUMER = `
import {
  type Campaign,
  type CampaignInput,
  type ContentInput,
  createPennypost,
  DomainError,
  type Pennypost,
  type PennypostOptions,
} from 'pennypost';
import { createInterface } from 'node:readline';

const [database = '', secretKey = '', smtp = ''] = process.argv.slice(2);
const options: PennypostOptions = { database: { url: database }, secretKey, smtp, publicUrl: 'https://example.com/mail', logLevel: 'error' };
const pennypost: Pennypost = await createPennypost(options);
await pennypost.start();

const { project } = await makeProject('Consumer');
const list = await pennypost.audience.createList(project.id, { name: 'Everybody' });
const { subscriber } = await pennypost.audience.upsertSubscriber(project.id, { email: 'ada@example.net', attributes: { first_name: 'Ada' } });
await pennypost.audience.subscribe(project.id, list.id, subscriber.id);
await pennypost.imports.run(project.id, file('email,first_name\\nbo@example.net,Bo\\ncy@example.net,\\n'), { lists: [list.id] });

const content: ContentInput = {
  kind: 'mjml',
  subject: 'For {{ first_name }}',
  source: '<mjml><mj-body><mj-section><mj-column><mj-text><a href="https://example.com/offer">Look</a></mj-text></mj-column></mj-section></mj-body></mjml>',
  author: { name: 'Letters', address: 'letters@news.example.com' },
  defaults: { first_name: 'friend' },
};
const template = await pennypost.templates.create(project.id, 'Letter', content);
const input: CampaignInput = { name: 'First', templateId: template.id, lists: [list.id] };
const draft: Campaign = await pennypost.campaign.create(project.id, input);
const { id, audience } = await pennypost.campaign.launch(project.id, draft.id);
while ((await pennypost.campaign.get(project.id, id)).state !== 'submitted') await new Promise((resolve) => setTimeout(resolve, 50));

console.log('submitted');
// What recipients do with their links, one a line; as a mail program or a mail provider would.
for await (const line of createInterface({ input: process.stdin })) {
  const [method = '', link = ''] = line.split(' ');
  await pennypost.fetch(new Request(link, { method }));
}
const report = await pennypost.reports.campaign(project.id, id);
const api = (path: string) => pennypost.fetch(new Request('http://localhost' + path));
const { info } = await (await api('/openapi.json')).json() as { info: { version: string } };

console.log(JSON.stringify({
  audience,
  submitted: report.states.submitted,
  clicked: report.clicked.unique,
  unsubscribed: report.unsubscribed,
  version: info.version,
  errors: (await api('/docs/errors')).status,
  reference: (await api('/docs/scalar.js')).status,
  refused: await pennypost.campaign.get(project.id, list.id).then(() => 'nothing', (error: unknown) => error instanceof DomainError ? error.code : error),
}));
await pennypost.stop();

async function makeProject(name: string) {
  return { project: await pennypost.access.createProject({ name, senderDomain: 'news.example.com', postalAddress: '1 Road, Town' }) };
}

async function* file(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

// What must not pass.
() => {
  // @ts-expect-error a campaign needs a name that is a text
  void pennypost.campaign.create(project.id, { ...input, name: 5 });
  // @ts-expect-error there is no such option
  void createPennypost({ databse: '' });
  // @ts-expect-error verbs are promises
  pennypost.campaign.get(project.id, id).state;
};
`;
