// Hand-written long-polling: bodies, overlapping requests, ends, limits and heartbeats.

import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { Watcher, serve } from './conformance.mjs';
import { within } from './lib.mjs';
import { Polling, RS, answered, request } from './wire.mjs';

test('a POST and the response to a poll may contain several packets', async (t) => {
  const session = await Polling.open(await serve(t));
  const packets = ['4one', '4', '4ü 🎉', 'bAQID', 'b', 'bAQ==', '4{"a":1}', '4b', '4bAQID'];
  assert.equal(await session.post(packets.join(RS)), 'ok');
  assert.equal(await session.poll(), packets.join(RS));
  assert.equal(await session.post('4alone'), 'ok');
  assert.equal(await session.poll(), '4alone');
});

test('the response to a POST is text', async (t) => {
  const session = await Polling.open(await serve(t));
  const { headers, body } = await request(session.url, { method: 'POST', body: '4' });
  assert.equal(body, 'ok');
  assert.equal(headers['content-type'], 'text/html');
  assert.equal(headers['cache-control'], 'no-store');
});

test('a poll waits for a packet', async (t) => {
  const session = await Polling.open(await serve(t));
  for (let i = 0; i < 3; i += 1) {
    const poll = session.poll();
    await session.post(`4${i}`);
    assert.equal(await poll, `4${i}`);
  }
});

test('each message has the headers of its request', async (t) => {
  const session = await Polling.open(await serve(t));
  for (const name of ['Ann', 'Bob']) {
    await request(session.url, { method: 'POST', body: '4headers', headers: { 'X-Name': name } });
    const headers = JSON.parse((await session.poll()).slice(1));
    assert.equal(headers['x-name'], name);
    assert.equal(headers.host, `127.0.0.1:${session.server.port}`);
  }
});

test('a second simultaneous poll ends the session', async (t) => {
  const session = await Polling.open(await serve(t));
  const polls = [session.get(), session.get()];
  const answers = (await Promise.all(polls)).map(({ status, body }) => [status, body]);
  // The server may receive either poll first.
  assert.deepEqual(answers.sort(), [[200, '1'], [400, '']]);
  await session.gone();
});

test('a second simultaneous POST ends the session', async (t) => {
  const session = await Polling.open(await serve(t));
  const poll = await session.waiting();
  const first = http.request(session.url, { method: 'POST', agent: false, headers: { 'content-length': '10', expect: '100-continue' } });
  first.on('error', () => {});
  t.after(() => first.destroy());
  first.flushHeaders();
  // The response `100 Continue` shows that the server has received the request.
  await within(new Promise((resolve) => first.on('continue', resolve)), 'waiting for the first POST to be seen');
  first.write('4par');
  const { status, body } = await request(session.url, { method: 'POST', body: '4' });
  assert.deepEqual([status, body], [400, '']);
  assert.equal((await poll.answer).body, '1');
  await session.gone();
});

test('a body with an invalid packet ends the session', async (t) => {
  const server = await serve(t);
  for (const body of ['x', '', '7', '9', '!', RS, `4a${RS}x`, `4a${RS}`, 'ü', '{"a":1}']) {
    const session = await Polling.open(server);
    // The response depends on how much of the request the server has read.
    await request(session.url, { method: 'POST', body }).catch(() => {});
    await session.gone();
  }
});

test('a pending poll is answered when an invalid body ends the session', async (t) => {
  const session = await Polling.open(await serve(t));
  const poll = await session.waiting();
  await request(session.url, { method: 'POST', body: 'x' }).catch(() => {});
  assert.equal((await poll.answer).body, '1');
  await session.gone();
});

test('a ping from the client ends the session', async (t) => {
  const server = await serve(t);
  for (const body of ['2', '2probe']) {
    const session = await Polling.open(server);
    await request(session.url, { method: 'POST', body }).catch(() => {});
    await session.gone();
  }
});

test('packets without a meaning on polling are ignored', async (t) => {
  const session = await Polling.open(await serve(t));
  assert.equal(await session.post(['6', '3', '3probe', '5', '0', '0{}', '4a'].join(RS)), 'ok');
  assert.equal(await session.poll(), '4a');
});

test('a body with a binary content type is refused and ends the session', async (t) => {
  const session = await Polling.open(await serve(t));
  const { status } = await request(session.url, { method: 'POST', body: '4a', headers: { 'content-type': 'application/octet-stream' } });
  assert.equal(status, 400);
  await session.gone();
});

test('a CLOSE packet answers the pending poll and ends the session', async (t) => {
  const session = await Polling.open(await serve(t));
  const poll = await session.waiting();
  assert.equal(await session.post('1'), 'ok');
  assert.equal((await poll.answer).body, '6');
  await session.gone();
});

test('packets after a CLOSE packet are ignored', async (t) => {
  const session = await Polling.open(await serve(t));
  assert.equal(await session.post(`1${RS}4late`), 'ok');
  await session.gone();
});

test('an aborted poll ends the session', async (t) => {
  const server = await serve(t);
  const watcher = await Watcher.begin(t, server, 'default');
  const session = await Polling.join(server);
  const pending = http.get(session.url, { agent: false });
  pending.on('error', () => {});
  await within(new Promise((resolve) => pending.on('finish', resolve)), 'sending a poll');
  // The answered POST shows that the server has received the poll before it.
  await session.post('3');
  pending.destroy();
  assert.equal((await watcher.left(session.id)).reason, 'transport error');
  await session.gone();
});

const MAX_PAYLOAD = 1000;

test('a body over the limit is answered with 413 and an empty body', async (t) => {
  const server = await serve(t, { MAX_PAYLOAD: String(MAX_PAYLOAD) });
  const text = (length) => `4${'x'.repeat(length - 1)}`;
  for (const body of [text(MAX_PAYLOAD), `4${'ü'.repeat(499)}x`, `b${'A'.repeat(996)}`, [text(500), text(499)].join(RS)]) {
    const session = await Polling.open(server);
    assert.equal(await session.post(body), 'ok');
    assert.equal(await session.poll(), body);
  }
  for (const body of [text(MAX_PAYLOAD + 1), `4${'ü'.repeat(500)}`, `b${'A'.repeat(1000)}`, [text(500), text(500)].join(RS), text(100_000)]) {
    const session = await Polling.open(server);
    const { status, body: answer } = await request(session.url, { method: 'POST', body });
    assert.deepEqual([status, answer], [413, '']);
    // The same body in chunks, without a length in advance.
    const other = await Polling.open(server);
    const outgoing = http.request(other.url, { method: 'POST', agent: false, headers: { 'transfer-encoding': 'chunked' } });
    outgoing.on('error', () => {});
    outgoing.write(body);
    outgoing.end();
    const refused = await answered(outgoing, 'POST in chunks');
    assert.deepEqual([refused.status, refused.body], [413, '']);
  }
});

test('heartbeats begin after an interval and continue while they are answered', async (t) => {
  const session = await Polling.open(await serve(t, { PING_INTERVAL: '100', PING_TIMEOUT: '1000' }));
  const poll = session.poll();
  await session.post('4first');
  assert.equal(await poll, '4first', 'the first ping follows the interval');
  for (let i = 0; i < 3; i += 1) {
    assert.equal(await session.poll(), '2');
    await session.post('3');
  }
  assert.equal(await session.poll(), '2');
  assert.equal(await session.poll(), '1', 'a heartbeat without an answer ends the session');
  await session.gone();
});

test('a session without polls ends after interval and timeout', async (t) => {
  const server = await serve(t, { PING_INTERVAL: '100', PING_TIMEOUT: '1000' });
  const watcher = await Watcher.begin(t, server, 'default');
  const session = await Polling.join(server);
  assert.equal((await watcher.left(session.id)).reason, 'ping timeout');
  await session.gone();
});
