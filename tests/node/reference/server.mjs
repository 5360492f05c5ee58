// The conformance server of CONTRACT.md, implemented with the reference packages.

import { createServer } from 'node:http';
import { Server as EngineServer } from 'engine.io';
import { Server } from 'socket.io';
import msgpack from 'socket.io-msgpack-parser';

const number = (name, standard) => Number(process.env[name] || standard);
const cors = process.env.CORS_ORIGIN ? { origin: process.env.CORS_ORIGIN, credentials: true } : undefined;
const options = {
  addTrailingSlash: false,
  destroyUpgrade: false,
  pingInterval: number('PING_INTERVAL', 25_000),
  pingTimeout: number('PING_TIMEOUT', 20_000),
  upgradeTimeout: number('UPGRADE_TIMEOUT', 10_000),
  connectTimeout: number('CONNECT_TIMEOUT', 45_000),
  maxHttpBufferSize: number('MAX_PAYLOAD', 1_000_000),
  transports: (process.env.TRANSPORTS || 'polling,websocket').split(','),
  cookie: process.env.COOKIE ? { name: process.env.COOKIE } : undefined,
  cors,
  allowRequest: (request, answer) => answer(null, !('x-forbid' in request.headers)),
};
const COOKIES = ['one=1', 'two=2; Path=/', 'three=3; HttpOnly', 'four=4; SameSite=Lax'];

function hook(engine) {
  engine.on('initial_headers', (headers) => {
    headers['Set-Cookie'] = [...(headers['Set-Cookie'] ?? []), ...COOKIES];
  });
  engine.on('headers', (headers) => {
    headers['x-served'] = 'yes';
  });
}

// Bare Engine.IO.

const http = createServer((_, response) => response.writeHead(404).end());
const engine = new EngineServer(options);
engine.attach(http, { ...options, path: '/engine.io' });
hook(engine);

// The handshakes of upgraded sessions, which the sessions do not store.
const upgrades = new Map();
engine.use((request, _, next) => {
  if (request.headers.upgrade && request._query.sid) upgrades.set(request._query.sid, request.headers);
  next();
});

engine.on('connection', (session) => {
  session.on('message', (message) => {
    if (message !== 'headers') return session.send(message);
    const { transport } = session;
    const upgraded = transport.name === 'websocket' && upgrades.get(session.id);
    session.send(JSON.stringify(transport.dataReq?.headers ?? (upgraded || session.request.headers)));
  });
  session.on('close', () => upgrades.delete(session.id));
});

// Socket.IO.

const io = new Server(http, {
  ...options,
  path: '/socket.io',
  serveClient: false,
  cleanupEmptyChildNamespaces: true,
  ...(process.env.PARSER === 'msgpack' ? { parser: msgpack } : {}),
  ...(number('RECOVERY', 0)
    ? { connectionStateRecovery: { maxDisconnectionDuration: number('RECOVERY', 0), skipMiddlewares: Boolean(process.env.SKIP_MIDDLEWARE) } }
    : {}),
});
hook(io.engine);

function refusal(message, data) {
  return Object.assign(new Error(message), data === undefined ? {} : { data });
}

io.use((socket, next) => {
  const { refuse } = socket.handshake.auth;
  next(refuse && typeof refuse === 'object' ? refusal(refuse.message, refuse.data) : undefined);
});
io.of('/admin').use((socket, next) => {
  next(socket.handshake.auth.token === 'secret' ? undefined : refusal('not authorized', { code: 'unauthorized', retry: false }));
});

for (const namespace of [io.of('/'), io.of('/admin'), io.of(/^\/room-\d+$/)]) namespace.on('connection', serve);

const watchers = io.to('watchers');

// Builds the broadcast operator of a selection.
function select(socket, { from, to = [], except = [], volatile = false }) {
  let chosen = (from === 'socket' ? socket.broadcast : socket.nsp).to(to).except(except);
  return volatile ? chosen.volatile : chosen;
}

// The arguments of an event and its ack function, which does nothing if the client wants no ack.
function split(args) {
  return typeof args.at(-1) === 'function' ? [args.slice(0, -1), args.at(-1)] : [args, () => {}];
}

// Sends the event `riddle` to a socket, and returns the outcome.
async function riddle(socket, time, text) {
  const [timeout, ...args] = await new Promise((resolve) => {
    socket.timeout(time).emit('riddle', { text, picture: Buffer.from(text) }, (...answer) => resolve(answer));
  });
  if (timeout) return { missing: 'timeout' };
  const [answer] = args;
  const { code, message } = answer?.error ?? {};
  const isError = args.length === 1 && Object.keys(answer ?? {}).join() === 'error';
  if (isError && typeof code === 'string' && typeof message === 'string') return { failed: { code, message } };
  if (typeof answer?.word !== 'string') return { missing: 'invalid' };
  const { word, sketch } = answer;
  return { solved: sketch ? { word, sketch } : { word } };
}

function serve(socket) {
  const on = (event, handle) =>
    socket.on(event, (...received) => {
      const [args, answer] = split(received);
      handle(answer, ...args);
    });
  const rooms = () => [...socket.rooms].sort();
  const collected = [];

  on('echo', (answer, ...args) => {
    socket.emit('echo', ...args);
    answer();
  });
  on('ack', (answer, ...args) => answer(...args));
  on('fail', (answer, code, message) => answer({ error: { code, message } }));
  on('never', () => {});
  on('ask', async (answer, time, ...args) => {
    try {
      answer({ answer: await socket.timeout(time).emitWithAck('question', ...args) });
    } catch {
      answer({ error: 'timeout' });
    }
  });
  on('leaving', (_, ...args) => {
    const gone = new Promise((_, reject) => socket.once('disconnect', reject));
    const asked = socket.timeout(60_000).emitWithAck('question', ...args);
    socket.emit('asked');
    // The reference keeps waiting after the socket has disconnected.
    asked.catch(() => {});
    Promise.race([asked, gone]).catch(() => watchers.emit('unanswered', socket.id));
  });

  on('join', (answer, room) => {
    socket.join(room);
    answer(rooms());
  });
  on('leave', (answer, room) => {
    socket.leave(room);
    answer(rooms());
  });
  on('rooms', (answer) => answer(rooms()));
  on('select', (answer, selection, event, ...args) => {
    select(socket, selection).emit(event, ...args);
    answer();
  });
  on('poll', async (answer, selection, time, ...args) => {
    try {
      answer({ answers: await select(socket, selection).timeout(time).emitWithAck('question', ...args), complete: true });
    } catch (error) {
      answer({ answers: error.responses, complete: false });
    }
  });
  on('request', async (answer, time, text) => answer(await riddle(socket, time, text)));
  on('survey', async (answer, selection, time, text) => {
    const found = (await select(socket, selection).fetchSockets()).sort((a, b) => (a.id < b.id ? -1 : 1));
    const outcome = async ({ id }) => [id, await riddle(socket.nsp.sockets.get(id), time, text)];
    answer(await Promise.all(found.map(outcome)));
  });
  on('fetch', async (answer, selection) => {
    const found = await select(socket, selection).fetchSockets();
    answer(found.map(({ id, rooms }) => ({ id, rooms: [...rooms].sort() })).sort((a, b) => (a.id < b.id ? -1 : 1)));
  });
  on('move', (answer, selection, joined, left) => {
    select(socket, selection).socketsJoin(joined);
    select(socket, selection).socketsLeave(left);
    answer();
  });
  on('kick', (_, selection, whole) => select(socket, selection).disconnectSockets(whole));
  on('bye', (_, whole) => socket.disconnect(whole));

  on('volley', (_, count) => {
    for (let i = 0; i < count; i += 1) socket.volatile.emit('tick', i);
    socket.emit('done', count);
  });
  on('burst', (answer, count) => {
    let i = 0;
    const timer = setInterval(() => {
      for (let n = 0; n < 10 && i < count; n += 1) socket.emit('tick', i++);
      if (i < count) return;
      clearInterval(timer);
      answer(count);
    }, 1);
  });
  on('collect', (_, i) => collected.push(i));
  on('collected', (answer) => answer(collected));

  on('handshake', (answer) => {
    const { headers, address, time, issued, xdomain, secure, url, query, auth } = socket.handshake;
    answer({ headers, address, time, issued, xdomain, secure, url, query, auth });
  });
  on('transport', (answer) => answer(socket.conn.transport.name));
  on('namespaces', (answer) => answer([...io._nsps.keys()].sort()));
  on('watch', (answer) => {
    if (socket.nsp.name === '/') socket.join('watchers');
    answer();
  });
  on('recovered', (answer) => answer(socket.recovered));
  on('data', (answer, key, value) => {
    if (value !== undefined) socket.data[key] = value;
    answer(socket.data[key]);
  });
  socket.on('disconnecting', (reason) => {
    watchers.emit('left', { nsp: socket.nsp.name, id: socket.id, reason, rooms: rooms() });
  });
}

http.listen(number('PORT', 0), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${http.address().port}`));

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    engine.close();
    await io.close();
    process.exit(0);
  });
}
