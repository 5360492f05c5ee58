// Other processes emit over HTTP, and clients of socket.io-client receive it. The OpenAPI document is
// valid, and describes what the server does.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import SwaggerParser from '@apidevtools/swagger-parser';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { io } from 'socket.io-client';
import { Feed, built, start, within } from './lib.mjs';

const program = path.join(built, 'contract');
const TOKEN = '6e1c5a2b9f0d4e7f8a31';
const NEWS = { headline: 'hello', weight: 1 };

// A client that keeps all events.
async function connect(t, url) {
  const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false });
  t.after(() => socket.close());
  const events = new Feed();
  socket.onAny((...event) => events.push(event));
  await within(new Promise((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject)), 'connecting');
  const next = async () => {
    await events.until((all) => all[0], 'waiting for an event');
    return events.items.shift();
  };
  return { socket, next };
}

async function post(url, body, headers = {}) {
  const response = await fetch(`${url}/emit`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, type: response.headers.get('content-type'), headers: response.headers, body: await response.json() };
}

test('clients receive what is posted', async (t) => {
  const { http } = await start(t, program, ['daily']);
  const [one, other] = [await connect(t, http), await connect(t, http)];
  const room = await connect(t, `${http}/room-7`);
  await within(one.socket.emitWithAck('join', 'lobby'), 'joining');

  const all = await post(http, { event: 'news', args: [NEWS] });
  assert.equal(all.status, 202);
  for (const client of [one, other]) assert.deepEqual(await client.next(), ['news', NEWS]);

  await post(http, { event: 'news', args: [{ headline: 'lobby' }], rooms: ['lobby'] });
  assert.deepEqual(await one.next(), ['news', { headline: 'lobby' }]);
  await post(http, { event: 'news', args: [{ headline: 'not lobby' }], except: ['lobby'] });
  assert.deepEqual(await other.next(), ['news', { headline: 'not lobby' }]);
  await post(http, { namespace: '/room-7', event: 'said', args: [{ saidBy: 'ann', text: 'hi' }] });
  assert.deepEqual(await room.next(), ['said', { saidBy: 'ann', text: 'hi' }]);

  const key = { 'idempotency-key': `"${crypto.randomUUID()}"` };
  const answers = await Promise.all(Array.from({ length: 5 }, () => post(http, { event: 'news', args: [NEWS] }, key)));
  // Those that come while the first one emits are told so.
  const emitted = answers.filter(({ status }) => status === 202);
  assert.equal(new Set(emitted.map(({ body }) => body.id)).size, 1);
  assert.ok(answers.every(({ status }) => status === 202 || status === 409));
  const last = await post(http, { event: 'news', args: [NEWS] }, key);
  assert.deepEqual([last.body.id, last.headers.get('idempotency-replayed')], [emitted[0].body.id, 'true']);
  await post(http, { event: 'news', args: [{ headline: 'end' }] });
  for (const client of [one, other]) {
    assert.deepEqual(await client.next(), ['news', NEWS]);
    assert.deepEqual(await client.next(), ['news', { headline: 'end' }]);
  }
});

test('the OpenAPI document is valid, and its schemas are those of requests and answers', async (t) => {
  const { http } = await start(t, program, ['daily']);
  const exported = JSON.parse(readFileSync(new URL('contract/daily.openapi.json', import.meta.url), 'utf8'));
  const response = await fetch(`${http}/emit/openapi.json`, { headers: { authorization: `Bearer ${TOKEN}` } });
  assert.deepEqual(await response.json(), exported);
  assert.equal((await fetch(`${http}/emit/openapi.json`)).status, 401);
  await SwaggerParser.validate(structuredClone(exported));

  const document = await SwaggerParser.dereference(structuredClone(exported));
  const { requestBody, responses } = document.paths['/emit'].post;
  const ajv = new Ajv2020({ strict: true, strictTuples: false, strictRequired: false, strictTypes: false, allowUnionTypes: true });
  addFormats(ajv);
  ajv.addFormat('uint8', { type: 'number', validate: (value) => Number.isInteger(value) && value >= 0 && value < 256 });
  ajv.addFormat('double', { type: 'number', validate: Number.isFinite });
  const describes = ajv.compile(requestBody.content['application/json'].schema);
  const answers = Object.fromEntries(
    Object.entries(responses).map(([status, { content }]) => [status, { type: Object.keys(content)[0], check: ajv.compile(Object.values(content)[0].schema) }]),
  );

  const requests = [
    [202, { event: 'news', args: [NEWS] }],
    [202, { event: 'news', args: [{ headline: 'x', weight: null }], namespace: '/', rooms: ['a'], except: ['b'], volatile: true }],
    [202, { event: 'load', args: [0.5], namespace: '/admin' }],
    [202, { event: 'said', args: [{ saidBy: 'a', text: 'b' }], namespace: '/room-1' }],
    [422, { event: 'load', args: [0.5] }],
    [422, { event: 'news', args: [] }],
    [422, { event: 'news', args: [NEWS, NEWS] }],
    [422, { event: 'news' }],
    [422, { event: 'sure?', args: [{ what: 'it' }] }],
    [422, { event: 'news', args: [NEWS], rooms: [] }],
    [422, { event: 'news', args: [NEWS], rooms: null }],
    [422, { event: 'news', args: [NEWS], rooms: [''] }],
    [422, { event: 'news', args: [NEWS], room: ['a'] }],
    [404, { event: 'said', args: [{ saidBy: 'a', text: 'b' }], namespace: '/room-1/2' }],
    [404, { event: 'news', args: [NEWS], namespace: 'admin' }],
  ];
  for (const [status, request] of requests) {
    const text = JSON.stringify(request);
    assert.equal(describes(request), status === 202, `${text}: ${JSON.stringify(describes.errors)}`);
    const answer = await post(http, request);
    assert.equal(answer.status, status, `${text}: ${JSON.stringify(answer.body)}`);
    assert.equal(answer.type, answers[status].type);
    assert.ok(answers[status].check(answer.body), `${text}: ${JSON.stringify(answers[status].check.errors)}`);
  }
  // The payload is described, and not checked by the server.
  assert.equal(describes({ event: 'news', args: [{ headline: 1 }] }), false);
  for (const [status, answer] of [
    [400, await post(http, '{')],
    [401, await post(http, {}, { authorization: 'Bearer another-token-altogether' })],
    [415, await post(http, '{}', { 'content-type': 'text/plain' })],
  ]) {
    assert.equal(answer.status, status);
    assert.ok(answers[status].check(answer.body), JSON.stringify(answer.body));
  }
});
