// A server of the chat on Node.js, which is in one cluster with the servers in Rust: the adapter
// and the names of the events are the same, and so is `socket.data.name`.
//
// `REDIS_URL` is the address of Redis, by default redis://127.0.0.1:6379. `HOST` and `PORT` say where
// the server listens, by default 127.0.0.1 and 4000.

import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const { REDIS_URL: url = 'redis://127.0.0.1:6379', HOST: host = '127.0.0.1', PORT: port = '4000' } = process.env;

// How long the page of a receiver may take to acknowledge a direct message, in milliseconds.
const DELIVERY_TIMEOUT = 10_000;
// The number of recent messages of a room that new members receive.
const HISTORY_LENGTH = 50;

// Without a queue, messages are lost while Redis is away, as on the servers in Rust.
const publisher = createClient({ url, disableOfflineQueue: true });
const subscriber = createClient({ url });
let problem;
for (const client of [publisher, subscriber]) {
  client.on('error', (error) => (problem = error.message || error.code));
}
// The adapter does not catch that a message can't be published, which would end the program.
const publish = publisher.publish.bind(publisher);
publisher.publish = (...message) => publish(...message).catch((error) => (problem = error.message));
await Promise.all([publisher.connect(), subscriber.connect()]);

const http = createServer();
const io = new Server(http, { adapter: createAdapter(publisher, subscriber) });
const { adapter } = io.of('/');

// The people and the recent messages of this server.
const people = new Map();
const histories = new Map();

// The names of the sockets that a selection reaches on all servers. If not all of them answer, the
// names on this server.
async function names(select) {
  const all = (operator) => select(operator).fetchSockets();
  const sockets = await all(io.timeout(2_000)).catch(() => all(io.local));
  return [...new Set(sockets.map(({ data }) => data.name).filter(Boolean))].sort();
}

const failed = (code, message) => ({ error: { code, message } });
const inbox = (name) => `@${name}`;
const isRoom = (name) => typeof name === 'string' && /^[\p{Alphabetic}\p{N}_-]{1,24}$/u.test(name);
const isText = (text) => typeof text === 'string' && text.trim() !== '' && text.length <= 2_000;

// A name belongs to one socket of this server. With the same key, a new one takes it over.
io.use((socket, next) => {
  const { name, key } = socket.handshake.auth;
  if (typeof name !== 'string' || !/^\P{Cc}{1,24}$/u.test(name.trim())) return next(new Error('this is no name'));
  const earlier = people.get(name.trim());
  if (earlier && (!key || earlier.key !== key)) return next(new Error('this name is taken'));
  Object.assign(socket.data, { name: name.trim() });
  next();
});

io.on('connection', async (socket) => {
  const { name } = socket.data;
  const earlier = people.get(name);
  people.set(name, { socket, key: socket.handshake.auth.key });
  socket.join(inbox(name));

  // A handler returns the answer.
  const handle = (event, handler) =>
    socket.on(event, async (payload, answer) => {
      try {
        const result = await handler(payload);
        if (typeof answer === 'function') answer(result);
      } catch (error) {
        console.error(event, error);
        if (typeof answer === 'function') answer(failed('internal', 'the server could not handle it'));
      }
    });

  handle('join', async (payload) => {
    const room = isRoom(payload) && payload.toLowerCase();
    if (!room) return failed('invalid_payload', 'this is no name of a room');
    socket.join(room);
    socket.to(room).emit('joined', { room, name });
    return { room, members: await names((operator) => operator.in(room)), said: histories.get(room) ?? [] };
  });

  const part = (room) => {
    socket.leave(room);
    if (!adapter.rooms.has(room)) histories.delete(room);
    socket.to(room).emit('parted', { room, name });
  };
  handle('part', (room) => void (isRoom(room) && part(room.toLowerCase())));

  handle('say', ({ room, text } = {}) => {
    if (!isText(text)) return failed('invalid_payload', 'this is no message');
    if (!isRoom(room) || !socket.rooms.has(room)) return failed('not_in_room', `join #${room} first`);
    const history = histories.get(room) ?? [];
    const said = { room, from: name, text: text.trim(), at: Math.max(Date.now(), (history.at(-1)?.at ?? 0) + 1) };
    histories.set(room, [...history.slice(1 - HISTORY_LENGTH), said]);
    socket.to(room).emit('said', said);
    return { at: said.at };
  });

  handle('typing', (room) => void (isRoom(room) && socket.to(room).volatile.emit('typing', { room, name })));

  handle('tell', async ({ to, text } = {}) => {
    if (!isText(text)) return failed('invalid_payload', 'this is no message');
    const told = { from: name, text: text.trim(), at: Date.now() };
    try {
      const answers = await io.to(inbox(to)).timeout(DELIVERY_TIMEOUT).emitWithAck('told', told);
      return answers.length > 0 ? { at: told.at } : failed('nobody_there', `${to} is not here`);
    } catch {
      return failed('not_delivered', `${to} did not receive it`);
    }
  });

  socket.on('disconnecting', () => [...socket.rooms].filter(isRoom).filter((room) => room !== socket.id).forEach(part));
  socket.on('disconnect', () => {
    if (people.get(name)?.socket !== socket) return;
    people.delete(name);
    io.emit('left', { name });
  });

  if (earlier) {
    earlier.socket.emit('farewell', { reason: 'you are connected from elsewhere' });
    earlier.socket.disconnect(true);
  } else {
    socket.broadcast.emit('arrived', { name });
  }
  socket.emit('welcome', { name, people: await names((operator) => operator) });
});

// Node.js counts nothing, so that only the health and the number of servers are known.
async function figures() {
  const isUp = publisher.isReady && subscriber.isReady;
  const began = performance.now();
  const servers = isUp ? await adapter.serverCount().catch(() => null) : null;
  const lag = servers === null ? null : performance.now() - began;
  return { id: adapter.uid, state: isUp ? 'up' : 'degraded', error: isUp ? null : problem, lag, servers };
}

const timer = setInterval(async () => io.local.volatile.emit('cluster', await figures()), 1_000);

http.listen(Number(port), host, () => console.log(`node listens on http://${host}:${http.address().port}`));

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    clearInterval(timer);
    await io.close();
    // What was sent is still answered.
    await Promise.allSettled([publisher.close(), subscriber.close()]);
  });
}
