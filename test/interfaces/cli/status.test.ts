import { describe, expect, it } from 'vitest';
import { renderStatus } from '../../../src/interfaces/cli/status.ts';
import { closedWorkbench, commandLine } from './workshop.ts';

const now = new Date('2026-11-22T10:00:00Z');
const quiet = {
  databaseEnds: undefined,
  failingTransports: [],
  publicUrl: { stored: undefined, here: undefined },
  lanes: [{ lane: 'transactional', waiting: 0, active: 0, oldestAgeMs: 0 }],
  campaigns: { shards: 0, recipients: 0, oldestAgeMs: 0 },
  workers: [],
} as const;

describe('status', () => {
  it('says how much is waiting in every lane, and since when', () => {
    const busy = {
      databaseEnds: { count: 0, lastAt: undefined, lastReason: undefined },
      failingTransports: [],
      publicUrl: { stored: 'https://mail.example.com', here: undefined },
      lanes: [
        { lane: 'transactional', waiting: 3, active: 2, oldestAgeMs: 4_200 },
        { lane: 'bulk', waiting: 1, active: 0, oldestAgeMs: 0 },
      ],
      campaigns: { shards: 4, recipients: 31_234, oldestAgeMs: 187_000 },
      workers: [
        {
          id: 'x',
          host: 'node-1',
          pid: 42,
          responds: true,
          lanes: ['bulk'],
          startedAt: new Date('2026-11-22T09:00:00Z'),
          progress: { shards: 3, submitted: 12_345, perSecond: 980, unrecorded: 17 },
        },
      ],
    } as const;
    const lines = renderStatus(busy, now, undefined).split('\n');
    expect(lines[2]).toMatch(/^transactional +3 +2 +4\.2 s$/);
    expect(lines[4]).toMatch(/^campaign recipients +31,234 +– +3:07$/);
    expect(lines.at(-1)).toMatch(/^node-1:42 +bulk +1:00:00 +3 +12,345 +980 +17$/);
  });

  it('begins with how often the embedded database ended by itself', () => {
    const once = { count: 1, lastAt: new Date('2026-11-22T09:58:00Z'), lastReason: 'it was killed (SIGKILL)' };
    const first = (databaseEnds: typeof once) => renderStatus({ ...quiet, databaseEnds }, now, undefined).split('\n')[0];
    expect(first(once)).toBe(
      'The embedded database ended by itself once and was started again, last at 2026-11-22T09:58:00.000Z: it was killed (SIGKILL).',
    );
    expect(first({ ...once, count: 3 })).toContain('ended by itself 3 times');
  });

  it('says that another public URL is set here than the instance has', () => {
    const first = (here: string | undefined) =>
      renderStatus({ ...quiet, publicUrl: { stored: 'https://mail.example.com', here } }, now, undefined).split('\n')[0];
    expect(first('https://old.example.com')).toMatch(
      /^PENNYPOST_PUBLIC_URL is https:\/\/old\.example\.com here, but https:\/\/mail/,
    );
    expect([first('https://mail.example.com'), first(undefined)]).not.toContainEqual(expect.stringContaining('PUBLIC_URL'));
  });

  it('says which transports fail, why, and when they are tried again', () => {
    const failing = {
      projectId: 'p1',
      transport: 'main',
      state: 'open',
      cause: 'authentication',
      reason: '535 5.7.8 no',
      changedAt: now,
      nextTrialAt: new Date('2026-11-22T10:01:00Z'),
    } as const;
    expect(renderStatus({ ...quiet, failingTransports: [failing] }, now, undefined).split('\n')[0]).toBe(
      'The transport "main" of the project p1 fails (authentication: 535 5.7.8 no). Next trial: 2026-11-22T10:01:00.000Z.',
    );
  });

  it('says what keeps a worker from handing over', () => {
    const progress = { shards: 1, submitted: 0, perSecond: 0, unrecorded: 0, trouble: 'No connection to relay:25: ECONNREFUSED' };
    const worker = { id: 'x', host: 'node-1', pid: 42, responds: true, lanes: ['bulk'], startedAt: now, progress } as const;
    expect(
      renderStatus({ ...quiet, workers: [worker] }, now, undefined)
        .split('\n')
        .at(-1),
    ).toBe('node-1:42 cannot hand over and keeps trying: No connection to relay:25: ECONNREFUSED');
  });

  it('says at the end which worker gets nowhere, at what, and where its profile lies', () => {
    const progress = { shards: 1, submitted: 7, perSecond: 0, unrecorded: 20 };
    const worker = (pid: number) =>
      ({ id: `${pid}`, host: 'node-1', pid, responds: true, lanes: ['bulk'], startedAt: now }) as const;
    const at = '20 messages on 10 connections wait for a reply after the final dot from 127.0.0.1:25 (longest 31 s)';
    const workers = [
      { ...worker(41), progress: { ...progress, stuck: { at, forMs: 31_200 } } },
      { ...worker(42), progress },
      {
        ...worker(43),
        responds: false,
        progress: { ...progress, stuck: { at: 'blocked', forMs: 95_000, profile: '/x.cpuprofile' } },
      },
    ];
    expect(
      renderStatus({ ...quiet, workers }, now, { width: 80 })
        .split('\n')
        .slice(-5),
    ).toEqual([
      '',
      `node-1:41 is stuck for 31 s: ${at}`,
      '',
      'node-1:43 is stuck for 1:35: blocked',
      '  CPU profile: /x.cpuprofile',
    ]);
  });

  it('says how to start a worker when there is none', () => {
    expect(renderStatus(quiet, now, undefined)).toContain(
      'No worker is running. Start one with "pennypost serve" or "pennypost work".',
    );
  });
});

describe('doctor', () => {
  const findings = [
    { what: 'database', verdict: 'ok', found: 'PostgreSQL' },
    { what: 'SMTP', verdict: 'fail', found: 'nobody answers', advice: 'Check PENNYPOST_SMTP_URL.' },
  ] as const;
  const run = commandLine({ ...closedWorkbench, examine: async () => findings });

  it('shows every finding and what to do, and ends with 5 when something is broken', async () => {
    const { status, stdout } = await run(['doctor']);
    expect(status).toBe(5);
    expect(stdout).toMatch(/^ok +database +PostgreSQL$/m);
    expect(stdout).toMatch(/^fail +SMTP +nobody answers$/m);
    expect(stdout).toContain('What to do\n- SMTP: Check PENNYPOST_SMTP_URL.\n');
  });

  it('ends with 0 when there is nothing worse than a warning', async () => {
    const mild = commandLine({
      ...closedWorkbench,
      examine: async () => findings.map((finding) => ({ ...finding, verdict: 'warn' as const })),
    });
    const { status, json } = await mild(['doctor', '--json']);
    expect(status).toBe(0);
    expect(json).toMatchObject({ findings: [{ verdict: 'warn' }, { advice: 'Check PENNYPOST_SMTP_URL.' }] });
  });
});
