// The option `protocols` of the clients from npm. A browser and `ws` end a WebSocket whose server
// chooses none of the offered subprotocols.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Socket } from 'engine.io-client';
import { ask, heard, matrix } from './conformance.mjs';

const protocols = ['my-protocol-v1', 'my-protocol-v0'];

matrix(({ combination, connect, shared }) => {
  test('a client that offers subprotocols connects, and upgrades', async (t) => {
    const socket = await connect(t, { protocols });
    const { transport } = socket.io.engine;
    assert.equal(transport.name, combination.last);
    if (transport.name === 'websocket') assert.equal(transport.ws.protocol, 'my-protocol-v1');
    assert.deepEqual(await ask(socket, 'ack', 'hello'), ['hello']);
  });

  test('a bare Engine.IO client that offers subprotocols connects, and upgrades', async (t) => {
    const { transports } = combination;
    const socket = new Socket(shared.server.ws, { path: '/engine.io/', transports, protocols });
    t.after(() => socket.close());
    await heard(socket, 'open');
    if (combination.transport === 'upgrade') await heard(socket, 'upgrade');
    const { transport } = socket;
    assert.equal(transport.name, combination.last);
    if (transport.name === 'websocket') assert.equal(transport.ws.protocol, 'my-protocol-v1');
  });
});
