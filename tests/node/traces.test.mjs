// Traces: a server exports its spans over OTLP to the collector Rotel, which passes them on to the
// receiver that the server has as well. The clients are those from npm.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { Client, built, start, within } from './lib.mjs';

const collector = path.join(built, '../tools/rotel/rotel-agent');
const [KIND_SERVER, KIND_CLIENT, KIND_CONSUMER] = [2, 3, 5];
const ERROR = 2;

// The trace context of a client.
function context(traceId, spanId, flags = '01') {
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` };
}

const HANDSHAKE = context('4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7');
const OWN = context('0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331');

// Resolves when something listens at the port.
async function listens(port) {
  for (;;) {
    const stream = net.connect(port, '127.0.0.1');
    const isOpen = await once(stream, 'connect').then(() => true, () => false);
    stream.destroy();
    if (isOpen) return;
    await new Promise(setImmediate);
  }
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

// Runs the collector, and a server that exports to it.
async function traced(t) {
  assert.ok(existsSync(collector), `${collector} is missing: \`tests/run\` installs it`);
  const port = await freePort();
  const server = await start(t, path.join(built, 'otlp'), [], { COLLECTOR: `http://127.0.0.1:${port}`, RUST_BACKTRACE: '0' });
  const rotel = spawn(
    collector,
    ['start', '--otlp-grpc-endpoint', '127.0.0.1:0', '--otlp-http-endpoint', `127.0.0.1:${port}`, '--batch-timeout', '10ms',
      '--exporter', 'otlp', '--otlp-exporter-protocol', 'http', '--otlp-exporter-endpoint', server.http],
    { stdio: 'ignore' },
  );
  t.after(() => rotel.kill('SIGKILL'));
  await within(listens(port), 'waiting for the collector');
  // Exports what waits, and resolves with all spans when the receiver has this number of them.
  const received = async (count) => {
    const flushed = await within(fetch(`${server.http}/flush`, { method: 'POST' }), 'exporting the spans');
    assert.equal(await flushed.text(), 'exported');
    const response = await within(fetch(`${server.http}/spans/${count}`), `waiting for ${count} spans`);
    return response.json();
  };
  // Waits for this number of spans, and makes sure that no other comes before that of a last event.
  const spans = async (count) => {
    await received(count);
    const last = await Client.connect(t, `${server.ws}/ws`);
    await last.ask('trace');
    const all = await received(count + 1);
    assert.equal(all.length, count + 1, `${all.map(({ name }) => name)}`);
    return all.filter(({ name }) => name !== 'trace').map((span) => ({
      ...span,
      attributes: Object.fromEntries(span.attributes.map(({ key, value }) => [key, Object.values(value)[0]])),
    }));
  };
  return { server, spans };
}

const named = (spans, name) => {
  const found = spans.filter((span) => span.name === name);
  assert.equal(found.length, 1, `one span ${name} of ${spans.map((span) => span.name)}`);
  return found[0];
};

const links = (span) => span.links.map(({ traceId, spanId }) => ({ traceId, spanId }));
const ids = ({ traceId, spanId }) => ({ traceId, spanId });

function assertParent(span, parent) {
  assert.deepEqual([span.traceId, span.parentSpanId], [parent.traceId, parent.spanId], span.name);
}

function assertRoot(span) {
  assert.equal(span.parentSpanId, '', span.name);
}

async function leave(client) {
  client.socket.close();
  await client.end();
}

test('each event of a plain client has one span, with its outcome', async (t) => {
  const { server, spans } = await traced(t);
  const client = await Client.connect(t, `${server.ws}/ws`, { headers: { traceparent: HANDSHAKE.traceparent } });
  client.sendJson({ event: 'say', data: 'hello', id: 0, meta: { traceparent: OWN.traceparent } });
  assert.deepEqual(await client.nextJson(), { id: 0, data: 'hello' });
  const hostile = ['00-00000000000000000000000000000000-b7ad6b7169203331-01', OWN.traceparent.toUpperCase(), OWN.traceparent.repeat(1000), 7];
  for (const traceparent of hostile) {
    client.sendJson({ event: 'number', data: 1, id: 1, meta: { traceparent } });
    assert.deepEqual(await client.nextJson(), { id: 1 });
  }
  // The client does not record this trace, so the server does not either.
  client.sendJson({ event: 'say', data: '', id: 2, meta: { traceparent: `${OWN.traceparent.slice(0, -2)}00` } });
  assert.deepEqual(await client.nextJson(), { id: 2, data: '' });
  const outcomes = {
    later: ['ok'],
    fail: ['error', 'not_today'],
    panic: ['panic', 'panic'],
    'panic later': ['panic', 'panic'],
    slow: ['timeout', 'timeout'],
  };
  for (const event of Object.keys(outcomes)) await client.ask(event);
  await client.ask('number', 'one');
  await client.ask('nobody\nhandles', 1);
  await leave(client);

  // Two of them are spans of the application.
  const all = await spans(1 + hostile.length + Object.keys(outcomes).length + 2 + 1 + 2);
  const connection = named(all, 'connection');
  assertParent(connection, HANDSHAKE);
  assert.equal(connection.kind, KIND_SERVER);
  const { socket, ...known } = connection.attributes;
  assert.match(socket, /^[0-9a-f-]{36}$/);
  assert.equal(known.namespace, '/');
  assert.equal(known.transport, 'websocket');
  assert.equal(known.outcome, 'transport close');

  const events = all.filter(({ name }) => name !== 'connection' && name !== 'database');
  for (const event of events) {
    assert.equal(event.kind, KIND_CONSUMER);
    assert.deepEqual(links(event), [ids(connection)], event.name);
    const { attributes } = event;
    assert.deepEqual([attributes.event, attributes.namespace, attributes.socket], [event.name, '/', socket]);
    assert.equal(typeof attributes.waited_ms, 'number');
    if (event.name !== 'say') assertRoot(event);
  }
  const say = named(all, 'say');
  assertParent(say, OWN);
  assert.equal(say.attributes.outcome, 'ok');
  const databases = all.filter(({ name }) => name === 'database');
  assert.deepEqual(
    new Set(databases.map(({ parentSpanId }) => parentSpanId)),
    new Set([say.spanId, named(all, 'later').spanId]),
  );
  for (const [name, [outcome, type]] of Object.entries(outcomes)) {
    const { attributes, status } = named(all, name);
    assert.deepEqual([attributes.outcome, attributes['error.type']], [outcome, type], name);
    assert.equal(status?.code ?? 0, outcome === 'ok' ? 0 : ERROR, name);
  }
  const [refused, ...taken] = events.filter(({ name }) => name === 'number').toSorted((a, b) => (a.attributes.outcome < b.attributes.outcome ? -1 : 1));
  assert.equal(refused.attributes.outcome, 'invalid_payload');
  assert.equal(refused.status?.code ?? 0, 0);
  assert.deepEqual(taken.map(({ attributes }) => attributes.outcome), hostile.map(() => 'ok'));
  const unknown = named(all, '_other');
  assert.equal(unknown.attributes.outcome, 'unhandled');
  assert.ok(!JSON.stringify(unknown.attributes).includes('nobody'));
});

test('an event that waits for another one says how long', async (t) => {
  const { server, spans } = await traced(t);
  const client = await Client.connect(t, `${server.ws}/ws`);
  // The server reads both at once.
  const { _socket: stream } = client.socket;
  stream.cork();
  client.sendJson({ event: 'slow' });
  const answer = client.ask('number', 1);
  stream.uncork();
  assert.deepEqual(await answer, {});
  await leave(client);
  const all = await spans(3);
  const [slow, waited] = [named(all, 'slow'), named(all, 'number')];
  assert.ok(BigInt(waited.startTimeUnixNano) >= BigInt(slow.endTimeUnixNano));
  assert.ok(waited.attributes.waited_ms > slow.attributes.waited_ms);
});

for (const transport of ['websocket', 'polling']) {
  test(`the events of a Socket.IO client belong to the trace of its auth payload, over ${transport}`, async (t) => {
    const { server, spans } = await traced(t);
    const extraHeaders = { traceparent: HANDSHAKE.traceparent };
    const socket = io(server.http, { transports: [transport], auth: { traceparent: OWN.traceparent }, extraHeaders });
    t.after(() => socket.close());
    await within(once(socket, 'connect'), 'waiting for a connection');
    assert.equal(await within(socket.emitWithAck('trace'), 'waiting for an answer'), OWN.traceparent);
    assert.equal(await within(socket.emitWithAck('say', 'hello'), 'waiting for an answer'), 'hello');
    const room = io(`${server.http}/room-\n1`, { transports: [transport], forceNew: true });
    t.after(() => room.close());
    assert.equal(await within(room.emitWithAck('say', 'hello'), 'waiting for an answer'), 'hello');
    const refused = io(`${server.http}/refused`, { transports: [transport], forceNew: true });
    t.after(() => refused.close());
    await within(once(refused, 'connect_error'), 'waiting for a refusal');

    // The connections are open. What has ended are two events and the refused connection, with the
    // span of its handler.
    const all = await spans(6 + 1);
    const say = all.find(({ name, attributes }) => name === 'say' && attributes.namespace === '/');
    // A POST may belong to a trace of its own.
    assertParent(say, transport === 'polling' ? HANDSHAKE : OWN);
    assert.equal(say.links.length, 1);
    const inRoom = all.find(({ name, attributes }) => name === 'say' && attributes.namespace !== '/');
    assert.equal(inRoom.attributes.namespace, String.raw`/room-\n1`);
    assertRoot(inRoom);
    const decision = named(all, 'connect');
    assert.equal(decision.attributes.outcome, 'refused');
    const connection = named(all, 'connection');
    assert.equal(connection.attributes.outcome, 'refused');
    assert.deepEqual(links(decision), [ids(connection)]);
  });
}

test('clients are told the context of requests to them', async (t) => {
  const { server, spans } = await traced(t);
  const plain = await Client.connect(t, `${server.ws}/ws`);
  plain.sendJson({ event: 'ask', id: 0, meta: { traceparent: OWN.traceparent } });
  const { id, meta, ...question } = await plain.nextJson();
  assert.deepEqual(question, { event: 'question', data: 1 });
  plain.sendJson({ id, data: 'plain' });
  assert.deepEqual(await plain.nextJson(), { id: 0, data: 'plain' });
  const socket = io(server.http, { transports: ['websocket'] });
  t.after(() => socket.close());
  const told = [meta];
  socket.on('question', (number, meta, answer) => {
    assert.equal(number, 1);
    told.push(meta);
    answer('socket');
  });
  assert.equal(await within(socket.emitWithAck('ask'), 'waiting for an answer'), 'socket');
  const all = within(socket.emitWithAck('ask all'), 'waiting for an answer');
  const { id: second, meta: toPlain } = await plain.nextJson();
  plain.sendJson({ id: second, data: 'plain' });
  assert.deepEqual((await all).toSorted(), ['plain', 'socket']);
  assert.deepEqual(toPlain, told[2]);

  const exported = await spans(6);
  const requests = exported.filter(({ name }) => name === 'question');
  assert.equal(requests.length, 3);
  for (const request of requests) {
    assert.equal(request.kind, KIND_CLIENT);
    assert.equal(request.attributes.outcome, 'ok');
    const asks = exported.filter(({ spanId }) => spanId === request.parentSpanId);
    assert.match(asks[0].name, /^ask/);
    assert.equal(request.traceId, asks[0].traceId);
  }
  const contexts = requests.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`);
  assert.deepEqual(told.map(({ traceparent }) => traceparent).toSorted(), contexts.toSorted());
  assert.ok(contexts.some((traceparent) => traceparent.startsWith(`00-${OWN.traceId}-`)));
});
