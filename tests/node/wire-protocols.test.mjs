// Subprotocols of WebSockets: which one the server chooses, and which offers are invalid.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serve } from './conformance.mjs';
import { upgrade } from './lib.mjs';
import { Polling, request } from './wire.mjs';

const PATHS = ['/socket.io/', '/engine.io/'];

// The URLs of a WebSocket that begins a session, and of one to which a polling session upgrades.
async function urls(server, path) {
  const { sid } = await Polling.open(server, path);
  const url = `${server.http}${path}?EIO=4&transport=websocket`;
  return [url, `${url}&sid=${sid}`];
}

test('the first subprotocol that a client offers is chosen', async (t) => {
  const server = await serve(t);
  for (const path of PATHS) {
    for (const [offer, chosen] of [
      [undefined, undefined],
      ['chat.v1', 'chat.v1'],
      ['chat.v2,chat.v1', 'chat.v2'],
      ['  b \t,\ta ', 'b'],
      [['second', 'first'], 'second'],
      ["!#$%&'*+-.^_`|~9", "!#$%&'*+-.^_`|~9"],
    ]) {
      for (const url of await urls(server, path)) {
        const { response, socket } = await upgrade(url, offer && { 'sec-websocket-protocol': offer });
        socket.destroy();
        assert.equal(response.headers['sec-websocket-protocol'], chosen, `${url}: ${offer}`);
      }
    }
  }
});

test('an offer that violates the grammar is refused', async (t) => {
  const server = await serve(t);
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  for (const path of PATHS) {
    for (const offer of ['', ',', 'a,', ',a', 'a,,b', 'a b', 'a;q=1', '"a"', 'a/b', 'a, a', ['a', 'a'], ['a', ''], 'caf\xe9']) {
      for (const url of await urls(server, path)) {
        const { status } = await request(url, { headers: { ...headers, 'sec-websocket-protocol': offer } });
        assert.equal(status, 400, `${url}: ${offer}`);
      }
    }
  }
});
