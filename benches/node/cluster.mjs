// A server of a cluster on Node, tuned like server.mjs. It is driven like servers/cluster.rs, with
// the same arguments. The environment variable CLIENT selects the client for Redis: `ioredis` or
// `redis`.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { RedisAdapter } from '@socket.io/redis-adapter';
import { Server } from 'socket.io';

async function clients(url) {
  if (process.env.CLIENT === 'redis') {
    const { createClient } = await import('redis');
    const publisher = createClient({ url });
    const subscriber = publisher.duplicate();
    await Promise.all([publisher.connect(), subscriber.connect()]);
    return [publisher, subscriber];
  }
  const { Redis } = await import('ioredis');
  const publisher = new Redis(url);
  return [publisher, publisher.duplicate()];
}

let received = 0;

class CountingAdapter extends RedisAdapter {
  onmessage(pattern, channel, message) {
    received += 1;
    super.onmessage(pattern, channel, message);
  }
}

const server = createServer();
const options = { transports: ['websocket'], perMessageDeflate: false, httpCompression: false, pingInterval: 3_600_000 };
const io = new Server(server, options);
const [url, prefix] = process.argv.slice(2);
if (url) {
  const [publisher, subscriber] = await clients(url);
  io.adapter(function create(namespace) {
    return new CountingAdapter(namespace, publisher, subscriber, { key: prefix });
  });
  // The adapter does not tell when its subscriptions are in effect.
  for (let attempt = 0; attempt < 500; attempt += 1) {
    if ((await io.of('/').adapter.serverCount()) > 0) break;
    await setTimeout(10);
  }
}
io.engine.on('connection', (connection) => {
  connection.request = null;
});
io.on('connection', (socket) => {
  socket.on('join', (room, answer) => {
    socket.join(room);
    answer();
  });
});

// Emits numbered messages to a room: at a rate per second, in steps of a millisecond, or at once if
// the rate is 0.
async function emit(room, first, count, bytes, rate) {
  const text = 'x'.repeat(bytes);
  const begin = performance.now();
  for (let sent = 0; sent < count; ) {
    const due = rate === 0 ? count : Math.min(count, Math.floor(((performance.now() - begin) * rate) / 1000));
    for (; sent < due; sent += 1) io.to(room).emit('message', { n: first + sent, text });
    if (sent < count) await setTimeout(1);
  }
}

server.listen(0, '127.0.0.1', () => console.log(`cluster listens on http://127.0.0.1:${server.address().port}`));
for await (const line of createInterface({ input: process.stdin })) {
  const [command, room, ...numbers] = line.split(' ');
  if (command === 'emit') {
    await emit(room, ...numbers.map(Number));
    console.log('done');
  } else {
    console.log(`${received} 0`);
  }
}
process.exit();
