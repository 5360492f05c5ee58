// Connecting with the client from npm: auth, refusals, the handshake and its response.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Decoder, Encoder, PacketType } from 'socket.io-parser';
import { COMBINATIONS, DIFFERENCES, ask, heard, keep, matrix, serve } from './conformance.mjs';

// Waits for a refusal.
async function refused(socket) {
  const [error] = await heard(socket, 'connect_error');
  assert.equal(socket.connected, false);
  return error;
}

matrix(({ combination, connect, shared }) => {
  const client = (t, options, namespace) => combination.client(t, shared.server, options, namespace);

  test('a client connects without auth and receives its id only', async (t) => {
    const socket = await connect(t);
    assert.match(socket.id, /^[\w-]{20}$/);
    assert.notEqual(socket.id, socket.io.engine.id);
    assert.match(socket.io.engine.id, /^[\w-]{20}$/);
    assert.equal(socket.recovered, undefined);
    const [{ auth }] = await ask(socket, 'handshake');
    assert.deepEqual(auth, {});
  });

  test('the CONNECT answer has `sid` and nothing else', async (t) => {
    const socket = client(t, { autoConnect: false });
    const { parser = { Encoder, Decoder, PacketType } } = socket.io.opts;
    const packets = [];
    class Spy extends parser.Decoder {
      constructor() {
        super();
        this.on('decoded', (packet) => packets.push(structuredClone(packet)));
      }
    }
    // The msgpack decoder creates objects without a class.
    socket.io.decoder = new Spy();
    socket.connect();
    await heard(socket, 'connect');
    assert.equal(packets.length, 1);
    const { type, nsp, data } = packets[0];
    assert.deepEqual([type, nsp, data.sid], [0, '/', socket.id]);
    assert.deepEqual(JSON.parse(JSON.stringify(data)), { sid: socket.id });
  });

  test('auth arrives in every form and separate from the query', async (t) => {
    const auth = { token: 'ü "quoted"', nested: { list: [1, null, true] } };
    const given = await connect(t, { auth, query: { token: 'of the query' } });
    const [{ auth: arrived, query }] = await ask(given, 'handshake');
    assert.deepEqual(arrived, auth);
    assert.equal(query.token, 'of the query');
    const computed = await connect(t, { auth: (give) => give({ computed: true }) });
    assert.deepEqual((await ask(computed, 'handshake'))[0].auth, { computed: true });
    const onlyQuery = await connect(t, { query: { token: 'of the query' } });
    assert.deepEqual((await ask(onlyQuery, 'handshake'))[0].auth, {});
  });

  test('a refusal has a message and data', async (t) => {
    for (const data of [{ code: 'full', retry: [1, null] }, 'text', 7, false]) {
      const error = await refused(client(t, { auth: { refuse: { message: 'no "entry"', data } } }));
      assert.equal(error.message, 'no "entry"');
      assert.deepEqual(error.data, data);
    }
  });

  test('a refusal may have no data', async (t) => {
    const error = await refused(client(t, { auth: { refuse: { message: 'no' } } }));
    assert.equal(error.message, 'no');
    assert.equal(error.data, undefined);
  });

  test('a refused client may try again on the same connection', async (t) => {
    const other = await connect(t, {}, '/room-1');
    const { engine } = other.io;
    const socket = other.io.socket('/', { auth: { refuse: { message: 'no' } } });
    await refused(socket);
    socket.auth = { name: 'Ann' };
    socket.connect();
    await heard(socket, 'connect');
    assert.equal(socket.io.engine, engine);
    assert.deepEqual((await ask(socket, 'handshake'))[0].auth, { name: 'Ann' });
  });

  test('a refused handshake is an error of the transport', async (t) => {
    const error = await refused(client(t, { extraHeaders: { 'x-forbid': 'yes' } }));
    assert.match(error.message, combination.transport === 'websocket' ? /websocket error/ : /xhr poll error/);
  });

  test('handlers can read the handshake', async (t) => {
    const before = Date.now();
    const socket = await connect(t, { query: { text: 'ü & = + %41/?', empty: '' }, extraHeaders: { 'X-Name': 'Ann' } });
    const [{ headers, address, time, issued, xdomain, secure, url, query }] = await ask(socket, 'handshake');
    assert.deepEqual([xdomain, secure], [false, false]);
    assert.equal(headers['x-name'], 'Ann');
    assert.equal(headers.host, `127.0.0.1:${shared.server.port}`);
    assert.equal(address, '127.0.0.1');
    assert.ok(issued >= before && issued <= Date.now());
    // The text has no milliseconds.
    assert.ok(Math.abs(Date.parse(time) - issued) <= 1000, time);
    assert.ok(url.startsWith('/socket.io/?'), url);
    assert.ok(url.includes('text=%C3%BC%20%26%20%3D%20%2B%20%2541%2F%3F'), url);
    const { t: _, ...rest } = query;
    const transport = combination.transport === 'websocket' ? 'websocket' : 'polling';
    assert.deepEqual(rest, { text: 'ü & = + %41/?', empty: '', EIO: '4', transport });
  });

  test('the server knows the current transport', async (t) => {
    const socket = await connect(t);
    assert.equal(socket.io.engine.transport.name, combination.last);
    assert.deepEqual(await ask(socket, 'transport'), [combination.last]);
  });

  test('a client may disconnect and connect again on the same connection', async (t) => {
    const socket = await connect(t);
    const other = socket.io.socket('/room-1');
    await heard(other, 'connect');
    const { engine } = socket.io;
    const first = socket.id;
    for (let i = 0; i < 3; i += 1) {
      socket.disconnect();
      if (DIFFERENCES.refusesHaste) await ask(other, 'ack');
      socket.connect();
      await heard(socket, 'connect');
      assert.deepEqual(await ask(socket, 'ack', i), [i]);
    }
    assert.notEqual(socket.id, first);
    assert.equal(socket.io.engine, engine);
    assert.deepEqual(await ask(other, 'ack', 'undisturbed'), ['undisturbed']);
  });

  test('a client receives no unrequested events', async (t) => {
    const socket = client(t);
    const received = [];
    socket.onAny((...args) => received.push(args));
    await heard(socket, 'connect');
    await combination.settled(socket);
    await ask(socket, 'ack');
    assert.deepEqual(received, []);
  });

  test('events emitted before the connection opens arrive in order', async (t) => {
    const socket = client(t);
    const echoed = keep(socket, 'echo');
    for (let i = 0; i < 20; i += 1) socket.emit('echo', i);
    await ask(socket, 'ack');
    assert.deepEqual(echoed.items.map(([i]) => i), Array.from({ length: 20 }, (_, i) => i));
  });

  test('four Set-Cookie headers reach the client and are sent back', async (t) => {
    const socket = client(t, { withCredentials: true });
    await heard(socket, 'connect');
    const [{ headers }] = await ask(socket, 'handshake');
    assert.equal(headers.cookie, undefined);
    if (combination.transport === 'websocket') return;
    const jar = Object.fromEntries([...socket.io.engine._cookieJar._cookies].map(([name, { value }]) => [name, value]));
    assert.deepEqual(jar, { one: '1', two: '2', three: '3', four: '4' });
  });
});

test('only the allowed transports can be used', async (t) => {
  for (const allowed of ['polling', 'websocket']) {
    const server = await serve(t, { TRANSPORTS: allowed });
    const [polling, webSocket, upgrading] = COMBINATIONS;
    const [good, bad] = allowed === 'polling' ? [polling, webSocket] : [webSocket, polling];
    const socket = await good.connect(t, server);
    assert.deepEqual(await ask(socket, 'transport'), [allowed]);
    assert.match((await refused(bad.client(t, server))).message, /error/);
    if (allowed === 'websocket') continue;
    const stays = upgrading.client(t, server);
    await heard(stays, 'connect');
    assert.deepEqual(await ask(stays, 'transport'), ['polling']);
  }
});
