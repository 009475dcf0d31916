/** A host in a process of its own: sends a campaign, stops, says what is open then and was not before, and ends by itself. */
import { createPennypost } from '../../../src/interfaces/npm/index.ts';
import { eventually } from '../../support/processes.ts';
import { draft, reaches } from './campaigns.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'beforeExit', 'exit', 'uncaughtException', 'unhandledRejection', 'warning'];
const open = (): string =>
  [
    ...process.getActiveResourcesInfo().filter((name) => /Wrap|Timeout|Worker|Port/.test(name)),
    ...SIGNALS.flatMap((name) => process.listeners(name as 'exit').map(() => `on ${name}`)),
  ]
    .sort()
    .join(' ');

process.stdout.write('{"working":true}\n');
const before = open();
const pennypost = await createPennypost({ database: process.argv[2] ?? '', secretKey: process.argv[3] });
await pennypost.start();
const { projectId, campaignId } = await draft(pennypost);
await pennypost.project(projectId).campaigns.launch(campaignId);
await reaches(pennypost, projectId, campaignId, 'submitted');
const { states } = await pennypost.project(projectId).campaigns.report(campaignId);
const { status } = await pennypost.fetch(new Request('http://host/health/ready'));
const received = pennypost.inbox?.received();
await pennypost.stop();
// Sockets that were closed say so some turns of the loop later. A pool that was forgotten keeps its own for ten seconds.
await eventually(`${before}, and not ${open()}`, () => open() === before, 2_000);
process.stdout.write(`${JSON.stringify({ received, submitted: states.submitted, status })}\n`);
