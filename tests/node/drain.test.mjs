// Two servers behind nginx are restarted one after the other, while clients from npm, in a browser
// and in Node.js, send and receive.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { launch } from './browser.mjs';
import { Member } from './cluster/member.mjs';
import { Redis, eventually, freePorts } from './cluster/redis.mjs';
import { take } from './guide/markdown.mjs';
import { LIMIT, get, within } from './lib.mjs';
import { runNginx } from './nginx.mjs';

const TRANSPORTS = { polling: ['polling'], websocket: ['websocket'], upgrade: ['polling', 'websocket'] };
// `retries` sends an event again that was not acked before the connection ended.
const OPTIONS = { forceNew: true, retries: 10, ackTimeout: 10_000, reconnectionDelay: 20, reconnectionDelayMax: 200 };
// How many events each client sends before the next step.
const ENOUGH = 10;

// The load of one client: it sends numbered events, one after the other, and waits for each ack. It
// runs in the page, too.
function load(io, url, name, options) {
  const client = { name, acked: [], received: [], errors: [], ends: [], connects: 0, stopped: false };
  const socket = io(url, options);
  socket.on('connect', () => (client.connects += 1));
  socket.on('connect_error', (error) => client.errors.push(`connect_error: ${error.message}`));
  socket.on('disconnect', (reason) => client.ends.push(reason));
  socket.on('news', (text) => client.received.push(text));
  client.run = async () => {
    for (let number = 0; !client.stopped; number++) {
      const text = `${name} ${number}`;
      try {
        await socket.emitWithAck('tell', {}, 'news', text);
        client.acked.push(text);
      } catch (error) {
        client.errors.push(`${text} failed: ${error.message}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  };
  client.connected = () => new Promise((resolve) => (socket.connected ? resolve() : socket.once('connect', resolve)));
  client.close = () => socket.close();
  return client;
}

// Clients in Node.js.
function nodeClients(t, url) {
  return Object.entries(TRANSPORTS).map(([kind, transports]) => {
    const client = load(io, url, `node ${kind}`, { ...OPTIONS, transports });
    t.after(() => client.close());
    return {
      name: client.name,
      kind,
      connected: client.connected,
      run: async () => void (client.running = client.run()),
      count: async () => client.acked.length,
      state: async () => client,
      stop: async () => {
        client.stopped = true;
        await client.running;
      },
    };
  });
}

// Clients in a page of another origin.
async function pageClients(t, url) {
  const browser = await launch(t);
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(LIMIT);
  const faults = [];
  page.on('pageerror', (error) => faults.push(error.message));
  const script = readFileSync(new URL('node_modules/socket.io-client/dist/socket.io.js', import.meta.url), 'utf8');
  const html = `<!doctype html><link rel="icon" href="data:,"><script>${script}</script>`;
  const pages = http.createServer((_, response) => response.setHeader('content-type', 'text/html').end(html));
  pages.listen(0, '127.0.0.1');
  await once(pages, 'listening');
  t.after(() => pages.closeAllConnections());
  t.after(() => pages.close());
  await page.goto(`http://127.0.0.1:${pages.address().port}`);
  await page.evaluate(`window.load = ${load}; window.clients = {};`);
  const evaluate = (what, ...args) => within(page.evaluate(...args), `waiting for the page to ${what}`);
  const clients = Object.entries(TRANSPORTS).map(([kind, transports]) => {
    const name = `page ${kind}`;
    return {
      name,
      kind,
      connected: () =>
        evaluate(
          `connect ${name}`,
          ([url, name, options]) => {
            clients[name] = load(io, url, name, options);
            return clients[name].connected();
          },
          [url, name, { ...OPTIONS, transports }],
        ),
      run: () => evaluate(`begin ${name}`, (name) => void (clients[name].running = clients[name].run()), name),
      count: () => evaluate(`count for ${name}`, (name) => clients[name].acked.length, name),
      state: () => evaluate(`tell about ${name}`, (name) => JSON.parse(JSON.stringify(clients[name])), name),
      stop: () =>
        evaluate(`end ${name}`, (name) => {
          clients[name].stopped = true;
          return clients[name].running;
        }, name),
    };
  });
  return { clients, faults };
}

// A plain WebSocket client that connects again when it was closed.
function plainClient(t, url) {
  const client = { codes: [], opened: 0 };
  let isOver = false;
  const connect = () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
    client.socket = socket;
    socket.on('open', () => (client.opened += 1));
    socket.on('error', (error) => client.codes.push(error.message));
    socket.on('close', (code, reason) => {
      client.codes.push(`${code} ${reason}`);
      if (!isOver) connect();
    });
  };
  connect();
  t.after(() => {
    isOver = true;
    client.socket.terminate();
  });
  return client;
}

const health = async (member) => (await get(`${member.http}/health/ready`)).statusCode;

test('servers are restarted one after the other, and nothing that was acked is lost', { timeout: 600_000 }, async (t) => {
  const redis = await Redis.begin(t);
  const shared = { adapter: 'streams', urls: [redis.url], namespaces: ['/'], drain: { over: 1_000, grace: 5_000 }, recovery: { maxDisconnectionDuration: 60_000 } };
  const [proxy, ...ports] = await freePorts(3);
  const begin = (index) => Member.begin(t, 'rust', { ...shared, name: `server ${index}`, env: { PORT: String(ports[index]) } });
  const members = [await begin(0), await begin(1)];
  // This one is not restarted. Its client receives everything.
  const witness = await Member.begin(t, 'rust', { ...shared, name: 'witness' });
  const observer = await witness.client(t);
  const observed = () => new Set(observer.events.items.filter(([name]) => name === 'news').map(([, text]) => text));

  const url = `http://127.0.0.1:${proxy}`;
  const file = take('operations.md', 'nginx', 'upstream').replace('127.0.0.1:8080', `127.0.0.1:${proxy}`);
  await runNginx(t, file.replace('127.0.0.1:3001', `127.0.0.1:${ports[0]}`).replace('127.0.0.1:3002', `127.0.0.1:${ports[1]}`), url);

  const page = await pageClients(t, url);
  const clients = [...nodeClients(t, url), ...page.clients];
  const plain = plainClient(t, url);
  for (const client of clients) await within(client.connected(), `waiting for ${client.name}`);
  await eventually(() => plain.opened === 1, 'waiting for the plain client');
  for (const client of clients) await client.run();
  const each = (what) => Promise.all(clients.map(what));
  // Waits until each client has got more acks.
  const progress = async () => {
    const wanted = await each(async (client) => (await client.count()) + ENOUGH);
    const behind = async () => {
      const counts = await each((client) => client.count());
      return clients.flatMap(({ name }, i) => (counts[i] < wanted[i] ? [`${name}: ${counts[i]} acks`] : []));
    };
    await eventually(async () => (await behind()).length === 0, 'waiting for acks', 60_000, 250).catch(() => {});
    assert.deepEqual(await behind(), []);
  };

  const codes = new Set();
  for (const index of [0, 1, 0]) {
    await progress();
    assert.equal(await health(members[index]), 200);
    const ended = members[index].program.stop('SIGTERM');
    // A server with clients says so until it no longer listens.
    await eventually(async () => {
      const code = await health(members[index]).catch(() => 'gone');
      codes.add(code);
      return code === 'gone';
    }, 'waiting for the end of the server');
    assert.equal(await ended, 0);
    // It must not come back while a client is between the two requests of its handshake.
    await progress();
    members[index] = await begin(index);
  }
  assert.ok(codes.has(503), [...codes].join());
  await progress();
  await each((client) => within(client.stop(), `waiting for the last ack of ${client.name}`));

  const states = await each((client) => client.state());
  const acked = states.flatMap((state) => state.acked);
  assert.deepEqual(states.flatMap(({ name, errors }) => errors.map((error) => `${name}: ${error}`)), []);
  assert.deepEqual(page.faults, []);
  const lost = () => {
    const all = observed();
    return acked.filter((text) => !all.has(text));
  };
  await eventually(() => lost().length === 0, 'waiting for all that was acked').catch(() => {});
  assert.deepEqual([observer.socket.connected, lost()], [true, []]);
  // A polling session begins anew when nginx sends it to the server that came back.
  for (const { name } of states.filter(({ name }) => !name.endsWith('polling'))) {
    const missing = async () => {
      const { received } = await clients.find((client) => client.name === name).state();
      const all = new Set(received);
      return acked.filter((text) => !text.startsWith(`${name} `) && !all.has(text));
    };
    await eventually(async () => (await missing()).length === 0, `waiting for ${name}`).catch(async (error) => {
      assert.deepEqual([name, (await missing()).slice(0, 10)], [name, []], error.message);
    });
  }
  for (const { name, ends, connects } of states) {
    assert.ok(connects >= 2, `${name} was moved: ${connects} connections, ${ends}`);
    if (!name.endsWith('polling')) assert.deepEqual(new Set(ends), new Set(['transport close']), name);
  }
  assert.ok(plain.opened >= 2, `${plain.opened} connections`);
  assert.deepEqual(new Set(plain.codes), new Set(['1012 server restarting']));
  t.diagnostic(`${acked.length} acked events, ${states.map(({ name, connects }) => `${name}: ${connects} connections`).join(', ')}`);
});
