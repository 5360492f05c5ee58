// Hand-written upgrades: how a probe affects polling, and how unfinished upgrades end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serve } from './conformance.mjs';
import { Client } from './lib.mjs';
import { Polling, RS, open, refused, request } from './wire.mjs';

// A server whose upgrades do not time out.
const patient = (t) => serve(t, { UPGRADE_TIMEOUT: '600000' });

// Checks that polling works in both directions.
async function polls(session, text) {
  await session.post(`4${text}`);
  assert.equal(await session.poll(), `4${text}`);
}

// Polls until the response is not the NOOP packet `6`.
async function pollPast(session) {
  for (;;) {
    const body = await session.poll();
    if (body !== '6') return body;
  }
}

test('a probe releases the pending poll and every later one', async (t) => {
  const session = await Polling.open(await patient(t));
  const poll = session.poll();
  await session.probe(t);
  assert.equal(await poll, '6');
  for (let i = 0; i < 3; i += 1) assert.equal(await session.poll(), '6');
});

test('after the upgrade all packets go over the WebSocket', async (t) => {
  const session = await Polling.open(await patient(t));
  const client = await session.probe(t);
  client.send('5');
  client.send('4one');
  client.send(Buffer.from([1, 2, 3]));
  assert.equal(await client.next(), '4one');
  assert.deepEqual(await client.next('binary'), Buffer.from([1, 2, 3]));
});

test('messages sent during the probe arrive in order', async (t) => {
  const session = await Polling.open(await patient(t));
  await session.post('4before');
  const client = await session.probe(t);
  await session.post(['4during', 'bAQID'].join(RS));
  client.send('5');
  assert.equal(await client.next(), '4before');
  assert.equal(await client.next(), '4during');
  assert.deepEqual(await client.next('binary'), Buffer.from([1, 2, 3]));
  client.send('4after');
  assert.equal(await client.next(), '4after');
});

test('a poll takes the messages queued during the probe', async (t) => {
  const session = await Polling.open(await patient(t));
  const client = await session.probe(t);
  await session.post('4during');
  assert.equal(await pollPast(session), '4during');
  client.send('5');
  client.send('4after');
  assert.equal(await client.next(), '4after');
});

test('polling is refused after the upgrade, and a second WebSocket is closed', async (t) => {
  const session = await Polling.open(await patient(t));
  const client = await session.probe(t);
  client.send('5');
  client.send('4seen');
  assert.equal(await client.next(), '4seen');
  for (const options of [{}, { method: 'POST', body: '4late' }]) {
    const { status, body } = await request(session.url, options);
    assert.deepEqual([status, JSON.parse(body)], [400, { code: 3, message: 'Bad request' }]);
  }
  const second = await session.upgrade(t);
  await second.end();
  client.send('4still here');
  assert.equal(await client.next(), '4still here');
});

test('a second WebSocket during the probe is closed', async (t) => {
  const session = await Polling.open(await patient(t));
  const client = await session.probe(t);
  const second = await session.upgrade(t);
  await second.end();
  client.send('5');
  client.send('4still here');
  assert.equal(await client.next(), '4still here');
});

test('a WebSocket of an unknown session is refused', async (t) => {
  const server = await patient(t);
  const session = await Polling.open(server);
  await session.post('1');
  for (const sid of ['nobody', session.sid]) {
    const url = `${server.ws}/engine.io/?EIO=4&transport=websocket&sid=${sid}`;
    assert.deepEqual(await refused(url), { status: 400, body: 'Session ID unknown' });
  }
});

test('a probe without an upgrade times out, and polling continues', async (t) => {
  const session = await Polling.open(await serve(t, { UPGRADE_TIMEOUT: '200' }));
  const client = await session.probe(t);
  await client.end();
  await polls(session, 'still here');
  // Another upgrade may succeed.
  const next = await session.probe(t);
  next.send('5');
  next.send('4here');
  assert.equal(await next.next(), '4here');
});

test('a silent WebSocket times out, and polling continues', async (t) => {
  const session = await Polling.open(await serve(t, { UPGRADE_TIMEOUT: '200' }));
  const client = await session.upgrade(t);
  await polls(session, 'meanwhile');
  await client.end();
  await polls(session, 'still here');
});

test('any packet but a probe closes the WebSocket, and polling continues', async (t) => {
  const server = await patient(t);
  for (const packet of ['4early', '2', '2other', '3probe', '6', '1', 'x', Buffer.from([1])]) {
    const session = await Polling.open(server);
    const client = await session.upgrade(t);
    client.send(packet);
    await client.end();
    await polls(session, 'still here');
  }
});

test('any packet but an upgrade after the probe closes the WebSocket, and polling continues', async (t) => {
  const server = await patient(t);
  for (const packet of ['4early', '2', '6', '1', 'x', Buffer.from([1])]) {
    const session = await Polling.open(server);
    const client = await session.probe(t);
    client.send(packet);
    await client.end();
    await polls(session, 'still here');
  }
});

test('a WebSocket that is lost during the probe does not affect the session', async (t) => {
  const session = await Polling.open(await patient(t));
  const client = await session.probe(t);
  client.socket.terminate();
  await client.end();
  await polls(session, 'still here');
});

test('a session that ends during the probe closes the WebSocket', async (t) => {
  const session = await Polling.open(await patient(t));
  const client = await session.probe(t);
  await session.post('1');
  await client.end();
  await session.gone();
});

test('an upgraded session ends with its WebSocket', async (t) => {
  const session = await Polling.open(await patient(t));
  const client = await session.probe(t);
  client.send('5');
  client.send('4seen');
  assert.equal(await client.next(), '4seen');
  client.socket.close();
  await client.end();
  await session.gone();
});

test('heartbeats continue over the WebSocket', async (t) => {
  const session = await Polling.open(await serve(t, { PING_INTERVAL: '100', PING_TIMEOUT: '1000' }));
  const client = await session.probe(t);
  client.send('5');
  for (let i = 0; i < 3; i += 1) {
    assert.equal(await client.next(), '2');
    client.send('3');
  }
});

test('messages of an upgraded session have the headers of its WebSocket', async (t) => {
  const server = await patient(t);
  const session = await Polling.open(server);
  const url = `${server.ws}/engine.io/?EIO=4&transport=websocket&sid=${session.sid}`;
  const client = await Client.connect(t, url, { headers: { 'X-Name': 'Ann' } });
  client.send('2probe');
  assert.equal(await client.next(), '3probe');
  client.send('5');
  client.send('4headers');
  const headers = JSON.parse((await client.next()).slice(1));
  assert.equal(headers['x-name'], 'Ann');
  assert.equal(headers.upgrade, 'websocket');
  const direct = await open(t, server, '/engine.io/', { headers: { 'X-Name': 'Bob' } });
  direct.send('4headers');
  assert.equal(JSON.parse((await direct.next()).slice(1))['x-name'], 'Bob');
});

test('actions of a client on consecutive connections are seen in order', async (t) => {
  const server = await patient(t);
  for (let i = 0; i < 100; i += 1) {
    const session = await Polling.open(server);
    const client = await session.upgrade(t);
    // The client does not wait for the answer to the probe.
    client.send('2probe');
    client.send('5');
    // A busy server may read the request first, because it has another connection.
    const { status, body } = await session.get();
    if (status !== 400) assert.deepEqual([status, body], [200, '6'], `upgrade ${i}`);
    client.send('4still here');
    assert.equal(await client.next(), '3probe');
    assert.equal(await client.next(), '4still here');
  }
  for (let i = 0; i < 100; i += 1) {
    const session = await Polling.open(server);
    const [poll, post] = await Promise.all([session.poll(), session.post('1')]);
    assert.deepEqual([poll, post], ['6', 'ok'], `close ${i}`);
    await session.gone();
  }
});
