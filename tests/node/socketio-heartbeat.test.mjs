// Heartbeats between the client from npm and the server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Watcher, ask, heard, keep, matrix } from './conformance.mjs';
import { Line } from './line.mjs';

matrix(
  ({ combination, connect, shared }) => {
    test('an idle client stays connected', async (t) => {
      const socket = await connect(t);
      const { id } = socket;
      const pings = keep(socket.io, 'ping');
      await pings.until((all) => all[4], 'waiting for five pings');
      assert.equal(socket.id, id);
      assert.deepEqual(await ask(socket, 'ack', 1), [1]);
    });

    test('both sides notice a silent connection', async (t) => {
      const watcher = await Watcher.begin(t, shared.server, combination.settings.PARSER);
      const line = await Line.begin(t, shared.server.port);
      const socket = await combination.connect(t, line);
      const { id } = socket;
      const gone = heard(socket, 'disconnect');
      line.silence();
      assert.equal((await gone)[0], 'ping timeout');
      assert.equal((await watcher.left(id)).reason, 'ping timeout');
    });

    test('the client notices an unresponsive server and reconnects', async (t) => {
      const first = await Line.begin(t, shared.server.port);
      const socket = await combination.connect(t, first);
      const gone = heard(socket, 'disconnect');
      first.silence();
      assert.equal((await gone)[0], 'ping timeout');
      socket.io.uri = shared.server.http;
      socket.connect();
      await heard(socket, 'connect');
      assert.deepEqual(await ask(socket, 'ack', 1), [1]);
    });
  },
  { PING_INTERVAL: '200', PING_TIMEOUT: '1000' },
);
