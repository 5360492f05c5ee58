// What pages of other origins get from the `echo` example, a debug build with default settings.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { launch } from './browser.mjs';
import { LIMIT, run, within } from './lib.mjs';
import { request } from './wire.mjs';

const ALLOWED = [101, 200];

// The status and the body of each kind of handshake with these headers.
async function handshakes(server, headers) {
  const websocket = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  const open = (path, more) =>
    new Promise((resolve, reject) => {
      const outgoing = http.get(`${server.http}${path}`, { agent: false, headers: { ...headers, ...more } });
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
