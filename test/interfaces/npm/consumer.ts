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
  type ProjectVerbs,
} from 'pennypost';
import { createInterface } from 'node:readline';

const [database = '', secretKey = '', smtp = ''] = process.argv.slice(2);
const options: PennypostOptions = { database: { url: database }, secretKey, smtp, publicUrl: 'https://example.com/mail', logLevel: 'error' };
const pennypost: Pennypost = await createPennypost(options);
await pennypost.start();

const { id: projectId, slug } = await makeProject('Consumer');
const news: ProjectVerbs = pennypost.project(slug);
const list = await news.lists.create({ name: 'Everybody' });
const subscriber = await news.subscribers.upsert({ email: 'ada@example.net', attributes: { first_name: 'Ada' } });
await news.subscribers.subscribe(subscriber.id, list.id);
await news.imports.create(file('email,first_name\\nbo@example.net,Bo\\ncy@example.net,\\n'), { lists: [list.id] });

const content: ContentInput = {
  kind: 'mjml',
  subject: 'For {{ first_name }}',
  source: '<mjml><mj-body><mj-section><mj-column><mj-text><a href="https://example.com/offer">Look</a></mj-text></mj-column></mj-section></mj-body></mjml>',
  author: { name: 'Letters', address: 'letters@news.example.com' },
  defaults: { first_name: 'friend' },
};
const template = await news.templates.create({ name: 'Letter', content });
const input: CampaignInput = { name: 'First', templateId: template.id, audience: { include: [{ list: list.id }] } };
const draft: Campaign = await news.campaigns.create(input);
const { id, recipients } = await news.campaigns.launch(draft.id);
while ((await news.campaigns.get(id)).state !== 'submitted') await new Promise((resolve) => setTimeout(resolve, 50));

console.log('submitted');
// What recipients do with their links, one a line; as a mail program or a mail provider would.
for await (const line of createInterface({ input: process.stdin })) {
  const [method = '', link = ''] = line.split(' ');
  await pennypost.fetch(new Request(link, { method }));
}
const report = await news.campaigns.report(id);
const api = (path: string) => pennypost.fetch(new Request('http://localhost' + path));
const { info } = await (await api('/openapi.json')).json() as { info: { version: string } };

console.log(JSON.stringify({
  recipients,
  submitted: report.states.submitted,
  clicked: report.clicked.unique,
  unsubscribed: report.unsubscribed,
  version: info.version,
  errors: (await api('/docs/errors')).status,
  reference: (await api('/docs/scalar.js')).status,
  refused: await news.campaigns.get(list.id).then(() => 'nothing', (error: unknown) => error instanceof DomainError ? error.code : error),
}));
await pennypost.stop();

async function makeProject(name: string) {
  return pennypost.projects.create({ name, senderDomain: 'news.example.com', postalAddress: '1 Road, Town' });
}

async function* file(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

// What must not pass.
() => {
  // @ts-expect-error a campaign needs a name that is a text
  void news.campaigns.create({ ...input, name: 5 });
  // @ts-expect-error the project is bound once
  void news.campaigns.launch(projectId, id);
  // @ts-expect-error what belongs to a project is reached through it
  void pennypost.lists;
  // @ts-expect-error there is no such option
  void createPennypost({ databse: '' });
  // @ts-expect-error verbs are promises
  news.campaigns.get(id).state;
};
`;
