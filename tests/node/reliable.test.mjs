// Reliable events, with clients from npm that know nothing of them: `socket.io-client`, and `ws`.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { COMBINATIONS, ask, heard, keep } from './conformance.mjs';
import { Client, built, start } from './lib.mjs';
import { Line } from './line.mjs';

const serve = (t, settings = {}) => start(t, path.join(built, 'reliable'), [], settings);

// Collects the orders that a client receives. It acks them if `acks` says so.
function orders(socket, acks = () => true) {
  const feed = keep(socket, 'order');
  socket.on('order', (number, bytes, id, ack) => acks(number) && ack());
  return feed;
}

const numbers = (feed) => feed.items.map(([number]) => number);
const ids = (feed) => feed.items.map(([, , id]) => id);
const count = (feed, many) => feed.until((all) => (all.length >= many ? all : undefined), `${many} orders`);

// Cuts all connections. Clients may connect again at once.
function cut(between) {
  between.cut();
  between.mend();
}

// An order is queued for a socket, or the error.
async function order(other, id, number) {
  const [failed] = await ask(other, 'order', id, number);
  return failed?.error;
}

for (const combination of COMBINATIONS) {
  test(`an event is repeated with its id until it is acked: ${combination.name}`, async (t) => {
    const server = await serve(t, { ...combination.settings, INTERVAL: '20' });
    const socket = await combination.connect(t, server);
    const feed = keep(socket, 'order');
    assert.equal(await order(socket, socket.id, 7), undefined);
    const [first, second, third] = await count(feed, 3);
    const [number, bytes, id, ack] = first;
    assert.deepEqual([number, [...bytes], typeof ack], [7, [1, 2, 3], 'function']);
    assert.match(id, /^[0-9]+-[0-9]+$/);
    assert.deepEqual([second[2], third[2]], [id, id]);
    third[3]();
    await server.line(/^7: acked$/);
    // Acks of the other repetitions are ignored, and what was repeated before the ack has arrived.
    ack();
    await ask(socket, 'order', 'nobody', 0);
    const before = feed.items.length;
    assert.equal(await order(socket, socket.id, 8), undefined);
    const next = (await count(feed, before + 3)).slice(before);
    assert.deepEqual(next.map(([number]) => number), next.map(() => 8));
    assert.notEqual(next[0][2], id);
    assert.equal(socket.recovered, false);
  });

  test(`a cut before the ack: the event comes again with its id: ${combination.name}`, async (t) => {
    const server = await serve(t, combination.settings);
    const [between, other] = [await Line.begin(t, server.port), await combination.connect(t, server)];
    const socket = await combination.connect(t, between, { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5 });
    const { id } = socket;
    // A poll that waits is cut as well. Otherwise the client just opens another connection.
    const interrupt = async () => {
      await combination.settled(socket);
      if (combination.transport === 'polling') await between.polled();
      cut(between);
    };
    let acks = false;
    const feed = orders(socket, () => acks);
    for (const number of [1, 2]) assert.equal(await order(other, id, number), undefined);
    await count(feed, 2);
    const back = heard(socket, 'connect');
    await interrupt();
    await back;
    assert.deepEqual([socket.recovered, socket.id], [true, id]);
    await count(feed, 4);
    assert.deepEqual(numbers(feed), [1, 2, 1, 2]);
    const [first, second, ...again] = ids(feed);
    assert.deepEqual(again, [first, second]);
    // An ack that arrives with the new connection for an event of the old one counts.
    feed.items[0][3]();
    await server.line(/^1: acked$/);
    acks = true;
    const onceMore = heard(socket, 'connect');
    await interrupt();
    await onceMore;
    await server.line(/^2: acked$/);
    assert.deepEqual(numbers(feed), [1, 2, 1, 2, 2]);
    // What is acked is not repeated.
    const last = heard(socket, 'connect');
    await interrupt();
    await last;
    assert.equal(await order(other, id, 3), undefined);
    await server.line(/^3: acked$/);
    assert.deepEqual(numbers(feed), [1, 2, 1, 2, 2, 3]);
  });
}

test('a client that is cut off again and again misses nothing, and tells repetitions by their ids', async (t) => {
  const server = await serve(t, { INTERVAL: '50' });
  const combination = COMBINATIONS[1];
  const [between, other] = [await Line.begin(t, server.port), await combination.connect(t, server)];
  const socket = await combination.connect(t, between, { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5 });
  const { id } = socket;
  const connects = keep(socket, 'connect');
  const seen = new Map();
  socket.on('order', (number, _, id, ack) => {
    seen.set(id, number);
    ack();
  });
  const many = 400;
  for (let number = 0; number < many; number += 1) {
    assert.equal(await order(other, id, number), undefined);
    if (number % 20 === 0) {
      const before = connects.items.length;
      cut(between);
      await connects.until((all) => (all.length > before ? true : undefined), 'the client to come back');
    }
  }
  await server.line(/: acked$/, many);
  assert.deepEqual([...seen.values()], [...Array(many).keys()]);
  assert.equal(socket.id, id);
});

test('a bound that is exceeded, and time that is up, are errors', async (t) => {
  const server = await serve(t, { QUEUE: '2', TIMEOUT: '200' });
  const socket = await COMBINATIONS[1].connect(t, server);
  const feed = keep(socket, 'order');
  const queued = [];
  for (let number = 0; number < 3; number += 1) queued.push(ask(socket, 'order', socket.id, number));
  const results = (await Promise.all(queued)).map(([failed]) => failed?.error.message);
  assert.deepEqual(results, [undefined, undefined, 'the queue is full']);
  await server.line(/^0: the client did not ack the event in time$/);
  await server.line(/^1: the client did not ack the event in time$/);
  assert.deepEqual(numbers(feed), [0, 1]);
});

test('a server that is stopped tells which events were not acked', async (t) => {
  const server = await serve(t);
  const [socket, gone] = [await COMBINATIONS[1].connect(t, server), await COMBINATIONS[1].connect(t, server)];
  const { id } = gone;
  const feed = keep(socket, 'order');
  gone.io.engine.close();
  assert.equal(await order(socket, socket.id, 1), undefined);
  await count(feed, 1);
  // The second client is cut off, or will be.
  assert.equal(await order(socket, id, 2), undefined);
  assert.equal(await server.stop(), 0);
  const lines = [...server.lines].sort();
  // The first client may be cut off as well, when the server stops listening.
  for (const number of [1, 2]) {
    assert.match(lines.shift(), new RegExp(`^${number}: (the client did not resume its session|the connection ended before the client acked the event)$`));
  }
  assert.deepEqual(lines, []);
});

test('a plain WebSocket client gets the id in the envelope', async (t) => {
  const server = await serve(t);
  const client = await Client.connect(t, `${server.ws}/ws?resume=1`);
  const { data: { token } } = await client.nextJson();
  const { data: id } = await client.ask('id');
  client.sendJson({ event: 'order', args: [id, 7], id: 'queued' });
  const { id: ack, delivery, ...event } = await client.nextJson();
  assert.deepEqual(event, { event: 'order', args: [7, 'AQID'] });
  assert.match(delivery, /^[0-9]+-[0-9]+$/);
  assert.deepEqual(await client.nextJson(), { id: 'queued' });
  client.socket.terminate();
  const again = await Client.connect(t, `${server.ws}/ws?resume=token`);
  again.sendJson({ resume: { token } });
  assert.equal((await again.nextJson()).data.recovered, true);
  assert.deepEqual(await again.nextJson(), { ...event, id: ack, delivery });
  again.sendJson({ id: ack });
  await server.line(/^7: acked$/);
});
