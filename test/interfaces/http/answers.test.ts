import { describe, expect, it } from 'vitest';
import { NotFound } from '../../../src/domain/shared/errors.ts';
import { authorized, json, PROJECT, probeApp } from './support.ts';

describe('an answer', () => {
  const { app, clock } = probeApp();
  const get = (path: string, headers: Record<string, string> = {}) => {
    clock.now += 1000;
    return app.request(path, { headers: { ...authorized, ...headers } });
  };
  const path = `/v1/things/${PROJECT}`;

  it('has a tag that changes with its content, and its own caller alone may keep it', async () => {
    const [first, same, other] = await Promise.all([get(path), get(path), get(`${path}?limit=7`)]);
    const tag = first.headers.get('etag');
    expect(tag).toMatch(/^"[\w-]{22}"$/);
    expect(same.headers.get('etag')).toBe(tag);
    expect(other.headers.get('etag')).not.toBe(tag);
    expect(first.headers.get('cache-control')).toBe('private, no-cache');
    expect(first.headers.get('vary')).toBe('Authorization');
  });

  it('is not sent again to who has it', async () => {
    const tag = (await get(path)).headers.get('etag')!;
    for (const known of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
      const response = await get(path, { 'if-none-match': known });
      expect([known, response.status, await response.text()]).toEqual([known, 304, '']);
      expect(response.headers.get('etag')).toBe(tag);
    }
    for (const unknown of ['"other"', tag.slice(1, -1), '']) {
      expect((await get(path, { 'if-none-match': unknown })).status).toBe(200);
    }
  });

  it('is kept from who has only its tag', async () => {
    const tag = (await get(path)).headers.get('etag')!;
    expect((await app.request(path, { headers: { 'if-none-match': tag } })).status).toBe(401);
    expect((await app.request(path, { headers: { 'if-none-match': '*' } })).status).toBe(401);
  });

  it('to a change has none', async () => {
    clock.now += 1000;
    const response = await app.request('/v1/things', { method: 'POST', headers: json, body: '{"name":"x"}' });
    expect(response.status).toBe(201);
    expect(response.headers.has('etag')).toBe(false);
    expect(response.headers.get('cache-control')).toBe('no-store');
  });
});

describe('a download', () => {
  const { app, probe, clock, reported } = probeApp();
  const get = () => {
    clock.now += 1000;
    return app.request('/v1/file', { headers: authorized });
  };

  it('that cannot begin is a problem with a status', async () => {
    probe.failure = new NotFound('thing', 'x');
    expect((await get()).status).toBe(404);
    probe.failure = new Error('secret');
    expect((await get()).status).toBe(500);
    expect(reported).toHaveLength(1);
  });

  it('that fails later breaks off, is reported, and reveals nothing', async () => {
    reported.length = 0;
    probe.parts = ['a\r\n', 'b\r\n'];
    probe.failure = new Error('secret');
    const response = await get();
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow('A download broke off');
    expect(reported).toEqual([[probe.failure, { id: response.headers.get('x-request-id'), method: 'GET', route: '/v1/file' }]]);
  });

  it('is made no further than it is taken', async () => {
    reported.length = 0;
    const reader = (await get()).body!.getReader();
    await reader.read();
    await reader.cancel();
    expect(reported).toEqual([]);
  });
});
