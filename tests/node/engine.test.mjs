// Bare Engine.IO with the client from npm.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Socket } from 'engine.io-client';
import { heard, keep, serve } from './conformance.mjs';

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
  describe(transports.join(' → '), () => {
    async function connect(t, server, options = {}) {
      const socket = new Socket(server.ws, { path: '/engine.io/', transports, ...options });
      t.after(() => socket.close());
      const messages = keep(socket, 'message');
      await heard(socket, 'open');
      return { socket, messages };
    }

    test('text and bytes are echoed in order', async (t) => {
      const { socket, messages } = await connect(t, await serve(t));
      const sent = [];
      for (let i = 0; i < 300; i += 1) {
        sent.push(i % 3 ? `text ${i} ü 🎉` : Buffer.from([i & 0xff, 0x1e, 0xff]));
        socket.send(sent.at(-1));
        if (i % 50 === 0) await messages.until((all) => all[i], 'waiting for messages');
      }
      await messages.until((all) => all[299], 'waiting for the last message');
      assert.deepEqual(messages.items.map(([message]) => message), sent);
      if (transports.length > 1 && socket.transport.name !== 'websocket') await heard(socket, 'upgrade');
      socket.send('last');
      await messages.until((all) => all[300], 'waiting for one more');
      assert.equal(socket.transport.name, transports.at(-1));
    });

    test('a message has the headers of its request', async (t) => {
      const { socket, messages } = await connect(t, await serve(t), { extraHeaders: { 'X-Name': 'Ann' } });
      socket.send('headers');
      const [answer] = await messages.until((all) => all[0], 'waiting for the headers');
      assert.equal(JSON.parse(answer)['x-name'], 'Ann');
    });

    test('the client closes the connection', async (t) => {
      const { socket } = await connect(t, await serve(t));
      const closed = heard(socket, 'close');
      socket.close();
      assert.equal((await closed)[0], 'forced close');
    });

    test('the server closes the connection', async (t) => {
      const server = await serve(t);
      const { socket, messages } = await connect(t, server);
      socket.send('seen');
      await messages.until((all) => all[0], 'waiting for a message');
      const closed = heard(socket, 'close');
      assert.equal(await server.stop(), 0);
      assert.ok(['transport close', 'transport error'].includes((await closed)[0]));
    });

    test('a refused handshake is reported as an error', async (t) => {
      const server = await serve(t);
      const socket = new Socket(server.ws, { path: '/engine.io/', transports, extraHeaders: { 'x-forbid': 'yes' } });
      await heard(socket, 'error');
    });
  });
}
