// Events of which only the latest value waits, with slow clients of `socket.io-client`.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { COMBINATIONS, ask, heard, keep } from './conformance.mjs';
import { built, start } from './lib.mjs';
import { Line } from './line.mjs';

// A server, a client through a proxy, and another client.
async function begin(t, combination, connect) {
  const server = await start(t, path.join(built, 'latest'), [], combination.settings);
  const [between, other] = [await Line.begin(t, server.port), await combination.connect(t, server)];
  const socket = await connect(between);
  const received = [];
  socket.onAny((name, ...args) => name !== 'probe' && received.push([name, ...args]));
  return { between, other, socket, received, feed: keep(socket, 'end') };
}

// Reads on, and checks that the client receives all values but those that newer ones have replaced.
// Over long-polling too: the response to its poll has only the large message, and what was emitted
// later waits for the next poll.
async function resume({ between, received, feed }) {
  between.resume();
  await feed.until((all) => all[0], 'the last event');
  const [[large, text], ...rest] = received;
  assert.deepEqual([large, text.length], ['large', 2_000_000]);
  const shown = rest.map(([name, value]) => (name === 'price' ? [value.symbol, value.value, value.chart.length ?? value.chart.byteLength] : [name, value]));
  const trades = [0, 250, 500, 750].map((value) => ['trade', value]);
  assert.deepEqual(shown, [...trades, ['AAPL', 999, 10], ['MSFT', 999, 10_000], ['end', undefined]]);
}

for (const combination of COMBINATIONS) {
  test(`a client that does not read gets the newest values: ${combination.name}`, async (t) => {
    const scene = await begin(t, combination, (between) => combination.connect(t, between));
    scene.between.pause('polling', 'websocket');
    // All values but the newest two are replaced.
    assert.deepEqual(await ask(scene.other, 'slow', scene.socket.id), [1_998]);
    await resume(scene);
  });
}

for (const combination of COMBINATIONS.filter(({ transport }) => transport === 'upgrade')) {
  test(`the newest values wait while a client upgrades: ${combination.name}`, async (t) => {
    const scene = await begin(t, combination, async (between) => {
      // Until the client is connected, its WebSocket does not open.
      between.pause('websocket');
      const socket = combination.client(t, between);
      await heard(socket, 'connect');
      return socket;
    });
    const { between, other, socket } = scene;
    const { engine } = socket.io;
    // Its poll takes the large message.
    between.pause('polling');
    assert.deepEqual(await ask(other, 'slow', socket.id), [1_998]);
    // The client then polls no more: it waits for the end of the response, and upgrades.
    const probed = heard(engine, 'upgrading');
    between.resume('websocket');
    await probed;
    assert.equal(engine.transport.name, 'polling');
    const upgraded = heard(engine, 'upgrade');
    await resume(scene);
    await upgraded;
  });
}
