// The client from npm in a real browser, on a page of another origin than the server's.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { describe, test } from 'node:test';
import { launch } from './browser.mjs';
import { LIMIT, serve, within } from './conformance.mjs';

const TRANSPORTS = [['polling'], ['websocket'], ['polling', 'websocket']];
const PARSERS = { default: 'socket.io.js', msgpack: 'socket.io.msgpack.min.js' };

// Serves a page with the client from its own server until the test ends. Errors on the page fail
// the test.
async function open(t, parser) {
  const script = await readFile(new URL(`node_modules/socket.io-client/dist/${PARSERS[parser]}`, import.meta.url));
  const pages = http.createServer((request, response) => {
    const isScript = request.url === '/client.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : '<!doctype html><link rel="icon" href="data:,"><script src="/client.js"></script>');
  });
  pages.listen(0, '127.0.0.1');
  await once(pages, 'listening');
  t.after(() => pages.close());
  t.after(() => pages.closeAllConnections());
  const browser = await launch(t);
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(LIMIT);
  const faults = [];
  page.on('pageerror', (error) => faults.push(error));
  const origin = `http://127.0.0.1:${pages.address().port}`;
  await page.goto(origin);
  const evaluate = (...args) => within(page.evaluate(...args), 'waiting for the page');
  // The functions that tests call on the page. They use array buffers, because the client's msgpack
  // encodes a typed array as an object.
  await evaluate(() => {
    window.heard = (emitter, event) => new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
    window.ask = (...args) => new Promise((resolve) => window.socket.emit(...args, (...answer) => resolve(answer)));
    window.begin = (url, options) => {
      window.socket = io(url, { reconnectionDelay: 20, reconnectionDelayMax: 100, ...options });
    };
  });
  return { evaluate, origin, faults };
}

// Connects, and upgrades if possible. Resolves with the transport that the server sees.
function connect(evaluate, url, options) {
  return evaluate(
    async ([url, options]) => {
      begin(url, options);
      await heard(socket, 'connect');
      const { engine } = socket.io;
      const upgrades = options.transports.length > 1;
      if (upgrades && engine.transport.name !== 'websocket') await heard(engine, 'upgrade');
      return (await ask('transport'))[0];
    },
    [url, options],
  );
}

for (const parser of Object.keys(PARSERS)) {
  for (const transports of TRANSPORTS) {
    describe(`${transports.join(' → ')}, ${parser}`, () => {
      test('events, acks and binary data travel both ways, and the client reconnects', async (t) => {
        const { evaluate, origin, faults } = await open(t, parser);
        const settings = { PARSER: parser, CORS_ORIGIN: origin };
        const server = await serve(t, settings);
        const options = { transports, auth: { name: 'Ann' } };
        assert.equal(await connect(evaluate, server.http, options), transports.at(-1));

        const { auth, value, echoed, bytes, answer } = await evaluate(async () => {
          const [{ auth }] = await ask('handshake');
          const value = await ask('ack', 'ü 🎉', 1.5, null, [{ a: true }]);
          const heardEcho = heard(socket, 'echo');
          const sent = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff).buffer;
          socket.emit('echo', { file: sent });
          const [{ file }] = await heardEcho;
          const [returned] = await ask('ack', sent);
          socket.once('question', (what, reply) => reply(new Uint8Array(what).reverse().buffer));
          const [{ answer }] = await ask('ask', 10_000, new Uint8Array([1, 2, 3]).buffer);
          const plain = (binary) => [...new Uint8Array(binary)];
          return { auth, value, echoed: plain(file), bytes: plain(returned), answer: plain(answer) };
        });
        assert.deepEqual(auth, { name: 'Ann' });
        assert.deepEqual(value, ['ü 🎉', 1.5, null, [{ a: true }]]);
        const expected = Array.from({ length: 300 }, (_, i) => i & 0xff);
        assert.deepEqual(echoed, expected);
        assert.deepEqual(bytes, expected);
        assert.deepEqual(answer, [3, 2, 1]);

        await evaluate(() => {
          window.back = heard(socket, 'disconnect').then(() => heard(socket, 'connect'));
        });
        await server.stop('SIGKILL');
        await serve(t, { ...settings, PORT: String(server.port) });
        assert.deepEqual(await evaluate(() => back.then(() => ask('ack', 'again'))), ['again']);
        assert.deepEqual(faults, []);
      });
    });
  }
}

test('cookies of the server are sent back when credentials are allowed', async (t) => {
  const { evaluate, origin } = await open(t, 'default');
  const server = await serve(t, { CORS_ORIGIN: origin });
  await connect(evaluate, server.http, { transports: ['polling'], withCredentials: true });
  const cookies = await evaluate(async () => {
    socket.disconnect().connect();
    await heard(socket, 'connect');
    return (await ask('handshake'))[0].headers.cookie.split('; ').sort();
  });
  assert.deepEqual(cookies, ['four=4', 'one=1', 'three=3', 'two=2']);
});

for (const transports of TRANSPORTS) {
  test(`a page that offers subprotocols connects: ${transports.join(' → ')}`, async (t) => {
    const { evaluate, origin, faults } = await open(t, 'default');
    const server = await serve(t, { CORS_ORIGIN: origin });
    const options = { transports, protocols: ['my-protocol-v1', 'my-protocol-v0'] };
    assert.equal(await connect(evaluate, server.http, options), transports.at(-1));
    const chosen = await evaluate(() => socket.io.engine.transport.ws?.protocol);
    assert.equal(chosen, transports.includes('websocket') ? 'my-protocol-v1' : undefined);
    assert.deepEqual(faults, []);
  });
}

test('pages of other origins can not poll', async (t) => {
  const { evaluate } = await open(t, 'default');
  for (const settings of [{}, { CORS_ORIGIN: 'http://other.example' }]) {
    const server = await serve(t, settings);
    const message = await evaluate(async (url) => {
      begin(url, { transports: ['polling'], reconnection: false, forceNew: true });
      return (await heard(socket, 'connect_error'))[0].message;
    }, server.http);
    assert.equal(message, 'xhr poll error');
  }
});
