// Several namespaces on one connection of the client from npm.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMIT, Watcher, ask, heard, keep, matrix } from './conformance.mjs';

matrix(({ combination, connect, shared }) => {
  // Another namespace on the connection of a socket.
  async function beside(socket, namespace, options) {
    const other = socket.io.socket(namespace, options);
    await heard(other, 'connect');
    return other;
  }

  async function refused(socket) {
    const [error] = await heard(socket, 'connect_error');
    return { message: error.message, data: error.data };
  }

  test('each namespace of a connection has its own socket, rooms and acks', async (t) => {
    const main = await connect(t);
    const admin = await beside(main, '/admin', { auth: { token: 'secret' } });
    const room = await beside(main, '/room-1');
    assert.equal(new Set([main.id, admin.id, room.id]).size, 3);
    for (const socket of [main, admin, room]) {
      const rooms = await ask(socket, 'join', socket.nsp);
      assert.deepEqual(rooms, [[socket.id, socket.nsp].sort()]);
    }
    const answers = await Promise.all([main, admin, room].flatMap((socket) => [1, 2, 3].map((i) => ask(socket, 'ack', socket.nsp, i))));
    assert.deepEqual(answers, ['/', '/admin', '/room-1'].flatMap((name) => [1, 2, 3].map((i) => [name, i])));
  });

  test('the server emits with an ack to each namespace separately', async (t) => {
    const main = await connect(t);
    const room = await beside(main, '/room-1');
    for (const socket of [main, room]) socket.on('question', (i, answer) => answer(`${socket.nsp} ${i}`));
    const asked = await Promise.all([main, room, main, room].map((socket, i) => ask(socket, 'ask', LIMIT, i)));
    assert.deepEqual(asked.map(([{ answer }]) => answer), ['/ 0', '/room-1 1', '/ 2', '/room-1 3']);
  });

  test('binary events reach their namespace', async (t) => {
    const main = await connect(t);
    const room = await beside(main, '/room-77');
    const bytes = Buffer.from([1, 2, 3]);
    const heardInRoom = keep(room, 'echo');
    assert.deepEqual(await ask(room, 'ack', { bytes }, bytes), [{ bytes }, bytes]);
    await ask(room, 'echo', bytes);
    assert.deepEqual(heardInRoom.items, [[bytes]]);
  });

  test('broadcasts and emits to rooms stay in their namespace', async (t) => {
    const sockets = [await connect(t), await connect(t, {}, '/room-1'), await connect(t, {}, '/room-2')];
    const news = sockets.map((socket) => keep(socket, 'news'));
    for (const socket of sockets) await ask(socket, 'join', 'the same name');
    await ask(sockets[1], 'select', {}, 'news', 1);
    await ask(sockets[1], 'select', { to: ['the same name'] }, 'news', 2);
    await ask(sockets[1], 'select', { to: [sockets[0].id] }, 'news', 3);
    for (const socket of sockets) await ask(socket, 'ack');
    assert.deepEqual(news.map(({ items }) => items.flat()), [[], [1, 2], []]);
  });

  test('a namespace refuses an unauthorized client with message and data', async (t) => {
    const main = await connect(t);
    const refusal = { message: 'not authorized', data: { code: 'unauthorized', retry: false } };
    assert.deepEqual(await refused(combination.client(t, shared.server, {}, '/admin')), refusal);
    const admin = main.io.socket('/admin');
    assert.deepEqual(await refused(admin), refusal);
    for (const auth of [{}, { token: 'guess' }, { token: null }]) {
      admin.auth = auth;
      assert.deepEqual(await refused(admin.connect()), refusal);
    }
    assert.deepEqual(await ask(main, 'ack', 'still here'), ['still here']);
    admin.auth = { token: 'secret' };
    admin.connect();
    await heard(admin, 'connect');
    assert.deepEqual((await ask(admin, 'handshake'))[0].auth, { token: 'secret' });
  });

  test('an unknown namespace is refused', async (t) => {
    const main = await connect(t);
    for (const name of ['/nobody', '/Admin', '/admin/', '/room-', '/room-x', '/room-1x', '/x/room-1', '/room-1/x', '/ünï']) {
      assert.deepEqual(await refused(main.io.socket(name)), { message: 'Invalid namespace', data: undefined }, name);
    }
    assert.deepEqual(await refused(combination.client(t, shared.server, {}, '/nobody')), { message: 'Invalid namespace', data: undefined });
    assert.deepEqual(await ask(main, 'ack', 'still here'), ['still here']);
  });

  test('a dynamic namespace exists as long as it has sockets', async (t) => {
    const main = await connect(t);
    const watcher = await Watcher.begin(t, shared.server, combination.settings.PARSER);
    const exists = async () => (await ask(main, 'namespaces'))[0].includes('/room-4711');
    assert.equal(await exists(), false);
    const first = await beside(main, '/room-4711');
    const second = await connect(t, {}, '/room-4711');
    assert.equal(await exists(), true);
    for (const [socket, left] of [[first, true], [second, false]]) {
      const { id } = socket;
      socket.disconnect();
      assert.equal((await watcher.left(id)).nsp, '/room-4711');
      assert.equal(await exists(), left);
    }
    const again = await beside(main, '/room-4711');
    assert.deepEqual(await ask(again, 'ack', 1), [1]);
  });

  test('a client leaves one namespace and the other stays connected', async (t) => {
    const watcher = await Watcher.begin(t, shared.server, combination.settings.PARSER);
    const main = await connect(t);
    const room = await beside(main, '/room-1');
    const { id } = room;
    await ask(room, 'join', 'a');
    const gone = heard(room, 'disconnect');
    room.disconnect();
    assert.equal((await gone)[0], 'io client disconnect');
    assert.deepEqual(await watcher.left(id), { nsp: '/room-1', id, reason: 'client namespace disconnect', rooms: [id, 'a'].sort() });
    assert.deepEqual(await ask(main, 'ack', 'still here'), ['still here']);
    room.connect();
    await heard(room, 'connect');
    assert.notEqual(room.id, id);
    assert.deepEqual(await ask(room, 'rooms'), [[room.id]]);
  });

  test('the server disconnects one namespace and the other stays connected', async (t) => {
    const watcher = await Watcher.begin(t, shared.server, combination.settings.PARSER);
    const main = await connect(t);
    const room = await beside(main, '/room-1');
    const { id } = room;
    const gone = heard(room, 'disconnect');
    room.emit('bye', false);
    assert.equal((await gone)[0], 'io server disconnect');
    assert.equal((await watcher.left(id)).reason, 'server namespace disconnect');
    assert.deepEqual(await ask(main, 'ack', 'still here'), ['still here']);
  });

  test('the server closes the connection with all namespaces', async (t) => {
    const watcher = await Watcher.begin(t, shared.server, combination.settings.PARSER);
    const main = await connect(t);
    const room = await beside(main, '/room-1');
    const ids = [main.id, room.id];
    const gone = [heard(main, 'disconnect'), heard(room, 'disconnect')];
    main.emit('bye', true);
    for (const [reason] of await Promise.all(gone)) assert.equal(reason, 'io server disconnect');
    for (const id of ids) assert.equal((await watcher.left(id)).reason, 'server namespace disconnect');
  });
});
