// Records what servers on Node.js and emitters publish in a cluster. The unit tests of the codec read
// the file:
//
//   node tests/node/cluster/record.mjs > socketio/src/cluster/codec/recorded.jsonl
//
// Each line is a message: the dialect, what was done, the topic (its kind, namespace, and room or
// server, or server and type), and the body in hexadecimal digits. Of a message with `inexact`, this crate writes another
// form, because JSON or its sender lacks something.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import { Emitter } from '@socket.io/redis-emitter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { io as connect } from 'socket.io-client';
import { Feed } from '../lib.mjs';

const HOST = '127.0.0.1';

async function startRedis() {
  const reserved = net.createServer().listen(0, HOST);
  await once(reserved, 'listening');
  const { port } = reserved.address();
  await once(reserved.close(), 'close');
  const directory = await mkdtemp(path.join(tmpdir(), 'redis-'));
  const options = ['--port', port, '--bind', HOST, '--dir', directory, '--save', '', '--appendonly', 'no'];
  const child = spawn('redis-server', options.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => child.kill());
  const log = new Feed();
  child.on('error', (error) => log.end(error));
  child.on('close', () => log.end(new Error('redis-server ended')));
  createInterface({ input: child.stdout }).on('line', (line) => log.push(line));
  await log.until((lines) => lines.find((line) => line.includes('Ready to accept')), 'waiting for redis-server');
  const stop = async () => {
    child.kill();
    await once(child, 'close');
    await rm(directory, { recursive: true });
  };
  return { port, stop };
}

// The topic of a channel.
function topicOf(dialect, channel) {
  const [prefix, namespace, detail] = channel.split('#');
  if (prefix === 'socket.io-request') return ['requests', namespace];
  if (prefix === 'socket.io-response') return detail ? ['reply', namespace, detail] : ['responses', namespace];
  if (detail && dialect !== 'classic' && /^[0-9a-f]{16}$/.test(detail)) return ['reply', namespace, detail];
  return detail ? ['room', namespace, detail] : ['main', namespace];
}

class Recorder {
  messages = new Feed();
  #dialect;
  #step;

  constructor(dialect) {
    this.#dialect = dialect;
  }

  // Records what a Redis client publishes.
  attach(client) {
    for (const method of ['publish', 'spublish']) {
      const original = client[method].bind(client);
      client[method] = (channel, body) => {
        this.#record(topicOf(this.#dialect, channel), Buffer.from(body));
        return original(channel, body);
      };
    }
    const { xadd } = client;
    client.xadd = (command) => {
      const fields = command.slice(command.indexOf('*') + 1);
      const { uid, nsp, type, data } = Object.fromEntries(fields.flatMap((name, i) => (i % 2 ? [] : [[name, fields[i + 1]]])));
      assert.deepEqual(Object.keys({ uid, nsp, type, data }), fields.filter((_, i) => i % 2 === 0));
      this.#record(['log', nsp, uid, type], Buffer.from(data, data.startsWith('{') ? 'utf8' : 'base64'));
      return xadd.call(client, command);
    };
    return client;
  }

  #record(topic, body) {
    const line = { dialect: this.#dialect, step: this.#step.name, topic, body: body.toString('hex') };
    if (this.#step.inexact) line.inexact = true;
    this.messages.push(line);
  }

  // Does something, and waits until so many messages were published.
  async step(name, count, run, { inexact = false } = {}) {
    const before = this.messages.items.length;
    this.#step = { name, inexact };
    const result = run();
    await this.messages.until((all) => (all.length >= before + count ? all : undefined), `${this.#dialect}: ${name}`);
    await result;
    assert.equal(this.messages.items.length, before + count, `${this.#dialect}: ${name}`);
  }
}

const redis = await startRedis();
const clients = [];
const redisClient = () => {
  const client = new Redis(redis.port, HOST);
  clients.push(client);
  // The adapter for streams makes connections of its own.
  const duplicate = client.duplicate.bind(client);
  client.duplicate = () => {
    const other = duplicate();
    clients.push(other);
    return other;
  };
  return client;
};

async function member(recorder, adapter) {
  const publisher = recorder.attach(redisClient());
  const subscriber = redisClient();
  await Promise.all([once(publisher, 'ready'), once(subscriber, 'ready')]);
  const http = createServer();
  const io = new Server(http, { serveClient: false, adapter: adapter(publisher, subscriber) });
  for (const namespace of ['/', '/custom']) {
    io.of(namespace).on('connection', (socket) => {
      // In the order of the alphabet, in which this crate writes it.
      socket.data = { list: [1, { two: 2.5 }], name: 'ä' };
      socket.join('all');
    });
    io.of(namespace).on('question', (value, answer) => answer(value));
    io.of(namespace).on('silence', (answer) => answer());
  }
  http.listen(0, HOST);
  await once(http, 'listening');
  return { io, port: http.address().port };
}

async function client(port, namespace) {
  const socket = connect(`http://${HOST}:${port}${namespace}`, { transports: ['websocket'], auth: { token: 'x' }, forceNew: true });
  socket.on('ask', (value, answer) => answer(value));
  socket.on('poke', (answer) => answer());
  await once(socket, 'connect');
  return socket;
}

// Waits until all members know of each other, so that requests wait for answers.
async function counted(servers, count) {
  for (const { io } of servers) {
    for (const namespace of ['/', '/custom']) {
      const { adapter } = io.of(namespace);
      for (let attempt = 0; (await adapter.serverCount()) < count; attempt += 1) {
        assert.ok(attempt < 1_000, 'waiting for the servers to know of each other');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }
}

const bytes = Buffer.from([0, 1, 254, 255]);

async function verbs(recorder, a, b) {
  const { io } = a;
  await recorder.step('emit', 1, () => io.emit('hello', 1, { x: null }));
  await recorder.step('emit without arguments', 1, () => io.emit('hello'));
  await recorder.step('emit in a namespace', 1, () => io.of('/custom').emit('hello', 'é😀"\\\n'));
  await recorder.step('emit to a room', 1, () => io.to('room1').emit('hello', true));
  await recorder.step('emit to rooms', 1, () => io.to('room1').to('room2').except('room3').emit('hello', [false]));
  await recorder.step('emit to a room with a number', 1, () => io.to(7).emit('hello'), { inexact: true });
  await recorder.step('emit to a room like an id', 1, () => io.to('aaaaaaaaaaaaaaaaaaaa').emit('hello'));
  await recorder.step('emit with flags', 1, () => io.volatile.emit('hello'));
  await recorder.step('emit with other flags', 1, () => io.compress(false).emit('hello'), { inexact: true });
  const numbers = [0, -1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53, -32, -33, -128, -129, -32_768, -32_769];
  numbers.push(-(2 ** 31), -(2 ** 31) - 1, -(2 ** 53), 0.5, -1.25, 1e-7, 123456.789);
  await recorder.step('emit numbers', 1, () => io.emit('hello', ...numbers));
  await recorder.step('emit large numbers', 1, () => io.emit('hello', 1e20, 1e300, -0), { inexact: recorder.classic });
  await recorder.step('emit long values', 1, () => {
    const object = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`key${i}`, i]));
    io.emit('hello', 'x'.repeat(32), 'y'.repeat(256), Array.from({ length: 20 }, (_, i) => [i]), object, [], {});
  });
  await recorder.step('emit null and undefined', 1, () => io.emit('hello', null, [undefined], { gone: undefined, a: 1 }));
  const dates = [new Date(0), new Date(1_700_000_000_123), new Date(-1)];
  await recorder.step('emit dates', 1, () => io.emit('hello', ...dates), { inexact: recorder.classic });
  await recorder.step('emit binary data', 1, () => io.emit('hello', bytes, { deep: [Buffer.alloc(300, 7)] }));
  // In streams it becomes an empty object.
  await recorder.step('emit an array buffer', 1, () => io.to('room1').emit('hello', new Uint8Array(bytes).buffer), { inexact: recorder.streams });
  await recorder.step('emit binary data with a placeholder', 1, () => io.emit('hello', Buffer.alloc(0), { _placeholder: false, num: 0 }));

  const ask = (namespace, value) => io.of(namespace).to('all').timeout(10_000).emitWithAck('ask', value);
  await recorder.step('ask', 3, () => ask('/', { a: [1, 'two'] }));
  await recorder.step('ask in a namespace', 3, () => ask('/custom', null));
  await recorder.step('ask with binary data', 3, () => ask('/', { bytes }));
  await recorder.step('ask without a value', 3, () => io.timeout(10_000).emitWithAck('poke'));
  await recorder.step('ask nobody', 2, () => io.to('nobody').timeout(10_000).emitWithAck('poke'));

  await recorder.step('join', 1, () => io.in('all').except('none').socketsJoin(['room4', 'room5']));
  await recorder.step('leave', 1, () => io.socketsLeave('room4'));
  await recorder.step('fetch', 2, () => io.fetchSockets());
  await recorder.step('fetch in a namespace', 2, () => io.of('/custom').in('all').except('none').fetchSockets());
  await recorder.step('fetch nobody', 2, () => io.in('nobody').fetchSockets());
  const local = new Set(io.sockets.sockets.keys());
  for (const socket of b.io.sockets.sockets.values()) socket.data = { bytes };
  let remote;
  const fetch = async () => {
    remote = (await io.fetchSockets()).find(({ id }) => !local.has(id));
  };
  await recorder.step('fetch binary data', 2, fetch, { inexact: true });
  if (recorder.classic) await recorder.step('all rooms', 2, () => io.of('/').adapter.allRooms());

  await recorder.step('server emit', 1, () => io.serverSideEmit('news', 'é', 1));
  await recorder.step('server emit of binary data', 1, () => io.serverSideEmit('news', bytes));
  await recorder.step('server request', 2, () => io.serverSideEmitWithAck('question', { a: 1 }));
  await recorder.step('server request for binary data', 2, () => io.serverSideEmitWithAck('question', bytes));
  await recorder.step('server request without a value', 2, () => io.serverSideEmitWithAck('silence'));

  await recorder.step('emit to a socket', 1, () => remote.emit('hello'));
  await recorder.step('ask a socket', 3, () => remote.timeout(10_000).emitWithAck('ask', 1));
  await recorder.step('join of a socket', 1, () => remote.join('room6'));
  await recorder.step('leave of a socket', 1, () => remote.leave('room6'));
  await recorder.step('disconnect a socket', 1, () => remote.disconnect());
  await recorder.step('disconnect', 1, () => io.of('/custom').in('nobody').disconnectSockets());
  await recorder.step('close', 1, () => io.in('nobody').disconnectSockets(true));
}

async function record(dialect, adapter) {
  const recorder = new Recorder(dialect);
  recorder.classic = dialect === 'classic';
  recorder.streams = dialect === 'streams';
  const servers = [await member(recorder, adapter), await member(recorder, adapter)];
  await counted(servers, 2);
  const joined = [];
  for (const { port } of servers) for (const namespace of ['/', '/custom']) joined.push(await client(port, namespace));
  await verbs(recorder, ...servers);
  return { recorder, servers, joined };
}

async function recordClassic() {
  const { recorder, servers, joined } = await record('classic', (publisher, subscriber) => createAdapter(publisher, subscriber));
  const publisher = recorder.attach(redisClient());
  const emitter = new Emitter(publisher);
  const inexact = { inexact: true };
  await recorder.step('emitter: emit', 1, () => emitter.emit('hello', 'é', bytes), inexact);
  await recorder.step('emitter: emit to a room', 1, () => emitter.of('/custom').to('room1').except('room2').volatile.emit('hello'), inexact);
  await recorder.step('emitter: join', 1, () => emitter.in('nobody').socketsJoin('room'), inexact);
  await recorder.step('emitter: leave', 1, () => emitter.in('nobody').socketsLeave(['room']), inexact);
  await recorder.step('emitter: disconnect', 1, () => emitter.in('nobody').disconnectSockets(true), inexact);
  await recorder.step('emitter: server emit', 1, () => emitter.serverSideEmit('news', 1));

  // What members of old versions send.
  const request = (value) => publisher.publish('socket.io-request#/#', JSON.stringify(value));
  const asked = await client(servers[1].port, '/');
  joined.push(asked);
  const sid = asked.id;
  await recorder.step('old: sockets', 3, () => request({ requestId: 'aaaaaa', type: 0, rooms: ['all'] }), inexact);
  await recorder.step('old: join', 2, () => request({ sid, room: 'old', requestId: 'bbbbbb', type: 2 }), inexact);
  await recorder.step('old: leave', 2, () => request({ sid, room: 'old', requestId: 'cccccc', type: 3 }), inexact);
  await recorder.step('old: disconnect', 2, () => request({ sid, close: false, requestId: 'dddddd', type: 4 }), inexact);
  return { recorder, servers, joined };
}

async function recordSpecific() {
  const adapter = (publisher, subscriber) =>
    createAdapter(publisher, subscriber, { key: 'socket.io', publishOnSpecificResponseChannel: true });
  const recorder = new Recorder('classic');
  const servers = [await member(recorder, adapter), await member(recorder, adapter)];
  await counted(servers, 2);
  await recorder.step('fetch, answered on a specific channel', 2, () => servers[0].io.fetchSockets());
  await recorder.step('ask, answered on a specific channel', 2, () => servers[0].io.timeout(10_000).emitWithAck('poke'));
  return { recorder, servers, joined: [] };
}

async function end({ servers, joined }) {
  for (const socket of joined) socket.disconnect();
  for (const { io } of servers) await io.close();
}

const runs = [
  recordClassic,
  recordSpecific,
  () => record('messages', (publisher, subscriber) => createShardedAdapter(publisher, subscriber)),
  () => record('streams', (publisher) => createStreamsAdapter(publisher)),
];
for (const run of runs) {
  const recorded = await run();
  for (const line of recorded.recorder.messages.items) console.log(JSON.stringify(line));
  await end(recorded);
  for (const open of clients.splice(0)) open.disconnect();
}
await redis.stop();
process.exit();
