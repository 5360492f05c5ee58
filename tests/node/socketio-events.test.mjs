// Events and acks of the client from npm, in both directions.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMIT, Watcher, ask, heard, keep, matrix } from './conformance.mjs';

const VALUES = [
  null,
  true,
  false,
  0,
  1,
  -1,
  127,
  128,
  255,
  256,
  -32,
  -33,
  -128,
  -129,
  65_535,
  65_536,
  -32_769,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 32,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  0.5,
  -1.25,
  1e-7,
  '',
  'text',
  'üñí 🎉',
  '"quoted" \\ \n\t\u0000\u001e\u2028 </script>',
  'x'.repeat(31),
  'x'.repeat(32),
  'x'.repeat(256),
  'x'.repeat(70_000),
  [],
  [1, [2, [3, [null]]]],
  Array.from({ length: 20 }, (_, i) => i),
  {},
  { a: { b: { c: [1, { d: null }] } } },
  { '': 1, 'ü "\\': 2, _placeholder: 'not one', num: 3 },
  Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`key ${i}`, i])),
];

// Integers that the msgpack encoder from npm changes.
const HUGE = [1e21, -1e21, 1.7976931348623157e308];

matrix(({ combination, connect, shared }) => {
  test('every JSON value is returned in an event and in an ack', async (t) => {
    const socket = await connect(t);
    const echoed = keep(socket, 'echo');
    const values = combination.settings.PARSER === 'msgpack' ? VALUES : [...VALUES, ...HUGE];
    for (const value of values) {
      assert.deepEqual(await ask(socket, 'ack', value), [value]);
      assert.deepEqual(await ask(socket, 'echo', value), []);
      assert.deepEqual(echoed.items.at(-1), [value]);
    }
    assert.equal(echoed.items.length, values.length);
  });

  test('several arguments or none keep their positions', async (t) => {
    const socket = await connect(t);
    const echoed = keep(socket, 'echo');
    for (const args of [[], [null], [null, null], [1, 'two', [3], { four: 4 }, null, true], VALUES]) {
      assert.deepEqual(await ask(socket, 'ack', ...args), args);
      assert.deepEqual(await ask(socket, 'echo', ...args), []);
      assert.deepEqual(echoed.items.at(-1), args);
    }
  });

  test('event names may be any text', async (t) => {
    const socket = await connect(t);
    for (const name of ['ünï 🎉', '"quoted" \\ \n', 'ping', 'error', 'message', 'x'.repeat(200)]) {
      const received = keep(socket, name);
      assert.deepEqual(await ask(socket, 'select', { to: [socket.id] }, name, 1), []);
      assert.deepEqual(received.items, [[1]]);
    }
  });

  test('an unknown event has no effect', async (t) => {
    const socket = await connect(t);
    socket.emit('nobody handles this', 1);
    socket.emit('', 1);
    assert.deepEqual(await ask(socket, 'ack', 1), [1]);
  });

  test('an ack may be an error', async (t) => {
    const socket = await connect(t);
    assert.deepEqual(await ask(socket, 'fail', 'no_such_user', 'there is no "Ann"'), [
      { error: { code: 'no_such_user', message: 'there is no "Ann"' } },
    ]);
  });

  test('a missing ack times out at the client', async (t) => {
    const socket = await connect(t);
    await assert.rejects(socket.timeout(50).emitWithAck('never'), { message: 'operation has timed out' });
    assert.deepEqual(await socket.timeout(LIMIT).emitWithAck('ack', 'still here'), 'still here');
  });

  test('acks are matched to their events in any order', async (t) => {
    const socket = await connect(t);
    socket.on('question', (i, answer) => setTimeout(answer, 20 - i, i));
    const slow = Array.from({ length: 20 }, (_, i) => ask(socket, 'ask', LIMIT, i));
    const quick = Array.from({ length: 20 }, (_, i) => ask(socket, 'ack', i));
    for (const [i, answer] of (await Promise.all(quick)).entries()) assert.deepEqual(answer, [i]);
    for (const [i, answer] of (await Promise.all(slow)).entries()) assert.deepEqual(answer, [{ answer: i }]);
  });

  test('the client acknowledges with a value of any kind', async (t) => {
    const socket = await connect(t);
    socket.on('question', (value, answer) => answer(value, 'surplus'));
    for (const value of VALUES) assert.deepEqual(await ask(socket, 'ask', LIMIT, value), [{ answer: value }]);
  });

  test('a missing ack times out at the server', async (t) => {
    const socket = await connect(t);
    const answers = [];
    socket.on('question', (_, answer) => answers.push(answer));
    assert.deepEqual(await ask(socket, 'ask', 20, 1), [{ error: 'timeout' }]);
    // Late and repeated acks are ignored.
    answers[0]('late');
    answers[0]('later');
    assert.deepEqual(await ask(socket, 'ack', 1), [1]);
  });

  test('a pending ack is an error on both sides when the client disconnects', async (t) => {
    const watcher = await Watcher.begin(t, shared.server, combination.settings.PARSER);
    const socket = await connect(t);
    const { id } = socket;
    const asked = heard(socket, 'asked');
    socket.emit('leaving', 1);
    await asked;
    const rejected = assert.rejects(socket.timeout(LIMIT).emitWithAck('never'), { message: 'socket has been disconnected' });
    socket.disconnect();
    await rejected;
    await watcher.unanswered.until((all) => all.find(([gone]) => gone === id), 'waiting for the error');
  });

  test('events are handled and acknowledged in order', async (t) => {
    const socket = await connect(t);
    const echoed = keep(socket, 'echo');
    const answers = [];
    for (let i = 0; i < 300; i += 1) {
      if (i % 3 === 0) socket.emit('ack', i, (value) => answers.push(value));
      socket.emit('echo', i);
    }
    assert.deepEqual(await ask(socket, 'ack', 'last'), ['last']);
    assert.deepEqual(echoed.items, Array.from({ length: 300 }, (_, i) => [i]));
    assert.deepEqual(answers, Array.from({ length: 100 }, (_, i) => 3 * i));
  });

  test('volatile events from the client arrive while it is connected', async (t) => {
    const socket = await connect(t);
    const echoed = heard(socket, 'echo');
    const timer = setInterval(() => socket.volatile.emit('echo', 1), 5);
    assert.deepEqual(await echoed, [1]);
    clearInterval(timer);
  });

  test('volatile events from the server may be dropped but are never reordered', async (t) => {
    const socket = await connect(t);
    const ticks = keep(socket, 'tick');
    const done = heard(socket, 'done');
    socket.emit('volley', 50);
    assert.deepEqual(await done, [50]);
    const numbers = ticks.items.map(([i]) => i);
    assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b));
    assert.ok(combination.last === 'polling' || numbers[0] === 0, 'the first finds an idle WebSocket');
  });
});
