// Heavy load with the client from npm: upgrades under load, large messages, many clients.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { DIFFERENCES, ask, heard, keep, matrix } from './conformance.mjs';

const MAX_PAYLOAD = 100_000;
const count = (length) => Array.from({ length }, (_, i) => i);

// The encoded length of a packet on a transport.
function encodedLength(encoded, transport) {
  if (typeof encoded === 'string') return 1 + Buffer.byteLength(encoded);
  return transport === 'polling' ? 1 + encoded.toString('base64').length : encoded.length;
}

// The largest length for which `fits` is true. It must be true for all smaller ones.
function largest(fits) {
  let [fitting, excessive] = [0, MAX_PAYLOAD + 1];
  while (excessive - fitting > 1) {
    const middle = Math.floor((fitting + excessive) / 2);
    if (fits(middle)) fitting = middle;
    else excessive = middle;
  }
  return fitting;
}

matrix(({ combination, connect, shared }) => {
  test('a thousand messages in each direction around an upgrade keep their order', async (t) => {
    const socket = combination.client(t, shared.server);
    const ticks = keep(socket, 'tick');
    let upgraded = combination.transport !== 'upgrade';
    if (!upgraded) socket.io.engine.once('upgrade', () => (upgraded = true));
    await heard(socket, 'connect');
    let bursts = 0;
    let sent = 0;
    do {
      bursts += 1;
      const burst = ask(socket, 'burst', 1000);
      for (let i = 0; i < 1000; i += 1) {
        socket.emit('collect', sent++);
        if (i % 10 === 0) await turn();
      }
      assert.deepEqual(await burst, [1000]);
    } while (!upgraded);
    const [collected] = await ask(socket, 'collected');
    assert.deepEqual(collected, count(sent));
    assert.deepEqual(ticks.items.flat(), Array.from({ length: bursts }, () => count(1000)).flat());
    assert.deepEqual(await ask(socket, 'transport'), [combination.last]);
  });

  test('each ack around an upgrade arrives once', async (t) => {
    const socket = combination.client(t, shared.server);
    const answers = [];
    let upgraded = combination.transport !== 'upgrade';
    if (!upgraded) socket.io.engine.once('upgrade', () => (upgraded = true));
    let asked = 0;
    while (!upgraded || asked < 500) {
      const i = asked++;
      const answer = ask(socket, 'ack', i).then(([value]) => answers.push(value));
      if (i % 50 === 49) await answer;
    }
    await ask(socket, 'ack');
    assert.deepEqual(answers, count(asked));
  });

  test('a message of the largest size arrives, and a larger one ends the connection', async (t) => {
    const socket = await connect(t);
    const size = (length) => {
      const packet = { type: 2, data: ['ack', 'x'.repeat(length)], options: { compress: true }, id: 0, nsp: '/' };
      return encodedLength(socket.io.encoder.encode(packet)[0], combination.last);
    };
    const length = largest((length) => size(length) <= MAX_PAYLOAD);
    assert.deepEqual(await ask(socket, 'ack', 'x'.repeat(length)), ['x'.repeat(length)]);

    const gone = heard(socket, 'disconnect');
    socket.emit('ack', 'x'.repeat(length + 10));
    assert.equal((await gone)[0], combination.last === 'polling' ? 'transport error' : 'transport close');
  });

  test('binary data of the largest size arrives, and larger data ends the connection', async (t) => {
    const socket = await connect(t);
    const size = (length) => {
      const packet = { type: 2, data: ['ack', Buffer.alloc(length)], options: { compress: true }, id: 0, nsp: '/' };
      const lengths = socket.io.encoder.encode(packet).map((encoded) => encodedLength(encoded, combination.last));
      // On polling the packet and its attachment may share a body.
      return combination.last === 'polling' ? lengths.reduce((sum, each) => sum + each + 1) : Math.max(...lengths);
    };
    const length = largest((length) => size(length) <= MAX_PAYLOAD);
    assert.deepEqual(await ask(socket, 'ack', Buffer.alloc(length, 7)), [Buffer.alloc(length, 7)]);

    const gone = heard(socket, 'disconnect');
    socket.emit('ack', Buffer.alloc(length + 200));
    await gone;
  });

  test('fifty clients at once', async (t) => {
    const sockets = await Promise.all(count(50).map(() => connect(t)));
    const news = sockets.map((socket) => keep(socket, 'news'));
    await Promise.all(sockets.map((socket) => ask(socket, 'join', 'fifty')));
    await Promise.all(
      sockets.map(async (socket, i) => {
        for (let n = 0; n < 10; n += 1) assert.deepEqual(await ask(socket, 'ack', i, n), [i, n]);
        await ask(socket, 'select', { to: ['fifty'] }, 'news', i);
      }),
    );
    for (const [i, socket] of sockets.entries()) {
      await ask(socket, 'ack');
      assert.deepEqual(news[i].items.flat().sort((a, b) => a - b), count(50));
    }
    // All clients received them in the same order.
    if (DIFFERENCES.totalOrder) for (const { items } of news) assert.deepEqual(items, news[0].items);
  });
}, { MAX_PAYLOAD: String(MAX_PAYLOAD) });
