// The `echo` example: envelopes, acks and the WebSocket protocol; and the same handlers for
// Socket.IO clients.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { Client, answer, get, refusal, run, upgrade, within } from './lib.mjs';

const payload = { t: '1', user: 'ann', room: 7, text: 'hello' };

const connect = (test, echo, ...options) => Client.connect(test, `${echo.ws}/ws/1`, ...options);

test('an event is echoed', async (t) => {
  const echo = await run(t, 'echo');
  const client = await connect(t, echo);
  for (const text of ['hello', '', 'üñí 🎉', '"quoted" \\ \n\t\u0000\u2028 </script>', 'x'.repeat(100_000)]) {
    client.sendJson({ event: 'echo', data: { ...payload, text } });
    assert.deepEqual(await client.nextJson(), { event: 'echo', data: { ...payload, text } });
  }
  client.sendJson({ data: payload, more: [1], event: 'echo' });
  assert.deepEqual(await client.nextJson(), { event: 'echo', data: payload });
  client.sendJson({ event: 'echo', args: [payload, 'surplus'] });
  assert.deepEqual(await client.nextJson(), { event: 'echo', data: payload });
  client.send('{"event":"e\\u0063ho","data":{"t":"1","user":"ann","room":7,"text":"h\\u0065llo"}}');
  assert.deepEqual(await client.nextJson(), { event: 'echo', data: payload });
});

test('an ack has the id of its event and follows what the handler emits', async (t) => {
  const echo = await run(t, 'echo');
  const client = await connect(t, echo);
  for (const id of [0, 1, -1, 1.5, Number.MAX_SAFE_INTEGER, '1', 'an id', '', 'ü"\n']) {
    assert.deepEqual(await client.ask('ack', payload, id), { data: payload });
  }
  client.sendJson({ event: 'echo', data: payload, id: 1 });
  assert.deepEqual(await client.nextJson(), { event: 'echo', data: payload });
  assert.deepEqual(await client.nextJson(), { id: 1 });
});

test('events are handled in order', async (t) => {
  const echo = await run(t, 'echo');
  const client = await connect(t, echo);
  for (let id = 0; id < 2000; id += 1) client.sendJson({ event: id % 2 ? 'ack' : 'echo', data: { ...payload, room: id }, id });
  for (let id = 0; id < 2000; id += 1) {
    if (id % 2 === 0) assert.equal((await client.nextJson()).data.room, id);
    assert.equal((await client.nextJson()).id, id);
  }
});

test('a broadcast reaches every client and its sender', async (t) => {
  const echo = await run(t, 'echo');
  const clients = [await connect(t, echo), await connect(t, echo), await connect(t, echo)];
  // A client that has received an answer is connected.
  for (const client of clients) await client.ask('ack', payload);
  clients[0].sendJson({ event: 'broadcast', data: payload, id: 'b' });
  for (const client of clients) assert.deepEqual(await client.nextJson(), { event: 'broadcast', data: payload });
  assert.deepEqual(await clients[0].nextJson(), { id: 'b' });
});

test('an invalid payload is answered with the error and its path', async (t) => {
  const echo = await run(t, 'echo');
  const client = await connect(t, echo);
  const wrong = [
    [{ ...payload, room: 'seven' }, 'room'],
    [{ ...payload, room: -1 }, 'room'],
    [{ ...payload, room: 2 ** 32 }, 'room'],
    [{ ...payload, text: null }, 'text'],
    [{ ...payload, user: { name: 'ann' } }, 'user'],
    [{ t: '1', user: 'ann', room: 7 }, undefined, /text/],
    ['hello', undefined],
    [null, undefined],
  ];
  for (const [data, path, message = /./] of wrong) {
    for (const event of ['ack', 'echo', 'broadcast']) {
      const { error } = await client.ask(event, data);
      assert.deepEqual([error.code, error.path], ['invalid_payload', path], JSON.stringify(data));
      assert.match(error.message, message);
    }
  }
  const { error } = await client.ask('ack', undefined);
  assert.equal(error.code, 'invalid_payload');
  client.sendJson({ event: 'ack', data: { room: 'no answer wanted' } });
  assert.deepEqual(await client.ask('ack', payload), { data: payload });
});

test('unknown and reserved event names are answered with an error', async (t) => {
  const echo = await run(t, 'echo');
  const client = await connect(t, echo);
  assert.equal((await client.ask('nothing', payload)).error.code, 'unknown_event');
  assert.equal((await client.ask('Echo', payload)).error.code, 'unknown_event');
  for (const name of ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener']) {
    assert.equal((await client.ask(name, payload)).error.code, 'reserved_event');
  }
  assert.deepEqual(await client.ask('ack', payload), { data: payload });
});

test('messages that are not envelopes are ignored', async (t) => {
  const echo = await run(t, 'echo');
  const client = await connect(t, echo);
  for (const text of ['', 'hello', '{', '[]', '{}', 'null', '{"event":1}', '{"event":""}', '{"id":1,"data":2}', '{"event":"echo"']) client.send(text);
  client.send(Buffer.from(JSON.stringify({ event: 'echo', data: payload })));
  client.send(Buffer.from([0xff, 0x00]));
  client.send(Buffer.alloc(0));
  assert.deepEqual(await client.ask('ack', payload), { data: payload });
});

test('a ping is answered with its payload', async (t) => {
  const echo = await run(t, 'echo');
  const client = await connect(t, echo);
  for (const data of [Buffer.alloc(0), Buffer.from('hello'), Buffer.alloc(125, 0xff)]) {
    client.socket.ping(data);
    assert.deepEqual(await client.next('pong'), data);
  }
});

test('a close frame is answered with its code', async (t) => {
  const echo = await run(t, 'echo');
  for (const code of [1000, 1001, 1011, 3000, 4999]) {
    const client = await connect(t, echo);
    client.socket.close(code, 'a reason');
    assert.equal((await client.end()).code, code);
  }
  const client = await connect(t, echo);
  client.socket.close();
  assert.equal((await client.end()).code, 1005);
});

test('events sent before a close frame are still handled', async (t) => {
  const echo = await run(t, 'echo');
  const client = await connect(t, echo);
  const other = await connect(t, echo);
  await other.ask('ack', payload);
  for (let room = 0; room < 500; room += 1) client.sendJson({ event: 'broadcast', data: { ...payload, room } });
  client.socket.close(1000);
  for (let room = 0; room < 500; room += 1) assert.equal((await other.nextJson()).data.room, room);
  assert.equal((await client.end()).code, 1000);
});

test('a protocol error closes the connection with its code', async (t) => {
  const echo = await run(t, 'echo');
  const client = await connect(t, echo);
  client.send('x'.repeat(1_000_001));
  assert.equal((await client.end()).code, 1009);

  // Each frame is masked with 0.
  const frames = [
    [1007, [0x81, 0x81, 0, 0, 0, 0, 0xff]],
    [1002, [0x83, 0x80, 0, 0, 0, 0]],
    [1002, [0x81, 0x00]],
    [1002, [0xc1, 0x80, 0, 0, 0, 0]],
    [1002, [0x80, 0x80, 0, 0, 0, 0]],
  ];
  for (const [code, frame] of frames) {
    const { socket } = await upgrade(`${echo.http}/ws/1`);
    t.after(() => socket.destroy());
    socket.write(Buffer.from(frame));
    const received = await answer(socket);
    assert.equal(received[0], 0x88, 'a close frame');
    assert.equal(received.readUInt16BE(2), code);
  }
});

test('a server that shuts down sends a close frame', async (t) => {
  const echo = await run(t, 'echo');
  const client = await connect(t, echo);
  await client.ask('ack', payload);
  assert.equal(await echo.stop(), 0);
  assert.equal((await client.end()).code, 1001);
});

test('the server accepts no subprotocol', async (t) => {
  const echo = await run(t, 'echo');
  assert.equal((await connect(t, echo)).socket.protocol, '');
  const { response, socket } = await upgrade(`${echo.http}/ws/1`, { 'sec-websocket-protocol': 'chat, superchat' });
  socket.destroy();
  assert.equal(response.statusCode, 101);
  // The example of RFC 6455.
  assert.equal(response.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  assert.equal(response.headers['sec-websocket-protocol'], undefined);
  assert.equal(response.headers['sec-websocket-extensions'], undefined);
});

test('pages of the same origin may connect, others may not', async (t) => {
  const echo = await run(t, 'echo');
  const client = await connect(t, echo, { origin: echo.http });
  assert.deepEqual(await client.ask('ack', payload), { data: payload });
  const port = echo.port;
  // Debug builds allow all ports of localhost.
  await connect(t, echo, { origin: 'http://localhost:5173' });
  for (const origin of ['http://example.org', `http://localhost.example.org:${port}`, `http://127.0.0.1:${port}.example.org`, 'null']) {
    assert.equal(await refusal(`${echo.ws}/ws/1`, { origin }), 403, origin);
  }
});

test('a request without an upgrade is answered with 426', async (t) => {
  const echo = await run(t, 'echo');
  const response = await get(`${echo.http}/ws/1`);
  assert.equal(response.statusCode, 426);
  assert.equal(response.headers.upgrade, 'websocket');
  assert.equal((await get(echo.http)).statusCode, 404);
});

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
  const begin = async (test, echo) => {
    const socket = io(echo.http, { transports, forceNew: true, reconnection: false });
    test.after(() => socket.disconnect());
    await within(once(socket, 'connect'), 'waiting for a Socket.IO client to connect');
    return socket;
  };

  test(`Socket.IO clients are served by the same handlers, by ${transports.join(' and ')}`, async (t) => {
    const socket = await begin(t, await run(t, 'echo'));
    const ask = (...event) => within(socket.emitWithAck(...event), `waiting for the answer to ${event}`);
    for (const text of ['hello', '', 'üñí 🎉', '"quoted" \\ \n\t\u0000\u2028 </script>', 'x'.repeat(100_000)]) {
      const heard = once(socket, 'echo');
      socket.emit('echo', { ...payload, text });
      assert.deepEqual(await within(heard, 'waiting for an echo'), [{ ...payload, text }]);
      assert.deepEqual(await ask('ack', { ...payload, text }), { ...payload, text });
    }
    const { error } = await ask('ack', { ...payload, room: 'seven' });
    assert.deepEqual([error.code, error.path], ['invalid_payload', 'room']);
    assert.equal((await ask('nothing', payload)).error.code, 'unknown_event');
    const answers = await Promise.all(Array.from({ length: 500 }, (_, room) => ask('ack', { ...payload, room })));
    assert.deepEqual(answers.map(({ room }) => room), answers.map((_, at) => at));
  });

  test(`a broadcast reaches clients of both kinds, by ${transports.join(' and ')}`, async (t) => {
    const echo = await run(t, 'echo');
    const plain = await connect(t, echo);
    await plain.ask('ack', payload);
    const socket = await begin(t, echo);
    for (const from of ['plain', 'socket.io']) {
      const heard = once(socket, 'broadcast');
      if (from === 'plain') plain.sendJson({ event: 'broadcast', data: { ...payload, text: from } });
      else socket.emit('broadcast', { ...payload, text: from });
      assert.deepEqual(await plain.nextJson(), { event: 'broadcast', data: { ...payload, text: from } });
      assert.deepEqual(await within(heard, 'waiting for a broadcast'), [{ ...payload, text: from }]);
    }
  });
}
