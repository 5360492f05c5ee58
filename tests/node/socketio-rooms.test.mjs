// Rooms, and the recipients of emits.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMIT, ask, heard, keep, matrix } from './conformance.mjs';

matrix(({ connect }) => {
  let last = 0;

  // Connects clients in these rooms, with names unique to the test, and records their events.
  async function gather(t, ...memberships) {
    const prefix = `test ${(last += 1)} `;
    const room = (name) => prefix + name;
    const members = [];
    for (const rooms of memberships) {
      const socket = await connect(t);
      if (rooms.length) await ask(socket, 'join', rooms.map(room));
      members.push({ socket, news: keep(socket, 'news') });
    }
    return { members, sockets: members.map(({ socket }) => socket), room };
  }

  // Checks what each client received since the last call. An ack after it shows that nothing is
  // pending.
  async function heardBy(members, ...expected) {
    for (const [i, { socket, news }] of members.entries()) {
      await ask(socket, 'ack');
      assert.deepEqual(news.items.map(([what]) => what), expected[i], `client ${i}`);
      news.items.length = 0;
    }
  }

  test('a socket is in the room of its own id and in those that it joined', async (t) => {
    const socket = await connect(t);
    assert.deepEqual(await ask(socket, 'rooms'), [[socket.id]]);
    assert.deepEqual(await ask(socket, 'join', 'one room'), [[socket.id, 'one room'].sort()]);
    assert.deepEqual(await ask(socket, 'join', 'one room'), [[socket.id, 'one room'].sort()]);
    assert.deepEqual(await ask(socket, 'join', ['two', 'ü 🎉', '']), [[socket.id, 'one room', 'two', 'ü 🎉', ''].sort()]);
    assert.deepEqual(await ask(socket, 'leave', 'never joined'), [[socket.id, 'one room', 'two', 'ü 🎉', ''].sort()]);
    assert.deepEqual(await ask(socket, 'leave', 'one room'), [[socket.id, 'two', 'ü 🎉', ''].sort()]);
  });

  test('an emit to several rooms reaches each socket once', async (t) => {
    const { members, sockets, room } = await gather(t, ['a'], ['b'], ['a', 'b'], []);
    const send = (selection, what) => ask(sockets[0], 'select', selection, 'news', what);
    await send({ to: [room('a')] }, 1);
    await send({ to: [room('a'), room('b')] }, 2);
    await send({ to: [room('nobody')] }, 3);
    await send({ to: [sockets[3].id, room('b')] }, 4);
    await heardBy(members, [1, 2], [2, 4], [1, 2, 4], [4]);
  });

  test('an emit of a socket excludes its sender, and one of the server does not', async (t) => {
    const { members, sockets, room } = await gather(t, ['a'], ['a'], []);
    const send = (selection, what) => ask(sockets[0], 'select', selection, 'news', what);
    await send({ from: 'socket', to: [room('a')] }, 1);
    await send({ from: 'server', to: [room('a')] }, 2);
    await send({ from: 'socket', to: [sockets[0].id] }, 3);
    await heardBy(members, [2], [1, 2], []);
  });

  test('rooms and single sockets can be excluded', async (t) => {
    const { members, sockets, room } = await gather(t, ['a'], ['a', 'b'], ['a', 'c'], ['b']);
    const send = (selection, what) => ask(sockets[0], 'select', selection, 'news', what);
    await send({ to: [room('a')], except: [room('b')] }, 1);
    await send({ to: [room('a')], except: [room('b'), room('c')] }, 2);
    await send({ to: [room('a')], except: [sockets[2].id] }, 3);
    await send({ to: [room('a')], except: [room('a')] }, 4);
    await send({ from: 'socket', to: [room('a'), room('b')], except: [room('c'), 'nobody'] }, 5);
    await heardBy(members, [1, 2, 3], [3, 5], [1], [5]);
  });

  test('an emit without rooms reaches everyone', async (t) => {
    const { members, sockets, room } = await gather(t, ['a'], ['a'], []);
    const send = (selection, what) => ask(sockets[0], 'select', selection, 'news', what);
    await send({}, 1);
    await send({ from: 'socket' }, 2);
    await send({ except: [room('a')] }, 3);
    await send({ from: 'socket', to: [], except: [sockets[2].id] }, 4);
    await heardBy(members, [1], [1, 2, 4], [1, 2, 3]);
  });

  test('a socket that left a room receives nothing for it', async (t) => {
    const { members, sockets, room } = await gather(t, ['a'], ['a']);
    await ask(sockets[1], 'leave', room('a'));
    await ask(sockets[0], 'select', { to: [room('a')] }, 'news', 1);
    await heardBy(members, [1], []);
  });

  test('volatile emits to rooms reach clients that are ready to receive', async (t) => {
    const { sockets, members, room } = await gather(t, ['a'], ['a']);
    // A poll is not pending at every moment.
    const tries = setInterval(() => sockets[0].emit('select', { to: [room('a')], volatile: true }, 'news', 1), 5);
    for (const { news } of members) await news.until(([first]) => first, 'waiting for one of many');
    clearInterval(tries);
  });

  test('an emit with an ack reaches everyone in a room', async (t) => {
    const { sockets, room } = await gather(t, ['a'], ['a'], ['a', 'b'], []);
    for (const [i, socket] of sockets.entries()) {
      socket.on('question', (what, answer) => answer({ what, from: i, bytes: Buffer.from([i]) }));
    }
    const [{ answers, complete }] = await ask(sockets[3], 'poll', { to: [room('a'), room('b')] }, LIMIT, 'well?');
    assert.equal(complete, true);
    assert.deepEqual(
      answers.sort((a, b) => a.from - b.from),
      [0, 1, 2].map((i) => ({ what: 'well?', from: i, bytes: Buffer.from([i]) })),
    );
    const [none] = await ask(sockets[3], 'poll', { to: [room('nobody')] }, LIMIT, 'well?');
    assert.deepEqual(none, { answers: [], complete: true });
  });

  test('the acks that arrived are available after a timeout', async (t) => {
    const { sockets, room } = await gather(t, ['a'], ['a'], ['a']);
    for (const [i, socket] of sockets.entries()) socket.on('question', (_, answer) => i === 1 || answer(i));
    const [{ answers, complete }] = await ask(sockets[0], 'poll', { to: [room('a')] }, 300, 'well?');
    assert.equal(complete, false);
    assert.deepEqual(answers.sort(), [0, 2]);
  });

  test('sockets are fetched with their rooms', async (t) => {
    const { sockets, room } = await gather(t, ['a'], ['a', 'b'], ['b']);
    const [found] = await ask(sockets[0], 'fetch', { to: [room('a')] });
    const expected = [
      { id: sockets[0].id, rooms: [sockets[0].id, room('a')].sort() },
      { id: sockets[1].id, rooms: [sockets[1].id, room('a'), room('b')].sort() },
    ];
    assert.deepEqual(found, expected.sort((a, b) => (a.id < b.id ? -1 : 1)));
    const [excepted] = await ask(sockets[0], 'fetch', { to: [room('a'), room('b')], except: [room('a')] });
    assert.deepEqual(excepted.map(({ id }) => id), [sockets[2].id]);
  });

  test('sockets join and leave rooms together', async (t) => {
    const { members, sockets, room } = await gather(t, ['a'], ['a', 'b'], ['b']);
    await ask(sockets[0], 'move', { to: [room('a')] }, [room('c'), room('d')], [room('b')]);
    const rooms = async (socket) => (await ask(socket, 'rooms'))[0].filter((name) => name !== socket.id);
    assert.deepEqual(await rooms(sockets[0]), [room('a'), room('c'), room('d')]);
    assert.deepEqual(await rooms(sockets[1]), [room('a'), room('c'), room('d')]);
    assert.deepEqual(await rooms(sockets[2]), [room('b')]);
    await ask(sockets[2], 'select', { to: [room('d')] }, 'news', 1);
    await heardBy(members, [1], [1], []);
  });

  test('sockets are disconnected together', async (t) => {
    const { sockets, room } = await gather(t, ['a'], ['a', 'b'], ['b']);
    const gone = [heard(sockets[0], 'disconnect'), heard(sockets[1], 'disconnect')];
    sockets[2].emit('kick', { to: [room('a')] }, false);
    for (const [reason] of await Promise.all(gone)) assert.equal(reason, 'io server disconnect');
    assert.deepEqual(await ask(sockets[2], 'ack', 'still here'), ['still here']);
    const [left] = await ask(sockets[2], 'fetch', { to: [room('a'), room('b')] });
    assert.deepEqual(left.map(({ id }) => id), [sockets[2].id]);
  });
});
