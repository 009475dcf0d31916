import { createSocket, type Socket } from 'node:dgram';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemDns } from '../../src/infrastructure/network/dns.ts';

/** A name server of the test's own, on loopback: it answers by the name that is asked for. */
let server: Socket;
let dns: SystemDns;

const CODES: Readonly<Record<string, number>> = { servfail: 2, nxdomain: 3, refused: 5 };
const label = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
const nameOf = (text: string): Buffer => Buffer.concat([...text.split('.').filter(Boolean).map(label), Buffer.from([0])]);
const sixteen = (...values: number[]): Buffer => Buffer.concat(values.map((value) => Buffer.from([value >> 8, value & 255])));

/** Record data by the first label of the name. */
const DATA: Readonly<Record<string, readonly Buffer[]>> = {
  txt: [Buffer.concat([label('v=DKIM1; p=AAA'), label('BBB')]), label('other')],
  mx: [Buffer.concat([sixteen(10), nameOf('MX1.example.com')]), Buffer.concat([sixteen(20), nameOf('mx2.example.com')])],
  nullmx: [Buffer.concat([sixteen(0), nameOf('')])],
  a: [Buffer.from([203, 0, 113, 7])],
  aaaa: [Buffer.from('20010db8000000000000000000000001', 'hex')],
  '7': [nameOf('Mail.Example.com')],
  empty: [],
};

function answerTo(question: Buffer): Buffer {
  const end = question.indexOf(0, 12) + 5;
  const first = question
    .subarray(13, 13 + question[12]!)
    .toString()
    .toLowerCase();
  const asked = question.subarray(12, end);
  const data = DATA[first] ?? [];
  // The type of the answer is that of the question; its name is a pointer to it.
  const records = data.map((one) =>
    Buffer.concat([sixteen(0xc00c), question.subarray(end - 4, end), sixteen(0, 60), sixteen(one.length), one]),
  );
  const header = Buffer.concat([question.subarray(0, 2), sixteen(0x8180 | (CODES[first] ?? 0), 1, records.length, 0, 0)]);
  return Buffer.concat([header, asked, ...records]);
}

beforeAll(async () => {
  server = createSocket('udp4');
  server.on('message', (question, { port, address }) => server.send(answerTo(question), port, address));
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  dns = new SystemDns([`127.0.0.1:${server.address().port}`]);
});
afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));

describe('the name servers of the machine', () => {
  it.each([
    ['txt.example.com', 'TXT', ['v=DKIM1; p=AAABBB', 'other']],
    ['mx.example.com', 'MX', ['10 mx1.example.com', '20 mx2.example.com']],
    ['nullmx.example.com', 'MX', ['0 .']],
    ['a.example.com', 'A', ['203.0.113.7']],
    ['aaaa.example.com', 'AAAA', ['2001:db8::1']],
    ['203.0.113.7', 'PTR', ['mail.example.com']],
  ] as const)('answer for %s %s', async (name, type, values) => {
    const answer = await dns.ask(name, type);
    expect(answer.kind === 'found' ? [...answer.values].sort() : answer).toEqual([...values].sort());
  });

  it.each([
    ['nxdomain.example.com', { kind: 'absent', why: 'no_name' }],
    ['empty.example.com', { kind: 'absent', why: 'no_record' }],
    ['servfail.example.com', { kind: 'failed', why: 'server_failure' }],
    ['refused.example.com', { kind: 'failed', why: 'refused' }],
    [`${'x'.repeat(64)}.example.com`, { kind: 'absent', why: 'no_name' }],
  ])('say what %s is', async (name, answer) => {
    expect(await dns.ask(name, 'TXT')).toEqual(answer);
  });

  it('may be away', async () => {
    const away = createSocket('udp4');
    await new Promise<void>((resolve) => away.bind(0, '127.0.0.1', resolve));
    const { port } = away.address();
    await new Promise<void>((resolve) => away.close(() => resolve()));
    expect(await new SystemDns([`127.0.0.1:${port}`]).ask('txt.example.com', 'TXT')).toMatchObject({ kind: 'failed' });
  });
});
