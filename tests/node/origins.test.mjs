// What pages of other origins get from the `echo` example, a debug build with default settings.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { launch } from './browser.mjs';
import { serve } from './conformance.mjs';
import { LIMIT, run, within } from './lib.mjs';
import { request } from './wire.mjs';

const ALLOWED = [101, 200];

// The status and the body of each kind of handshake with these headers. `connection` has options of
// the HTTP client.
async function handshakes(server, headers, connection = {}) {
  const websocket = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  const open = (path, more) =>
    new Promise((resolve, reject) => {
      const outgoing = http.get(`${server.http}${path}`, { ...connection, agent: false, headers: { ...headers, ...more } });
      outgoing.on('upgrade', (response, socket) => resolve({ status: 101, socket: socket.destroy() }));
      outgoing.on('error', reject);
      outgoing.on('response', async (response) => {
        let body = '';
        for await (const chunk of response) body += chunk;
        resolve({ status: response.statusCode, body });
      });
    });
  return {
    plain: await within(open('/ws/1', websocket), 'waiting for a plain WebSocket'),
    websocket: await within(open('/socket.io/?EIO=4&transport=websocket', websocket), 'waiting for a WebSocket'),
    polling: await within(open('/socket.io/?EIO=4&transport=polling'), 'waiting for polling'),
  };
}

test('only an `Origin` of a scheme, a host and a port is compared with the host', async (t) => {
  const server = await run(t, 'echo');
  const host = 'chat.example.org';
  for (const [origin, allowed] of [
    ['http://chat.example.org', true],
    ['HTTPS://Chat.Example.org:443', true],
    ['http://evil@chat.example.org', false],
    ['http://chat.example.org:99999', false],
    ['http://chat.example.org/', false],
    ['http://chat.example.org/path', false],
    ['http://chat.example.org?query', false],
    ['http://chat.example.org.', false],
    ['http://%63hat.example.org', false],
    [['http://chat.example.org', 'http://chat.example.org'], false],
    [['http://evil.example', 'http://chat.example.org'], false],
    [['http://chat.example.org', 'http://evil.example'], false],
  ]) {
    for (const [kind, { status }] of Object.entries(await handshakes(server, { host, origin }))) {
      assert.equal(ALLOWED.includes(status), allowed, `${kind} of ${origin}: ${status}`);
      if (!allowed) assert.equal(status, 403, `${kind} of ${origin}`);
    }
  }
});

test('a refused page is told which origin may not connect, and how to allow it', async (t) => {
  const server = await run(t, 'echo');
  const origin = 'http://app.example:5173';
  const message = `pages of ${origin} may not connect: allow them with \`Hub::builder().allow_origins(["${origin}"])\``;
  const { plain, websocket, polling } = await handshakes(server, { origin });
  assert.deepEqual([plain.status, plain.body], [403, message]);
  assert.deepEqual([websocket.status, websocket.body], [403, message]);
  assert.deepEqual([polling.status, JSON.parse(polling.body)], [403, { code: 4, message }]);

  const client = io(server.http, { transports: ['polling'], reconnection: false, extraHeaders: { origin } });
  t.after(() => client.close());
  // The client clears the response after the listeners have run.
  const seen = new Promise((resolve) => {
    client.on('connect_error', (error) => resolve([error.description, error.context.responseText]));
  });
  const [status, body] = await within(seen, 'waiting for the refusal');
  assert.deepEqual([status, JSON.parse(body)], [403, { code: 4, message }]);

  // A browser asks before it sends a request with a header of its own.
  const preflight = { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-name' };
  const asked = await request(`${server.http}/socket.io/?EIO=4&transport=polling`, { method: 'OPTIONS', headers: preflight });
  assert.deepEqual([asked.status, JSON.parse(asked.body)], [403, { code: 4, message }]);
  assert.equal(asked.headers['access-control-allow-origin'], undefined);
});

test('a development server on another port of localhost may connect', async (t) => {
  const server = await run(t, 'echo');
  const script = await readFile(new URL('node_modules/socket.io-client/dist/socket.io.js', import.meta.url));
  const pages = http.createServer((incoming, response) => {
    const isScript = incoming.url === '/script.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : '<!doctype html><script src="/script.js"></script>');
  });
  pages.listen(0, '127.0.0.1');
  await once(pages, 'listening');
  t.after(() => pages.close());
  t.after(() => pages.closeAllConnections());
  const browser = await launch(t);
  for (const host of ['localhost', '127.0.0.1']) {
    const page = await browser.newPage();
    page.setDefaultTimeout(LIMIT);
    await page.goto(`http://${host}:${pages.address().port}`);
    for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
      const connecting = page.evaluate(
        async ([url, transports]) => {
          const socket = window.io(url, { transports, forceNew: true, withCredentials: true, reconnection: false });
          const heard = (emitter, event) => new Promise((resolve) => emitter.once(event, resolve));
          const failed = heard(socket, 'connect_error').then((error) => error.message);
          const connected = heard(socket, 'connect').then(async () => {
            const { engine } = socket.io;
            if (transports.length > 1 && engine.transport.name !== 'websocket') await heard(engine, 'upgrade');
            return engine.transport.name;
          });
          return Promise.race([failed, connected]);
        },
        [server.http, transports],
      );
      assert.equal(await within(connecting, 'waiting for the page'), transports.at(-1), host);
    }
  }
});

// Runs nginx in front of a server, until the test ends. Returns the socket on which it listens.
async function nginx(t, server, line) {
  const at = await mkdtemp(path.join(tmpdir(), 'nginx-'));
  const socketPath = path.join(at, 'listening');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${at}/${name};`);
  const location = `
    proxy_pass http://127.0.0.1:${server.port};
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;
    ${line}`;
  const site = `server { listen unix:${socketPath}; location / { ${location} } }`;
  const main = `daemon off; pid ${at}/pid; events {} http { access_log off; ${temporary.join(' ')} ${site} }`;
  await writeFile(path.join(at, 'nginx.conf'), main);
  const child = spawn('nginx', ['-p', at, '-c', 'nginx.conf', '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const end = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGTERM');
    await end;
    await rm(at, { recursive: true });
  });
  const listens = async () => {
    for (;;) {
      const socket = net.connect(socketPath);
      const opened = await once(socket, 'connect').then(() => true, () => false);
      socket.destroy();
      if (opened) return;
      await new Promise(setImmediate);
    }
  };
  const ended = end.then(([code]) => assert.fail(`nginx ended with ${code}`));
  await within(Promise.race([listens(), ended]), 'waiting for nginx');
  return { socketPath };
}

for (const [origin, line, settings, status] of [
  // `Host` is the name of the upstream.
  ['https://app.example', '', {}, 403],
  ['https://app.example', '', { PUBLIC_HOST: 'app.example' }, 200],
  ['https://app.example', 'proxy_set_header Host $host;', {}, 200],
  ['https://app.example', 'proxy_set_header Host $http_host;', {}, 200],
  // `$host` leaves out the port.
  ['https://app.example:8443', 'proxy_set_header Host $host;', {}, 403],
  ['https://app.example:8443', 'proxy_set_header Host $http_host;', {}, 200],
  ['https://app.example:8443', '', { PUBLIC_HOST: 'app.example:8443' }, 200],
  ['https://evil.example', 'proxy_set_header Host $http_host;', { PUBLIC_HOST: 'app.example' }, 403],
]) {
  const how = [line, ...Object.values(settings)].filter(Boolean).join(', ') || 'a bare `proxy_pass`';
  test(`pages of ${origin} behind nginx with ${how}: ${status}`, async (t) => {
    const server = await serve(t, settings);
    const host = origin.includes('evil') ? 'app.example' : new URL(origin).host;
    const { websocket, polling } = await handshakes(server, { host, origin }, await nginx(t, server, line));
    assert.deepEqual([websocket.status, polling.status], [status === 200 ? 101 : 403, status]);
  });
}
