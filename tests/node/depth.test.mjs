// Values that decode deeper than their JSON shows, sent to release servers with default settings
// and stacks. Behind the key of serde_json's `RawValue` stands JSON in a string, which contains
// JSON in a string, and so on.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import msgpack from 'socket.io-msgpack-parser';
import { Client, built, start } from './lib.mjs';
import { Polling, join, open } from './wire.mjs';

const ERROR = { code: 'invalid_payload', message: 'an object has a reserved key' };
const REFUSAL = { message: 'Invalid auth', data: ERROR };

// Spellings of an object with the private key of serde_json.
const SPELLINGS = {
  plain: (string) => `{"$serde_json::private::RawValue":${string}}`,
  'with the first letter escaped': (string) => `{"\\u0024serde_json::private::RawValue":${string}}`,
  'with other letters escaped': (string) => `{"$serde\\u005fjson\\u003a\\u003Aprivate::R\\u0061wValue":${string}}`,
  'behind another key': (string) => `{ "a" : 1 , "$serde_json::private::RawValue" : ${string} }`,
};

// JSON below the depth limit: 120 arrays around a string with the same, 40 times. Escaped quotes
// and backslashes keep the text from doubling with each level: it has 27 KB.
function deep(spelling) {
  let json = '1';
  for (let i = 0; i < 40; i += 1) {
    const string = `"${json.replaceAll('\\', '\\u005c').replaceAll('"', '\\u0022')}"`;
    json = '['.repeat(120) + SPELLINGS[spelling](string) + ']'.repeat(120);
  }
  return json;
}

// Each message is one argument.
const MESSAGES = Object.keys(SPELLINGS).map((spelling) => [spelling, deep(spelling)]);
assert.ok(MESSAGES.every(([, json]) => json.length < 50_000));

// Events with a `Value` argument, and with types that contain one.
const EVENTS = {
  value: (json) => json,
  flattened: (json) => `{"a":${json}}`,
  untagged: (json) => json,
};

// Runs a program that `cargo build --profile quick-release` has built.
function release(t, name, env) {
  const directory = process.env.RELEASE_DIR ?? path.join(path.dirname(built), 'quick-release');
  const program = path.join(directory, name);
  const command = '`cargo build --profile quick-release -p socketio-tests --bin depth -p socketio-examples --example classic`';
  assert.ok(existsSync(program), `${program} is missing: run ${command}`);
  return start(t, program, [], env);
}

// A server, and a client that checks that the server is alive.
async function serve(t) {
  const server = await release(t, 'depth');
  const witness = await Client.connect(t, `${server.ws}/ws`);
  const lives = async (what) => assert.deepEqual(await witness.ask('value', {}), { data: true }, what);
  await lives('at first');
  return { server, lives };
}

test('events of plain WebSocket clients do not overflow the stack', async (t) => {
  const { server, lives } = await serve(t);
  const client = await Client.connect(t, `${server.ws}/ws`);
  for (const [spelling, json] of MESSAGES) {
    for (const [event, argument] of Object.entries(EVENTS)) {
      client.send(`{"event":"${event}","data":${argument(json)}}`);
      for (const field of [`"data":${argument(json)}`, `"args":[${argument(json)},1]`]) {
        client.send(`{"event":"${event}",${field},"id":1}`);
        assert.deepEqual(await client.nextJson(), { id: 1, error: ERROR }, `${event} ${spelling}`);
      }
      await lives(`${event} ${spelling}`);
    }
  }
});

test('acks of plain WebSocket clients do not overflow the stack', async (t) => {
  const { server, lives } = await serve(t);
  const client = await Client.connect(t, `${server.ws}/ws`);
  for (const [spelling, json] of MESSAGES) {
    for (const field of [`"data":${json}`, `"args":[${json}]`, `"error":${json}`]) {
      client.sendJson({ event: 'ask me', id: 'asked' });
      const { event, id } = await client.nextJson();
      assert.equal(event, 'question');
      client.send(`{"id":${id},${field}}`);
      assert.deepEqual(await client.nextJson(), { id: 'asked', error: ERROR }, spelling);
      await lives(spelling);
    }
  }
});

test('raw messages do not overflow the stack', async (t) => {
  const { server, lives } = await serve(t);
  for (const route of ['/listened', '/handled']) {
    const client = await Client.connect(t, `${server.ws}${route}`);
    for (const [spelling, json] of MESSAGES) {
      for (const message of [json, Buffer.from(json), `${json} and more`, `[${json},`]) {
        client.send(message);
        assert.match(await client.next(), /reserved key|trailing characters|EOF while parsing/, spelling);
        await lives(`${route} ${spelling}`);
      }
    }
    client.send('[1,{}]');
    assert.equal(await client.next(), 'decoded true');
  }
});

// The packets that a Socket.IO client sends in the default encoding, and their answers.
function packets(json, argument) {
  const answer = `[${JSON.stringify({ error: ERROR })}]`;
  const place = '{"_placeholder":true,"num":0}';
  return Object.keys(EVENTS).flatMap((event) => [
    { sent: [`420["${event}",${argument(event, json)}]`], answer: `430${answer}` },
    { sent: [`421["${event}",${argument(event, json)},${argument(event, json)}]`], answer: `431${answer}` },
    { sent: [`451-2["${event}",${argument(event, json)},${place}]`, Buffer.from([1])], answer: `432${answer}` },
    { sent: [`451-3["${event}",[${place},${argument(event, json)}]]`, Buffer.from([1])], answer: `433${answer}` },
  ]);
}

const argument = (event, json) => EVENTS[event](json);

test('events and acks over Socket.IO do not overflow the stack', async (t) => {
  const { server, lives } = await serve(t);
  const client = await join(t, server);
  for (const [spelling, json] of MESSAGES) {
    for (const { sent, answer } of packets(json, argument)) {
      for (const message of sent) client.send(message);
      assert.equal(await client.next(), answer, spelling);
      await lives(spelling);
    }
    for (const [kind, place, attachment] of [['3', ''], ['61-', ',{"_placeholder":true,"num":0}', Buffer.from([1])]]) {
      client.send('429["ask me"]');
      const [, id] = (await client.next()).match(/^42(\d+)\["question"\]$/);
      client.send(`4${kind}${id}[${json}${place}]`);
      if (attachment) client.send(attachment);
      assert.equal(await client.next(), `439[${JSON.stringify({ error: ERROR })}]`, spelling);
      await lives(spelling);
    }
  }
});

test('auth of Socket.IO clients does not overflow the stack', async (t) => {
  const { server, lives } = await serve(t);
  for (const [spelling, json] of MESSAGES) {
    const client = await open(t, server, '/socket.io/');
    for (const auth of [`{"token":${json}}`, `{"token":[],"more":[${json}]}`, SPELLINGS[spelling](JSON.stringify(json))]) {
      client.send(`40${auth}`);
      assert.equal(await client.next(), `44${JSON.stringify(REFUSAL)}`, spelling);
      await lives(spelling);
    }
    client.send('40{"token":1}');
    assert.match(await client.next(), /^40\{"sid":/);
  }
});

test('Socket.IO over long-polling does not overflow the stack', async (t) => {
  const { server, lives } = await serve(t);
  for (const [spelling, json] of MESSAGES) {
    const session = await Polling.open(server, '/socket.io/');
    assert.equal(await session.post(`40{"token":${json}}`), 'ok');
    assert.equal(await session.poll(), `44${JSON.stringify(REFUSAL)}`, spelling);
    assert.equal(await session.post('40'), 'ok');
    assert.match(await session.poll(), /^40\{"sid":/);
    for (const { sent, answer } of packets(json, argument)) {
      const body = sent.map((message) => (Buffer.isBuffer(message) ? `b${message.toString('base64')}` : message));
      assert.equal(await session.post(body.join('\x1e')), 'ok');
      assert.equal(await session.poll(), answer, spelling);
      await lives(spelling);
    }
  }
});

test('Socket.IO with MessagePack does not overflow the stack', async (t) => {
  const { server, lives } = await serve(t);
  const encode = (packet) => new msgpack.Encoder().encode(packet)[0];
  const decode = async (client) => {
    const decoder = new msgpack.Decoder();
    const decoded = new Promise((resolve) => decoder.on('decoded', resolve));
    decoder.add(await client.next('binary'));
    return decoded;
  };
  for (const [spelling, json] of MESSAGES) {
    const client = await open(t, server, '/msgpack/');
    const value = JSON.parse(json);
    client.send(encode({ type: 0, nsp: '/', data: { token: value } }));
    assert.deepEqual((await decode(client)).data, REFUSAL, spelling);
    client.send(encode({ type: 0, nsp: '/' }));
    assert.equal((await decode(client)).type, 0);
    for (const event of Object.keys(EVENTS)) {
      for (const more of [[], [Buffer.from([1])]]) {
        const data = [event, JSON.parse(argument(event, json)), ...more];
        client.send(encode({ type: 2, nsp: '/', data, id: 7 }));
        const { type, data: answer, id } = await decode(client);
        assert.deepEqual({ type, answer, id }, { type: 3, answer: [{ error: ERROR }], id: 7 }, `${event} ${spelling}`);
        await lives(`${event} ${spelling}`);
      }
    }
    client.send(encode({ type: 2, nsp: '/', data: ['ask me'], id: 8 }));
    const { data, id } = await decode(client);
    assert.deepEqual(data, ['question']);
    client.send(encode({ type: 3, nsp: '/', data: [value], id }));
    assert.deepEqual((await decode(client)).data, [{ error: ERROR }], spelling);
    await lives(spelling);
  }
});

test('the `classic` example decodes messages itself without a stack overflow', async (t) => {
  const classic = await release(t, path.join('examples', 'classic'), { PORT: '0' });
  const connect = async (user) => {
    const client = await Client.connect(t, `${classic.ws}/ws/${user}`);
    assert.match(await client.next(), /^Hello user/);
    return client;
  };
  const witness = await connect('witness');
  const client = await connect('ann');
  assert.match(await witness.next(), /^New user connected/);
  for (const [spelling, json] of MESSAGES) {
    client.send(`{"to":"witness","event":"CUSTOM_EVENT","data":${json}}`);
    client.send(`{"to":"witness","data":"${spelling}"}`);
    // The first message is dropped.
    assert.equal(await witness.next(), `{"to":"witness","data":"${spelling}"}`);
  }
});
