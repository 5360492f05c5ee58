// A member of a cluster: a server of the reference implementation. `cluster-member` is its twin in
// Rust.
//
// It takes its settings as JSON from the environment variable MEMBER:
//
// | setting | meaning |
// | --- | --- |
// | `name` | what it answers questions of other servers with |
// | `adapter` | `redis`, `ioredis`, `specific` (answers on specific channels), `sharded`, `private`, `streams`, `iostreams` or `postgres` |
// | `urls` | the addresses of Redis servers: one, or those of a Redis Cluster or of Sentinels; or that of a PostgreSQL server |
// | `cluster` | whether they are a Redis Cluster |
// | `sentinel` | the name of the master that Sentinels watch |
// | `prefix` | the prefix of the channels, and the name of the stream |
// | `namespaces` | the namespaces that it serves |
// | `admin` | `{ username, password }`, with the bcrypt hash of the password: serves the Admin UI in development mode, in `/admin` |
// | `drain` | `{ over, grace }`, in milliseconds: how a server in Rust moves its clients away at SIGTERM |
// | `patience` | how long a server in Rust waits for answers of other servers, in milliseconds |
// | `listeners` | texts of programs that a server on Node.js runs, with its `io` |
// | `recovery` | `{ maxDisconnectionDuration, eager }`: clients can resume their sessions. `eager`: those of a server in Rust also after it has crashed |
//
// It serves Socket.IO at /socket.io/. The server in Rust also serves plain WebSockets, at /ws for
// the namespace `/`, and at /ws/custom for `/custom`, and its health at /health/. Sockets handle
// these events:
//
// | event | what happens |
// | --- | --- |
// | `data` value | becomes `socket.data.value`, or an attribute `value` |
// | `join` rooms | the socket joins them |
// | `recovered` | is answered with `{ recovered, reason }`: whether the socket has resumed a session, and why it could not (in Rust only) |
// | `tell` selection, ...args | `socket.broadcast` emits the arguments to the selection |
// | `id` | is answered with the id of the socket (in Rust only) |
//
// A test controls the member by a second Socket.IO server at /control/, which is no member of the
// cluster. Its event `command` has the name of a verb, a selection, and arguments. The ack is
// `{ result }` or `{ error: { message } }`. A selection is `{ namespace, to, except, volatile, local,
// timeout }`, with everything optional. `verbs` below has all verbs. The server in Rust has some
// more, for tests of faults:
//
// | verb | result |
// | --- | --- |
// | `send` text or bytes | sends a raw message |
// | `start` [pause, bytes] | begins to emit `tick` to everyone, with the server's name, the numbers 1, 2, …, and padding |
// | `burst` [count, bytes] | emits so many of them at once |
// | `stop` | ends that; the result is the last number |
// | `health` | `{ state, lag, error }` |
// | `stats` | the counters of the cluster |
// | `disconnectWhere` [attribute, value] | `{ sockets, sessions, silent }`: what was disconnected on all servers |
// | `fetchStats` | `{ total, here, others, silent }`, of `{ sockets, connecting, rooms }` |
// | `roomPages` limit | `{ pages, silent }`: the names of the rooms on all servers, page by page |
// | `emitter emit`, `emitter join`, `emitter leave`, `emitter disconnect`, `emitter serverEmit` | an emitter in the same process does it, which is no member |
//
// The control connection receives `heard` with a namespace and the arguments of an event `news` from
// another server, and from a server in Rust `cluster` with the text of an event of the cluster.

import { createServer } from 'node:http';
import { instrument } from '@socket.io/admin-ui';
import { Server } from 'socket.io';
import { createAdapter as createPostgresAdapter } from '@socket.io/postgres-adapter';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import { connect } from './clients.mjs';

const settings = JSON.parse(process.env.MEMBER);
const { name, adapter, prefix = 'socket.io', namespaces = ['/'], listeners = [], recovery, admin } = settings;

// The adapter does not handle that `redis` rejects commands whose connection is lost.
process.on('unhandledRejection', (error) => console.error(`${name}: ${error.message}`));

const [publisher, subscriber] = await connect(settings);

const adapters = {
  redis: () => createAdapter(publisher, subscriber, { key: prefix }),
  ioredis: () => createAdapter(publisher, subscriber, { key: prefix }),
  specific: () => createAdapter(publisher, subscriber, { key: prefix, publishOnSpecificResponseChannel: true }),
  sharded: () => createShardedAdapter(publisher, subscriber, { channelPrefix: prefix, subscriptionMode: 'dynamic' }),
  private: () => createShardedAdapter(publisher, subscriber, { channelPrefix: prefix, subscriptionMode: 'dynamic-private' }),
  streams: () => createStreamsAdapter(publisher, { streamName: prefix, channelPrefix: prefix }),
  iostreams: () => createStreamsAdapter(publisher, { streamName: prefix, channelPrefix: prefix }),
  postgres: () => createPostgresAdapter(publisher, { channelPrefix: prefix, errorHandler: (error) => console.error(`${name}: ${error.message}`) }),
};

const http = createServer((_, response) => response.writeHead(404).end());
const connectionStateRecovery = recovery && { maxDisconnectionDuration: recovery.maxDisconnectionDuration };
const io = new Server(http, { serveClient: false, adapter: adapters[adapter](), connectionStateRecovery });
if (admin) instrument(io, { auth: { type: 'basic', ...admin }, mode: 'development', serverId: name });
for (const listener of listeners) new Function('io', listener)(io);
const control = new Server(http, { path: '/control/', serveClient: false, maxHttpBufferSize: 1e8 });

for (const path of namespaces) {
  const namespace = io.of(path);
  namespace.on('news', (...args) => control.emit('heard', path, args));
  // The first argument says whether the server answers.
  namespace.on('question', (answers, ...args) => {
    const answer = args.pop();
    if (answers === true || answers === name) answer({ from: name, args });
  });
  namespace.on('connection', (socket) => {
    socket.on('data', (value, answer) => {
      socket.data.value = value;
      answer();
    });
    socket.on('join', (rooms, answer) => {
      socket.join(rooms);
      answer();
    });
    socket.on('recovered', (answer) => answer({ recovered: socket.recovered }));
    socket.on('tell', (selection, ...args) => {
      const answer = args.pop();
      chosen(selection, socket.broadcast).emit(...args);
      answer();
    });
  });
}

// Applies a selection.
function chosen({ namespace = '/', to = [], except = [], volatile, local, timeout }, all = io.of(namespace).to([])) {
  let selected = all.to(to).except(except);
  if (volatile) selected = selected.volatile;
  if (local) selected = selected.local;
  return timeout === undefined ? selected : selected.timeout(timeout);
}

// The answers that came in time, and whether that is all of them.
async function answered(asked) {
  try {
    return { answers: await asked, complete: true };
  } catch (error) {
    if (!error.responses) throw error;
    return { answers: error.responses, complete: false };
  }
}

async function details(selected) {
  const sockets = await selected.fetchSockets();
  return sockets.map(({ id, rooms, data, handshake }) => {
    const { headers, time, address, xdomain, secure, issued, url, query, auth } = handshake;
    return { id, rooms: [...rooms].sort(), data, handshake: { headers, time, address, xdomain, secure, issued, url, query, auth } };
  });
}

async function only(selection) {
  const sockets = await chosen(selection).fetchSockets();
  if (sockets.length !== 1) throw new Error(`${sockets.length} sockets were found`);
  return sockets[0];
}

const verbs = {
  emit: (selection, ...args) => void chosen(selection).emit(...args),
  emitWithAck: (selection, ...args) => answered(chosen(selection).emitWithAck(...args)),
  fetch: (selection) => details(chosen(selection)),
  join: (selection, rooms) => chosen(selection).socketsJoin(rooms),
  leave: (selection, rooms) => chosen(selection).socketsLeave(rooms),
  disconnect: (selection, close) => chosen(selection).disconnectSockets(close),
  serverEmit: ({ namespace = '/' }, ...args) => void io.of(namespace).serverSideEmit(...args),
  serverRequest: ({ namespace = '/' }, ...args) => answered(io.of(namespace).serverSideEmitWithAck(...args)),
  servers: ({ namespace = '/' }) => io.of(namespace).adapter.serverCount(),
  rooms: async ({ namespace = '/' }) => {
    const { adapter } = io.of(namespace);
    // The sharded adapter has no way to ask other servers.
    return [...(adapter.allRooms ? await adapter.allRooms() : adapter.rooms.keys())].sort();
  },
  // What is done to one socket that a server has fetched.
  remoteEmit: async (selection, ...args) => void (await only(selection)).emit(...args),
  remoteAsk: async (selection, ...args) => {
    const socket = await only(selection);
    return socket.timeout(selection.timeout ?? 5_000).emitWithAck(...args);
  },
  remoteJoin: async (selection, rooms) => (await only(selection)).join(rooms),
  remoteLeave: async (selection, room) => (await only(selection)).leave(room),
  remoteDisconnect: async (selection, close) => void (await only(selection)).disconnect(close),
  // Waits until what was published and subscribed to is in effect.
  flushed: async () => {
    await Promise.all([publisher, subscriber].map((client) => client.settled()));
  },
};

control.on('connection', (socket) => {
  socket.on('command', async (verb, selection, ...args) => {
    const answer = args.pop();
    try {
      answer({ result: await verbs[verb](selection, ...args) });
    } catch (error) {
      answer({ error: { message: error.message } });
    }
  });
});

http.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${http.address().port}`);
});
