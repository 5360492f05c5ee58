// Hand-written Socket.IO packets with the default parser: namespaces, events and acks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Watcher, serve } from './conformance.mjs';
import { Client } from './lib.mjs';
import { Polling, RS, join, open } from './wire.mjs';

const start = (t, server) => open(t, server, '/socket.io/');

// Checks that this message arrives next.
async function answers(client, packet, expected) {
  client.send(packet);
  assert.equal(await client.next(), expected);
}

// The id in a CONNECT answer, which must contain nothing else.
function sid(answer, namespace = '') {
  const [, id] = answer.match(new RegExp(`^40${namespace}\\{"sid":"([\\w-]{20})"\\}$`)) ?? assert.fail(answer);
  return id;
}

test('a CONNECT is answered with an id that differs from the session id', async (t) => {
  const client = await start(t, await serve(t));
  client.send('40');
  assert.notEqual(sid(await client.next()), client.open.sid);
});

test('namespaces are accepted with and without the comma', async (t) => {
  const client = await start(t, await serve(t));
  const ids = new Set();
  for (const [packet, namespace] of [
    ['40/room-1,', '/room-1,'],
    ['40/room-2', '/room-2,'],
    ['40/room-3,{}', '/room-3,'],
    ['40/admin,{"token":"secret"}', '/admin,'],
    ['40{"any":"auth"}', ''],
  ]) {
    client.send(packet);
    ids.add(sid(await client.next(), namespace));
  }
  assert.equal(ids.size, 5);
  await answers(client, '42/room-1,7["ack",1]', '43/room-1,7[1]');
  await answers(client, '42/admin,7["ack",2]', '43/admin,7[2]');
  await answers(client, '427["ack",3]', '437[3]');
  client.send('41/room-1');
  client.send('41/room-2,');
  await answers(client, '427["ack","still here"]', '437["still here"]');
});

test('a refusal has message and data and leaves the connection open', async (t) => {
  const client = await start(t, await serve(t));
  await answers(client, '40/admin,', '44/admin,{"message":"not authorized","data":{"code":"unauthorized","retry":false}}');
  await answers(client, '40/nobody,', '44/nobody,{"message":"Invalid namespace"}');
  await answers(client, '40/nobody', '44/nobody,{"message":"Invalid namespace"}');
  await answers(client, '40/room-1?token=secret,', '44/room-1?token=secret,{"message":"Invalid namespace"}');
  await answers(client, '40{"refuse":{"message":"no"}}', '44{"message":"no"}');
  client.send('40');
  sid(await client.next());
});

test('a DISCONNECT is not answered and leaves the connection open', async (t) => {
  const server = await serve(t);
  const watcher = await Watcher.begin(t, server, 'default');
  const client = await start(t, server);
  const ids = new Set();
  for (let i = 0; i < 3; i += 1) {
    client.send('40');
    const id = sid(await client.next());
    ids.add(id);
    await answers(client, '420["ack"]', '430[]');
    client.send('41');
    assert.equal((await watcher.left(id)).reason, 'client namespace disconnect');
  }
  assert.equal(ids.size, 3);
  await answers(client, '40/nobody', '44/nobody,{"message":"Invalid namespace"}');
});

test('acks have all arguments for every id', async (t) => {
  const client = await join(t, await serve(t));
  await answers(client, '420["ack"]', '430[]');
  await answers(client, '421["ack",null]', '431[null]');
  await answers(client, '4212["ack",1,"two",[3],{"four":4},null,true]', '4312[1,"two",[3],{"four":4},null,true]');
  await answers(client, '42999999999["ack"]', '43999999999[]');
  await answers(client, '429007199254740991["ack"]', '439007199254740991[]');
  await answers(client, '427["fail","code","message"]', '437[{"error":{"code":"code","message":"message"}}]');
  client.send('428[ "a\\u0063k" , "\\u00fc" ]');
  assert.deepEqual(JSON.parse((await client.next()).slice('438'.length)), ['ü']);
});

test('an event without an id gets no ack', async (t) => {
  const client = await join(t, await serve(t));
  client.send('42["ack",1]');
  client.send('42["nobody handles this"]');
  client.send('42["echo",1]');
  assert.equal(await client.next(), '42["echo",1]');
  await answers(client, '420["ack"]', '430[]');
});

test('an unexpected ack is ignored', async (t) => {
  const client = await join(t, await serve(t));
  for (const packet of ['430[]', '4399["x"]', '43["no id"]', '439007199254740991[1]']) client.send(packet);
  client.send('461-99[{"_placeholder":true,"num":0}]');
  client.send(Buffer.from([1]));
  await answers(client, '420["ack"]', '430[]');
});

test('an ack counts once', async (t) => {
  const client = await join(t, await serve(t));
  client.send('425["ask",10000,"well?"]');
  const [, id] = (await client.next()).match(/^42(\d+)\["question","well\?"\]$/);
  client.send(`43${id}["first"]`);
  client.send(`43${id}["second"]`);
  assert.equal(await client.next(), '435[{"answer":"first"}]');
  await answers(client, '420["ack"]', '430[]');
});

test('an ack counts once among those of several sockets', async (t) => {
  const server = await serve(t);
  const clients = [await join(t, server), await join(t, server)];
  for (const client of clients) {
    client.send('420["join","a"]');
    assert.match(await client.next(), /^430\[/);
  }
  clients[0].send('421["poll",{"to":["a"]},10000,"well?"]');
  const ids = [];
  for (const client of clients) ids.push((await client.next()).match(/^42(\d+)\["question","well\?"\]$/)[1]);
  clients[0].send(`43${ids[0]}["first"]`);
  clients[0].send(`43${ids[0]}["second"]`);
  await answers(clients[0], '422["ack"]', '432[]');
  clients[1].send(`43${ids[1]}["other"]`);
  assert.equal(await clients[0].next(), '431[{"answers":["first","other"],"complete":true}]');
});

test('the attachments of a binary event follow it', async (t) => {
  const client = await join(t, await serve(t));
  client.send('452-["echo",{"_placeholder":true,"num":0},{"deep":[{"_placeholder":true,"num":1}]}]');
  client.send(Buffer.from([1]));
  client.send(Buffer.from([2, 3]));
  assert.equal(await client.next(), '452-["echo",{"_placeholder":true,"num":0},{"deep":[{"_placeholder":true,"num":1}]}]');
  assert.deepEqual(await client.next('binary'), Buffer.from([1]));
  assert.deepEqual(await client.next('binary'), Buffer.from([2, 3]));
  client.send('451-3["ack",{"_placeholder":true,"num":0}]');
  client.send('bAQID');
  assert.equal(await client.next(), '461-3[{"_placeholder":true,"num":0}]');
  assert.deepEqual(await client.next('binary'), Buffer.from([1, 2, 3]));
  client.send('40/room-1');
  sid(await client.next(), '/room-1,');
  client.send('451-/room-1,4["ack",{"_placeholder":true,"num":0}]');
  client.send(Buffer.from([9]));
  assert.equal(await client.next(), '461-/room-1,4[{"_placeholder":true,"num":0}]');
  assert.deepEqual(await client.next('binary'), Buffer.from([9]));
});

test('placeholders may come in any order, repeatedly, or not at all', async (t) => {
  const client = await join(t, await serve(t));
  client.send('452-0["ack",{"num":1,"_placeholder":true},{"_placeholder":true,"num":0}]');
  client.send(Buffer.from([1]));
  client.send(Buffer.from([2]));
  assert.equal(await client.next(), '462-0[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
  assert.deepEqual(await client.next('binary'), Buffer.from([2]));
  assert.deepEqual(await client.next('binary'), Buffer.from([1]));
  client.send('451-1["ack","no place"]');
  client.send(Buffer.from([1]));
  assert.equal(await client.next(), '431["no place"]');
});

test('over polling a packet and its attachments share a body', async (t) => {
  const session = await Polling.join(await serve(t));
  await session.post(['451-0["ack",{"_placeholder":true,"num":0}]', 'bAQID', '421["ack"]'].join(RS));
  assert.equal(await session.poll(), ['461-0[{"_placeholder":true,"num":0}]', 'bAQID', '431[]'].join(RS));
  await session.post('451-0["ack",{"_placeholder":true,"num":0}]');
  await session.post('bAQID');
  assert.equal(await session.poll(), ['461-0[{"_placeholder":true,"num":0}]', 'bAQID'].join(RS));
});

test('a connection without a namespace is closed after the connect timeout', async (t) => {
  const server = await serve(t, { CONNECT_TIMEOUT: '300' });
  const joined = await join(t, server);
  const left = await join(t, server);
  left.send('41');
  const idle = await start(t, server);
  const refused = await start(t, server);
  await answers(refused, '40/nobody', '44/nobody,{"message":"Invalid namespace"}');
  const polling = await Polling.open(server, '/socket.io/');
  const poll = polling.poll();
  await idle.end();
  await refused.end();
  assert.equal(await poll, '1');
  await polling.gone();
  await answers(joined, '420["ack"]', '430[]');
  // A client that has been in a namespace may stay without one.
  left.send('40');
  sid(await left.next());
});

test('the query of the handshake is not used as auth', async (t) => {
  const server = await serve(t);
  const client = await Client.connect(t, `${server.ws}/socket.io/?EIO=4&transport=websocket&token=secret&text=%C3%BC%20%26+%25`);
  await client.next();
  await answers(client, '40/admin', '44/admin,{"message":"not authorized","data":{"code":"unauthorized","retry":false}}');
  client.send('40');
  sid(await client.next());
  client.send('420["handshake"]');
  const [{ auth, query }] = JSON.parse((await client.next()).slice(3));
  assert.deepEqual(auth, {});
  assert.deepEqual(query, { EIO: '4', transport: 'websocket', token: 'secret', text: 'ü & %' });
});

test('volatile events are dropped while no poll is pending', async (t) => {
  const session = await Polling.join(await serve(t));
  await session.post('42["volley",3]');
  assert.equal(await session.poll(), '42["done",3]');
  await session.post('420["select",{"volatile":true},"news",1]');
  assert.equal(await session.poll(), '430[]');
});
