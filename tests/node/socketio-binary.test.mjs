// Binary data in events and acks of the client from npm, in both directions.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMIT, REFERENCE, ask, keep, matrix } from './conformance.mjs';

const bytes = (length, first = 0) => Buffer.from(Array.from({ length }, (_, i) => (first + i) & 0xff));

const ARGUMENTS = [
  [Buffer.alloc(0)],
  [bytes(1)],
  [bytes(256)],
  [bytes(70_000)],
  [bytes(100_000), [bytes(200_000)], { more: bytes(150_000) }],
  [Buffer.from('ü 🎉 \u001e')],
  [bytes(3), 'between', bytes(4, 7)],
  ['first', { file: bytes(5), list: [bytes(6), { deep: [[bytes(7)]] }], text: 'b64' }, null],
  [{ a: bytes(2) }, bytes(3), [bytes(4)], { b: { c: bytes(5) } }],
  Array.from({ length: 10 }, (_, i) => bytes(i, 16 * i)),
  [{ _placeholder: 'no', num: 'one' }, bytes(2)],
];

matrix(({ connect }) => {
  test('binary data is echoed from any place in an event', async (t) => {
    const socket = await connect(t);
    const echoed = keep(socket, 'echo');
    for (const args of ARGUMENTS) {
      assert.deepEqual(await ask(socket, 'echo', ...args), []);
      assert.deepEqual(echoed.items.at(-1), args);
    }
    assert.equal(echoed.items.length, ARGUMENTS.length);
  });

  test('binary data is returned in an ack of the server', async (t) => {
    const socket = await connect(t);
    for (const args of ARGUMENTS) assert.deepEqual(await ask(socket, 'ack', ...args), args);
  });

  test('the client sends an ack with binary data', async (t) => {
    const socket = await connect(t);
    socket.on('question', (value, answer) => answer(value));
    for (const [value] of ARGUMENTS) assert.deepEqual(await ask(socket, 'ask', LIMIT, value), [{ answer: value }]);
  });

  test('binary events and others keep their order', async (t) => {
    const socket = await connect(t);
    const echoed = keep(socket, 'echo');
    const sent = Array.from({ length: 100 }, (_, i) => (i % 2 ? [i] : [i, bytes(i), { more: bytes(2, i) }]));
    for (const args of sent) socket.emit('echo', ...args);
    await ask(socket, 'ack');
    assert.deepEqual(echoed.items, sent);
  });

  test('binary data is broadcast', async (t) => {
    const sockets = [await connect(t), await connect(t), await connect(t)];
    const room = `binary ${sockets[0].id}`;
    const received = sockets.map((socket) => keep(socket, 'file'));
    for (const socket of sockets) await ask(socket, 'join', room);
    await ask(sockets[0], 'select', { to: [room] }, 'file', 'name', { content: bytes(300) });
    for (const feed of received) {
      assert.deepEqual(await feed.until(([first]) => first, 'waiting for the file'), ['name', { content: bytes(300) }]);
    }
  });

  test('an object like a placeholder is data where there is no binary data', async (t) => {
    const socket = await connect(t);
    const echoed = keep(socket, 'echo');
    socket.on('question', (value, answer) => answer(value));
    for (const value of [{ _placeholder: true, num: 5 }, [{ a: { num: 0, _placeholder: true } }], { _placeholder: true }]) {
      assert.deepEqual(await ask(socket, 'ack', value), [value]);
      assert.deepEqual(await ask(socket, 'echo', value), []);
      assert.deepEqual(echoed.items.at(-1), [value]);
      assert.deepEqual(await ask(socket, 'ask', LIMIT, value), [{ answer: value }]);
    }
  });

  test('an object like a placeholder never disconnects a client', async (t) => {
    const socket = await connect(t);
    // Only MessagePack can express it beside binary data. This crate refuses to forward it.
    if (REFERENCE || !socket.io.opts.parser) return;
    const value = { _placeholder: true, num: 5 };
    const [{ error }] = await ask(socket, 'ack', value, bytes(3));
    assert.equal(error.code, 'invalid_payload');
    assert.deepEqual(await ask(socket, 'ack', bytes(3)), [bytes(3)]);
  });

  test('typed arrays and array buffers arrive as bytes', async (t) => {
    const socket = await connect(t);
    const whole = new Uint8Array([1, 2, 3, 4]);
    assert.deepEqual(await ask(socket, 'ack', Buffer.from(whole)), [Buffer.from([1, 2, 3, 4])]);
    if (socket.io.opts.parser) return;
    assert.deepEqual(await ask(socket, 'ack', whole), [Buffer.from([1, 2, 3, 4])]);
    assert.deepEqual(await ask(socket, 'ack', whole.buffer), [Buffer.from([1, 2, 3, 4])]);
  });
});
