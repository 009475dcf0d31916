/**
 * What signatures cost: microseconds of CPU per message for all threads together and for the event loop alone, and messages per second
 * with several signatures on their way at once, as the bulk lane has them. No database, no wire.
 */
import { parseArgs } from 'node:util';
import { generateKeys } from '../../src/domain/access/index.ts';
import { DkimSigner } from '../../src/infrastructure/dkim/signer.ts';
import { median, rounded } from './support/machine.ts';
import { newsletter, SENDER_DOMAIN, type Size } from './support/newsletters.ts';
import type { BenchOutput } from './support/output.ts';

const MESSAGES = 1_000;
const ROUNDS = 7;
const AT_ONCE = 40;

export async function benchDkim(args: readonly string[], output: BenchOutput): Promise<void> {
  parseArgs({ args: [...args], options: {} });
  const keys = (await generateKeys()).map((key, index) => ({ ...key, selector: `pp0${index}` }));
  const [rsa, ed25519] = keys.map((key) => new DkimSigner(SENDER_DOMAIN, [key]));
  const both = new DkimSigner(SENDER_DOMAIN, keys);
  const rows = [];
  for (const size of ['5k', '40k'] as const)
    for (const [name, signer] of Object.entries({ rsa: rsa!, ed25519: ed25519!, both }))
      rows.push({ size, keys: name, ...(await measured(signer, messageOf(size))) });
  output.table('dkim: CPU in microseconds per message (median round)', rows);
  output.result({ bench: 'dkim', rows });
}

/** As long as a composed one, with lines and fields of its kind. */
function messageOf(size: Size): Buffer {
  const header = [
    `From: Acme <news@${SENDER_DOMAIN}>`,
    'To: <p1@example.net>',
    'Subject: Spring is here, Ann',
    'Date: Sat, 28 Nov 2026 10:00:00 +0000',
    `Message-ID: <${'m'.repeat(48)}@${SENDER_DOMAIN}>`,
    `List-Unsubscribe: <https://t.example.com/u/${'u'.repeat(86)}>`,
    'List-Unsubscribe-Post: List-Unsubscribe=One-Click',
    `List-Id: <0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.${SENDER_DOMAIN}>`,
    'MIME-Version: 1.0',
    'Content-Type: text/html; charset=utf-8',
    'Content-Transfer-Encoding: quoted-printable',
  ];
  const line = `${newsletter('5k').source.replaceAll('\n', ' ').slice(0, 75)}=\r\n`;
  const lines = Math.round((size === '5k' ? 5_000 : 40_000) / line.length);
  return Buffer.from(`${header.join('\r\n')}\r\n\r\n${line.repeat(lines)}`);
}

async function measured(signer: DkimSigner, message: Buffer) {
  const at = new Date();
  const round = async () => {
    const cpu = process.cpuUsage();
    const loop = process.threadCpuUsage();
    const begun = performance.now();
    const turn = async (): Promise<void> => {
      for (let count = 0; count < MESSAGES / AT_ONCE; count += 1) await signer.sign(message, at);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, turn));
    const seconds = (performance.now() - begun) / 1_000;
    const all = process.cpuUsage(cpu);
    const own = process.threadCpuUsage(loop);
    return { all: (all.user + all.system) / MESSAGES, own: (own.user + own.system) / MESSAGES, perSecond: MESSAGES / seconds };
  };
  await round();
  const rounds = [];
  for (let count = 0; count < ROUNDS; count += 1) rounds.push(await round());
  return {
    microseconds: rounded(median(rounds.map(({ all }) => all)), 1),
    eventLoop: rounded(median(rounds.map(({ own }) => own)), 1),
    perSecond: Math.round(median(rounds.map(({ perSecond }) => perSecond))),
  };
}
