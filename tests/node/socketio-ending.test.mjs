// How connections of the client from npm end, and how the client reconnects.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMBINATIONS, Watcher, ask, heard, keep, matrix, serve } from './conformance.mjs';
import { Line } from './line.mjs';

const COMES_BACK = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 };

matrix(({ combination, connect, shared }) => {
  const watch = (t) => Watcher.begin(t, shared.server, combination.settings.PARSER);
  const whenCut = combination.last === 'polling' ? 'transport error' : 'transport close';

  // Without a pending poll, the server notices the end only at the next heartbeat.
  async function cut(line) {
    if (combination.last === 'polling') {
      await line.polled();
      // The acks of other clients show that the server has processed this one too.
      for (let i = 0; i < 2; i += 1) await (await fetch(shared.server.http)).text();
    }
    line.cut();
  }

  test('the client disconnects', async (t) => {
    const watcher = await watch(t);
    const socket = await connect(t);
    const { id } = socket;
    await ask(socket, 'join', ['b', 'a']);
    const gone = heard(socket, 'disconnect');
    socket.disconnect();
    assert.equal((await gone)[0], 'io client disconnect');
    assert.deepEqual(await watcher.left(id), { nsp: '/', id, reason: 'client namespace disconnect', rooms: [id, 'a', 'b'].sort() });
  });

  test('the client closes its connection', async (t) => {
    const watcher = await watch(t);
    const socket = await connect(t);
    const { id } = socket;
    const gone = heard(socket, 'disconnect');
    socket.io.engine.close();
    assert.equal((await gone)[0], 'forced close');
    assert.equal((await watcher.left(id)).reason, 'transport close');
  });

  test('the server disconnects, and the client does not reconnect by itself', async (t) => {
    const watcher = await watch(t);
    const socket = await connect(t, COMES_BACK);
    const { id } = socket;
    const echoed = keep(socket, 'echo');
    const gone = heard(socket, 'disconnect');
    socket.emit('echo', 'before the end');
    socket.emit('bye', false);
    assert.equal((await gone)[0], 'io server disconnect');
    assert.equal(socket.active, false);
    assert.deepEqual(echoed.items, [['before the end']]);
    assert.equal((await watcher.left(id)).reason, 'server namespace disconnect');
    socket.connect();
    await heard(socket, 'connect');
    assert.deepEqual(await ask(socket, 'ack', 1), [1]);
  });

  test('both sides notice a cut connection, and the client reconnects', async (t) => {
    const watcher = await watch(t);
    const line = await Line.begin(t, shared.server.port);
    const socket = await combination.connect(t, line, COMES_BACK);
    const { id } = socket;
    await ask(socket, 'join', 'a room');
    const gone = heard(socket, 'disconnect');
    const echoed = keep(socket, 'echo');
    await cut(line);
    assert.equal((await gone)[0], whenCut);
    assert.equal((await watcher.left(id)).reason, whenCut);
    for (let i = 0; i < 10; i += 1) socket.emit('echo', i);
    line.mend();
    await heard(socket, 'connect');
    assert.notEqual(socket.id, id);
    assert.deepEqual(await ask(socket, 'rooms'), [[socket.id]]);
    assert.deepEqual(echoed.items.flat(), Array.from({ length: 10 }, (_, i) => i));
  });

  test('all namespaces of a connection end with it and reconnect', async (t) => {
    const watcher = await watch(t);
    const line = await Line.begin(t, shared.server.port);
    const main = await combination.connect(t, line, COMES_BACK);
    const room = main.io.socket('/room-1');
    await heard(room, 'connect');
    const ids = [main.id, room.id];
    const gone = [heard(main, 'disconnect'), heard(room, 'disconnect')];
    await cut(line);
    for (const [reason] of await Promise.all(gone)) assert.equal(reason, whenCut);
    for (const id of ids) assert.equal((await watcher.left(id)).reason, whenCut);
    const back = [heard(main, 'connect'), heard(room, 'connect')];
    line.mend();
    await Promise.all(back);
    assert.deepEqual(await ask(room, 'ack', 1), [1]);
  });

  test('the client reconnects after the server was killed', async (t) => {
    const first = await serve(t, combination.settings);
    const socket = await combination.connect(t, first, COMES_BACK);
    const { id } = socket;
    const gone = heard(socket, 'disconnect');
    await first.stop('SIGKILL');
    assert.equal((await gone)[0], whenCut);
    await serve(t, { ...combination.settings, PORT: String(first.port) });
    if (!socket.connected) await heard(socket, 'connect');
    assert.notEqual(socket.id, id);
    assert.deepEqual(await ask(socket, 'ack', 1), [1]);
  });

  test('a server that shuts down disconnects its clients, and they reconnect to the next', async (t) => {
    const first = await serve(t, combination.settings);
    const socket = await combination.connect(t, first, COMES_BACK);
    const gone = heard(socket, 'disconnect');
    const ended = first.stop();
    const [reason] = await gone;
    // A client may be between two polls.
    assert.ok(['transport close', whenCut].includes(reason), reason);
    assert.equal(await ended, 0);
    await serve(t, { ...combination.settings, PORT: String(first.port) });
    if (!socket.connected) await heard(socket, 'connect');
    assert.deepEqual(await ask(socket, 'ack', 1), [1]);
  });
});

test('a client whose WebSocket is blocked stays on polling', async (t) => {
  for (const combination of COMBINATIONS.filter(({ transport }) => transport === 'upgrade')) {
    const server = await serve(t, combination.settings);
    const line = await Line.begin(t, server.port, /^GET .*transport=websocket/);
    const socket = combination.client(t, line);
    await heard(socket.io.engine, 'upgradeError');
    if (!socket.connected) await heard(socket, 'connect');
    assert.deepEqual(await ask(socket, 'transport'), ['polling']);
    assert.deepEqual(await ask(socket, 'ack', 1), [1]);
  }
});
