// Runs nginx and HAProxy with the files of the page of recipes, in front of its server, and restarts
// the server with clients connected.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { Client, start, within } from '../lib.mjs';
import { take } from './markdown.mjs';
import { program } from './programs.mjs';

const TRANSPORTS = [['polling'], ['websocket'], ['polling', 'websocket']];

const serve = (t, port) => start(t, program('deploying'), [String(port)]);

// Connects a client that keeps trying, until the test ends.
async function connect(t, url, options) {
  const socket = io(url, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options });
  t.after(() => socket.close());
  await within(once(socket, 'connect'), `waiting for a connection to ${url}`);
  return socket;
}

// The process that the client is connected to.
const server = (socket) => within(socket.timeout(10_000).emitWithAck('server'), 'waiting for the answer');

const pause = (duration) => new Promise((resolve) => setTimeout(resolve, duration));

// Waits until something listens on the port.
function listens(port) {
  const attempt = async () => {
    for (;;) {
      const socket = net.connect(port, '127.0.0.1');
      const opened = await once(socket, 'connect').then(() => true, () => false);
      socket.destroy();
      if (opened) return;
      await pause(20);
    }
  };
  return within(attempt(), `waiting for port ${port}`);
}

// Runs a proxy with the page's file until the test ends. `wrap` makes a whole file of it.
async function proxy(t, port, text, wrap, command, args) {
  const at = mkdtempSync(path.join(tmpdir(), 'recipes-'));
  mkdirSync(path.join(at, 'logs'));
  writeFileSync(path.join(at, 'part.conf'), text);
  writeFileSync(path.join(at, 'proxy.conf'), wrap);
  const child = spawn(command, args, { cwd: at, stdio: ['ignore', 'ignore', 'inherit'] });
  const end = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGTERM');
    await end;
    rmSync(at, { recursive: true });
  });
  await Promise.race([listens(port), end.then(([code]) => assert.fail(`${command} ended with ${code}`))]);
}

const PROXIES = {
  nginx: {
    port: 8080,
    start(t) {
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path logs/${name};`).join(' ');
      const wrap = `daemon off; pid logs/pid; error_log stderr; events {} http { access_log off; ${temporary} include part.conf; }\n`;
      const arguments_ = ['-p', '.', '-c', 'proxy.conf', '-e', 'stderr'];
      return proxy(t, this.port, take('recipes.md', 'nginx', 'upstream'), wrap, 'nginx', arguments_);
    },
    // It knows clients by their addresses. Only WebSockets of Node's client can choose theirs.
    client: (number, [first]) => (first === 'websocket' ? { localAddress: `127.0.0.${2 + number}` } : {}),
  },
  HAProxy: {
    port: 8081,
    start(t) {
      return proxy(t, this.port, take('recipes.md', 'haproxy', 'backend'), '', 'haproxy', ['-db', '-f', 'part.conf']);
    },
    // It knows them by a cookie.
    client: () => ({ withCredentials: true }),
  },
};

for (const [name, { port, client, ...rest }] of Object.entries(PROXIES)) {
  const url = `http://127.0.0.1:${port}`;

  test(`clients of every transport reach two servers behind ${name}, and stay with one`, async (t) => {
    await Promise.all([serve(t, 3001), serve(t, 3002)]);
    await rest.start.call({ port }, t);
    const seen = new Set();
    for (const transports of TRANSPORTS) {
      for (let number = 0; number < 12; number++) {
        const socket = await connect(t, url, { transports, reconnection: false, ...client(number, transports) });
        const first = await server(socket);
        seen.add(first);
        for (let again = 0; again < 3; again++) assert.equal(await server(socket), first);
        if (transports.length > 1 && socket.io.engine.transport.name !== 'websocket') {
          await within(once(socket.io.engine, 'upgrade'), 'waiting for the upgrade');
          assert.equal(await server(socket), first);
        }
        socket.close();
      }
    }
    assert.equal(seen.size, 2);

    const plain = await Client.connect(t, `ws://127.0.0.1:${port}/ws`, { origin: url });
    assert.ok(seen.has((await plain.ask('server')).data));
  });

  test(`pages that come through ${name} are the server's own`, async (t) => {
    await Promise.all([serve(t, 3001), serve(t, 3002)]);
    await rest.start.call({ port }, t);
    const status = async (origin) => {
      const headers = { host: 'chat.example:8443', origin };
      const [response] = await once(http.get(`${url}/socket.io/?EIO=4&transport=polling`, { agent: false, headers }), 'response');
      response.resume();
      return response.statusCode;
    };
    assert.equal(await status('http://chat.example:8443'), 200);
    assert.equal(await status('http://chat.example'), 403);
  });

  test(`clients of a server that ends move to another one behind ${name}`, async (t) => {
    const servers = await Promise.all([serve(t, 3001), serve(t, 3002)]);
    await rest.start.call({ port }, t);
    const clients = await Promise.all(TRANSPORTS.map((transports) => connect(t, url, { transports, ...client(0, transports) })));
    const homes = await Promise.all(clients.map(server));
    const leaving = servers.find((candidate) => candidate.pid === homes[0]);
    const moved = clients.filter((_, index) => homes[index] === leaving.pid).map((socket) => within(once(socket, 'connect'), 'waiting to reconnect'));
    assert.equal(await leaving.stop('SIGTERM'), 0);
    await Promise.all(moved);
    const other = servers.find((candidate) => candidate !== leaving);
    for (const socket of clients) assert.equal(await server(socket), other.pid);
  });
}

test('a second process takes over the port', async (t) => {
  const first = await serve(t, 3001);
  const clients = await Promise.all(TRANSPORTS.map((transports) => connect(t, first.http, { transports })));
  for (const socket of clients) assert.equal(await server(socket), first.pid);
  const second = await serve(t, 3001);
  const moved = clients.map((socket) => within(once(socket, 'connect'), 'waiting to reconnect'));
  assert.equal(await first.stop('SIGTERM'), 0);
  await Promise.all(moved);
  for (const socket of clients) assert.equal(await server(socket), second.pid);
});

test('the timeouts of the proxies are longer than the heartbeat', () => {
  const interval = 25;
  for (const [, seconds] of take('recipes.md', 'nginx', 'upstream').matchAll(/proxy_read_timeout (\d+)s/g)) assert.ok(seconds > interval);
  const haproxy = [...take('recipes.md', 'haproxy', 'backend').matchAll(/timeout (?:client|server|tunnel) (\d+)s/g)];
  assert.equal(haproxy.length, 3);
  for (const [, seconds] of haproxy) assert.ok(seconds > interval);
});
