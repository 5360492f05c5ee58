// Events of which only the latest value waits, with slow clients of `socket.io-client` over
// WebSockets.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { COMBINATIONS, ask, keep } from './conformance.mjs';
import { built, start } from './lib.mjs';
import { Line } from './line.mjs';

for (const combination of COMBINATIONS.filter(({ name }) => name.startsWith('websocket'))) {
  test(`a client that does not read gets the newest values: ${combination.name}`, async (t) => {
    const server = await start(t, path.join(built, 'latest'), [], combination.settings);
    const [between, other] = [await Line.begin(t, server.port), await combination.connect(t, server)];
    const socket = await combination.connect(t, between);
    await combination.settled(socket);
    const feed = keep(socket, 'end');
    const received = [];
    socket.onAny((name, ...args) => name !== 'probe' && received.push([name, ...args]));
    between.pause();
    // All values but the newest two are replaced.
    assert.deepEqual(await ask(other, 'slow', socket.id), [1_998]);
    between.resume();
    await feed.until((all) => all[0], 'the last event');
    const [[large, text], ...rest] = received;
    assert.deepEqual([large, text.length], ['large', 6_000_000]);
    const shown = rest.map(([name, value]) => (name === 'price' ? [value.symbol, value.value, value.chart.length ?? value.chart.byteLength] : [name, value]));
    const trades = [0, 250, 500, 750].map((value) => ['trade', value]);
    assert.deepEqual(shown, [...trades, ['AAPL', 999, 10], ['MSFT', 999, 10_000], ['end', undefined]]);
  });
}
