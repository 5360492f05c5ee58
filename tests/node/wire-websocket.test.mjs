// Hand-written Engine.IO over a WebSocket: packets, limits, heartbeats.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serve } from './conformance.mjs';
import { open } from './wire.mjs';

test('messages are echoed unchanged', async (t) => {
  const client = await open(t, await serve(t));
  for (const text of ['4hello', '4', '4ü 🎉 \x1e', '4bAQID', `4${'x'.repeat(70_000)}`]) {
    client.send(text);
    assert.equal(await client.next(), text);
  }
  for (const bytes of [Buffer.alloc(0), Buffer.from('4 is no packet type here'), Buffer.alloc(70_000, 7)]) {
    client.send(bytes);
    assert.deepEqual(await client.next('binary'), bytes);
  }
});

test('binary data may arrive as text', async (t) => {
  const client = await open(t, await serve(t));
  client.send('bAQID');
  assert.deepEqual(await client.next('binary'), Buffer.from([1, 2, 3]));
});

test('fragmented messages are reassembled', async (t) => {
  const client = await open(t, await serve(t));
  client.socket.send('4he', { fin: false });
  client.socket.send('llo', { fin: true });
  assert.equal(await client.next(), '4hello');
});

test('packets without a meaning here are ignored', async (t) => {
  const client = await open(t, await serve(t));
  for (const packet of ['6', '6more', '3', '3more', '5', '0', '0{}']) client.send(packet);
  client.send('4still here');
  assert.equal(await client.next(), '4still here');
});

test('an invalid packet and a ping close the connection', async (t) => {
  const server = await serve(t);
  for (const packet of ['', 'x', '7', '9', '-1', ' 4', 'ü', '{"a":1}', '2', '2probe']) {
    const client = await open(t, server);
    client.send(packet);
    client.send('4late');
    await client.end();
    await assert.rejects(client.next(), /the connection closed/);
  }
});

test('text that is not UTF-8 closes the connection', async (t) => {
  const client = await open(t, await serve(t));
  client.socket.send(Buffer.from([0x34, 0xff, 0xfe]), { binary: false });
  assert.equal((await client.end()).code, 1007);
});

const MAX_PAYLOAD = 1000;

test('a message over the limit closes the connection with 1009', async (t) => {
  const server = await serve(t, { MAX_PAYLOAD: String(MAX_PAYLOAD) });
  const client = await open(t, server);
  for (const text of [`4${'x'.repeat(MAX_PAYLOAD - 1)}`, `4${'ü'.repeat(499)}x`]) {
    client.send(text);
    assert.equal(await client.next(), text);
  }
  client.send(Buffer.alloc(MAX_PAYLOAD, 7));
  assert.deepEqual(await client.next('binary'), Buffer.alloc(MAX_PAYLOAD, 7));

  const large = [`4${'x'.repeat(MAX_PAYLOAD)}`, `4${'ü'.repeat(500)}`, Buffer.alloc(MAX_PAYLOAD + 1), '4'.repeat(100_000)];
  for (const message of large) {
    const client = await open(t, server);
    client.send(message);
    assert.equal((await client.end()).code, 1009);
  }
  const fragments = await open(t, server);
  fragments.socket.send(`4${'x'.repeat(500)}`, { fin: false });
  fragments.socket.send('x'.repeat(500), { fin: true });
  assert.equal((await fragments.end()).code, 1009);
});

test('heartbeats begin after an interval, and missing answers end the connection', async (t) => {
  const client = await open(t, await serve(t, { PING_INTERVAL: '100', PING_TIMEOUT: '1000' }));
  client.send('4first');
  assert.equal(await client.next(), '4first', 'the first ping follows the interval');
  for (let i = 0; i < 3; i += 1) {
    assert.equal(await client.next(), '2');
    client.send('3');
  }
  assert.equal(await client.next(), '2');
  await client.end();
});

test('WebSocket pings are answered', async (t) => {
  const client = await open(t, await serve(t));
  client.socket.ping('there?');
  assert.equal((await client.next('pong')).toString(), 'there?');
});
