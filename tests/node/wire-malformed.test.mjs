// Invalid Socket.IO packets, and packets in an invalid state, end the connection.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import msgpack from 'socket.io-msgpack-parser';
import { DIFFERENCES, Watcher, serve } from './conformance.mjs';
import { Polling, RS, join, open } from './wire.mjs';

const bytes = Buffer.from([1]);
const place = '{"_placeholder":true,"num":0}';

// Each case is one or more messages.
const MALFORMED = {
  'no type': [['4'], ['4abc'], ['4{}'], ['47'], ['48["x"]'], ['49'], ['4-1'], ['4null']],
  event: [
    ['42{}'],
    ['42"x"'],
    ['42null'],
    ['42true'],
    ['42[]'],
    ['42[null]'],
    ['42[{}]'],
    ['42[["x"]]'],
    ['42[true]'],
    ['42["x"'],
    ['42["x"]]'],
    ['42["x"] trailing'],
    ['42abc["x"]'],
    ['421.5["x"]'],
    ['42-1["x"]'],
    ["42['x']"],
    ['42["x",]'],
    ['42["x",NaN]'],
    ['42["\\x"]'],
    ['42["x\n"]'],
  ],
  'reserved event': ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'].map((name) => [
    `42["${name}",1]`,
  ]),
  ack: [['430{}'], ['430"x"'], ['430null'], ['430[1'], ['430[1] trailing'], ['43{}']],
  CONNECT: [['40"auth"'], ['40[]'], ['40null'], ['40true'], ['40{"a":1'], ['40/room-1,[]'], ['40/room-1,"x"']],
  DISCONNECT: [['41{}'], ['41[]'], ['41"x"'], ['41null']],
  CONNECT_ERROR: [['44[]'], ['44null'], ['441']],
  'binary event': [
    ['45["x"]'],
    ['45-["x"]'],
    [`450-["x",${place}]`],
    [`45-1-["x",${place}]`, bytes],
    [`451.5-["x",${place}]`, bytes],
    [`45a-["x",${place}]`, bytes],
    [`451["x",${place}]`, bytes],
    [`451-{"x":${place}}`, bytes],
    [`451-["connect",${place}]`, bytes],
    [`451-[${place}]`, bytes],
    [`4511-["x",${place}]`],
    [`45100000-["x",${place}]`],
  ],
  'binary ack': [[`46-0[${place}]`], [`461-0{"x":${place}}`, bytes], [`460-0[${place}]`]],
  attachments: [
    [bytes],
    ['bAQ=='],
    [`451-["x",${place}]`, '42["too early"]'],
    [`452-["x",${place}]`, bytes, '42["too early"]'],
    [`451-["x",${place}]`, `451-["x",${place}]`],
    [`451-["nobody handles this",${place}]`, bytes, bytes],
    ['451-["x",{"_placeholder":true,"num":1}]', bytes],
    ['451-["x",{"_placeholder":true,"num":-1}]', bytes],
    ['451-["x",{"_placeholder":true,"num":"0"}]', bytes],
    ['451-["x",{"_placeholder":true}]', bytes],
  ],
};

// Well-formed packets that are not allowed in the current state.
const OUT_OF_PLACE = {
  'a second CONNECT': ['40', '40{}', '40{"again":true}', '401{}'],
  'CONNECT_ERROR from a client': ['44{}', '44{"message":"x"}', '44"x"', '44/nobody,{"message":"x"}'],
  'another namespace': ['42/admin,["ack"]', '42/room-1,0["ack"]', '43/room-1,0[]', '41/room-1', '42/nobody,["ack"]', '42/room-1["ack"]'],
};

for (const [kind, cases] of Object.entries(MALFORMED)) {
  test(`malformed: ${kind}`, async (t) => {
    const server = await serve(t);
    const watcher = await Watcher.begin(t, server, 'default');
    for (const messages of cases) {
      const client = await join(t, server);
      for (const message of messages) client.send(message);
      client.send('420["ack","late"]');
      await client.end();
      await assert.rejects(client.next(), /the connection closed/, `${messages}`);
      assert.equal((await watcher.left(client.id)).reason, DIFFERENCES.invalidPacket, `${messages}`);
    }
  });
}

for (const [kind, packets] of Object.entries(OUT_OF_PLACE)) {
  test(`out of place: ${kind}`, async (t) => {
    const server = await serve(t);
    const watcher = await Watcher.begin(t, server, 'default');
    for (const packet of packets) {
      const client = await join(t, server);
      client.send(packet);
      await client.end();
      await assert.rejects(client.next(), /the connection closed/, packet);
      assert.equal((await watcher.left(client.id)).reason, 'forced close', packet);
    }
  });
}

test('out of place: any packet before CONNECT', async (t) => {
  const server = await serve(t);
  for (const packet of ['42["ack"]', '420["ack"]', '430[]', '41', '44{"message":"x"}', '4abc', bytes]) {
    const client = await open(t, server, '/socket.io/');
    client.send(packet);
    await client.end();
    await assert.rejects(client.next(), /the connection closed/, `${packet}`);
  }
});

test('over polling they end the session and the pending poll', async (t) => {
  const server = await serve(t);
  for (const body of ['4abc', '42{}', '40', 'bAQ==', ['420["ack"', '421["ack"]'].join(RS)]) {
    const session = await Polling.join(server);
    const poll = await session.waiting();
    await session.post(body).catch(() => {});
    assert.equal((await poll.answer).body, '1', body);
    await session.gone();
  }
});

test('a connection that ends leaves no other namespace behind', async (t) => {
  const server = await serve(t);
  const watcher = await Watcher.begin(t, server, 'default');
  const client = await join(t, server);
  client.send('40/room-1');
  const { sid } = JSON.parse((await client.next()).slice('40/room-1,'.length));
  client.send('42{}');
  await client.end();
  for (const id of [client.id, sid]) assert.equal((await watcher.left(id)).reason, DIFFERENCES.invalidPacket);
});

test('malformed: msgpack', async (t) => {
  const server = await serve(t, { PARSER: 'msgpack' });
  const encode = (packet) => new msgpack.Encoder().encode(packet)[0];
  const good = encode({ type: 2, nsp: '/', data: ['ack', 1], id: 0 });
  const wrong = [
    '4hello',
    '420["ack"]',
    Buffer.alloc(0),
    Buffer.from([0xc1]),
    good.subarray(0, -1),
    Buffer.concat([good, bytes]),
    encode(null),
    encode([]),
    encode({}),
    encode('text'),
    encode({ type: 5, nsp: '/', data: ['ack'] }),
    encode({ type: -1, nsp: '/', data: ['ack'] }),
    encode({ type: 2.5, nsp: '/', data: ['ack'] }),
    encode({ type: '2', nsp: '/', data: ['ack'] }),
    encode({ type: 2, data: ['ack'] }),
    encode({ type: 2, nsp: 7, data: ['ack'] }),
    encode({ type: 2, nsp: '/' }),
    encode({ type: 2, nsp: '/', data: {} }),
    encode({ type: 2, nsp: '/', data: ['ack'], id: 'one' }),
    encode({ type: 2, nsp: '/', data: ['ack'], id: 0.5 }),
    encode({ type: 3, nsp: '/', data: 'x', id: 0 }),
    encode({ type: 1, nsp: '/', data: {} }),
    encode({ type: 0, nsp: '/', data: 'x' }),
    encode({ type: 0, nsp: '/' }),
    encode({ type: 4, nsp: '/', data: { message: 'x' } }),
    encode({ type: 2, nsp: '/room-1', data: ['ack'] }),
  ];
  for (const [i, message] of wrong.entries()) {
    const client = await open(t, server, '/socket.io/');
    client.send(encode({ type: 0, nsp: '/', data: {} }));
    await client.next('binary');
    client.send(message);
    await client.end();
    await assert.rejects(client.next('binary'), /the connection closed/, `case ${i}`);
  }
  const client = await open(t, server, '/socket.io/');
  client.send(encode({ type: 0, nsp: '/' }));
  await client.next('binary');
  client.send(good);
  const decoder = new msgpack.Decoder();
  const decoded = new Promise((resolve) => decoder.on('decoded', resolve));
  decoder.add(await client.next('binary'));
  const { type, nsp, data, id } = await decoded;
  assert.deepEqual({ type, nsp, data, id }, { type: 3, nsp: '/', data: [1], id: 0 });
});
