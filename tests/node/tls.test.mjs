// The `tls` example: the API over an encrypted connection.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { connect as encrypt } from 'node:tls';
import { Client, run, within } from './lib.mjs';

const connect = (test, tls) => Client.connect(test, `wss://127.0.0.1:${tls.port}/ws`, { rejectUnauthorized: false });

test('events are acknowledged over TLS, small and large', async (t) => {
  const client = await connect(t, await run(t, 'tls'));
  for (const length of [1, 1_000, 400_000]) {
    assert.deepEqual(await client.ask('shout', 'x'.repeat(length)), { data: 'X'.repeat(length) });
  }
});

test('the address of a client is known', async (t) => {
  const client = await connect(t, await run(t, 'tls'));
  const { localAddress, localPort } = client.socket._socket;
  assert.deepEqual(await client.ask('address'), { data: `${localAddress}:${localPort}` });
});

test('a client without a TLS handshake does not delay others', async (t) => {
  const tls = await run(t, 'tls');
  const silent = net.connect(tls.port, '127.0.0.1');
  const plain = net.connect(tls.port, '127.0.0.1');
  for (const stream of [silent, plain]) {
    stream.on('error', () => {});
    t.after(() => stream.destroy());
    await within(once(stream, 'connect'), 'waiting for a connection');
  }
  plain.write('GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n');
  plain.resume();
  await within(once(plain, 'close'), 'waiting for the server to close');
  assert.deepEqual(await (await connect(t, tls)).ask('shout', 'x'), { data: 'X' });
});

test('a client with a slow TLS handshake is accepted after others have failed', async (t) => {
  const tls = await run(t, 'tls');
  const [slow, plain] = [net.connect(tls.port, '127.0.0.1'), net.connect(tls.port, '127.0.0.1')];
  t.after(() => slow.destroy());
  await within(Promise.all([once(slow, 'connect'), once(plain, 'connect')]), 'waiting for two connections');
  plain.on('error', () => {});
  plain.resume();
  plain.write('GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await within(once(plain, 'close'), 'waiting for the server to close');
  const createConnection = () => encrypt({ socket: slow, rejectUnauthorized: false });
  const client = await Client.connect(t, `wss://127.0.0.1:${tls.port}/ws`, { createConnection });
  assert.deepEqual(await client.ask('shout', 'x'), { data: 'X' });
});

test('a server that shuts down sends a close frame over TLS', async (t) => {
  const tls = await run(t, 'tls');
  const client = await connect(t, tls);
  await client.ask('shout', 'x');
  assert.equal(await tls.stop(), 0);
  assert.equal((await client.end()).code, 1001);
});
