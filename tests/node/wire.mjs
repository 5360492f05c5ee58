// Hand-written Engine.IO: requests and polling sessions without the client from npm.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import WebSocket from 'ws';
import { Client, within } from './lib.mjs';

// Separates the packets of a polling body.
export const RS = '\x1e';

// The response to a request on a connection of its own.
export async function request(url, { method = 'GET', headers = {}, body } = {}) {
  const outgoing = http.request(url, { method, agent: false, headers });
  outgoing.on('error', () => {});
  if (body !== undefined) outgoing.write(body);
  outgoing.end();
  return answered(outgoing, `${method} ${url}`);
}

export async function answered(outgoing, what) {
  const lost = once(outgoing, 'close').then(() => Promise.reject(new Error(`${what}: no answer`)));
  lost.catch(() => {});
  const [response] = await within(Promise.race([once(outgoing, 'response'), lost]), what);
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, headers: response.headers, body: text };
}

// Parses the OPEN packet.
export function opened(packet) {
  assert.equal(packet[0], '0');
  return JSON.parse(packet.slice(1));
}

// A polling session.
export class Polling {
  constructor(server, path, sid) {
    this.server = server;
    this.path = path;
    this.sid = sid;
    this.url = `${server.http}${path}?EIO=4&transport=polling&sid=${sid}`;
  }

  static async open(server, path = '/engine.io/') {
    const { status, body } = await request(`${server.http}${path}?EIO=4&transport=polling`);
    assert.equal(status, 200, body);
    return new Polling(server, path, opened(body).sid);
  }

  // A session that has joined the Socket.IO namespace `/`.
  static async join(server) {
    const session = await Polling.open(server, '/socket.io/');
    assert.equal(await session.post('40'), 'ok');
    const answer = await session.poll();
    assert.match(answer, /^40\{/);
    session.id = JSON.parse(answer.slice(2)).sid;
    return session;
  }

  get(options) {
    return request(this.url, options);
  }

  // The body of the response to a poll.
  async poll() {
    const { status, body } = await this.get();
    assert.equal(status, 200, body);
    return body;
  }

  // A poll that the server has received: it has answered later requests. For tests whose next
  // request must not overtake the poll.
  async waiting() {
    const answer = this.get();
    answer.catch(() => {});
    for (let i = 0; i < 2; i += 1) await request(this.server.http);
    return { answer };
  }

  // The body of the response to packets.
  async post(body) {
    const { status, body: answer } = await request(this.url, { method: 'POST', body });
    assert.equal(status, 200, answer);
    return answer;
  }

  // Checks that the session no longer exists.
  async gone() {
    const { status, body } = await this.get();
    assert.deepEqual([status, JSON.parse(body)], [400, { code: 1, message: 'Session ID unknown' }]);
  }

  // A WebSocket with the id of this session.
  upgrade(test) {
    return Client.connect(test, `${this.server.ws}${this.path}?EIO=4&transport=websocket&sid=${this.sid}`);
  }

  // A WebSocket of this session after the probe.
  async probe(test) {
    const client = await this.upgrade(test);
    client.send('2probe');
    assert.equal(await client.next(), '3probe');
    return client;
  }
}

// A session over a WebSocket, after its OPEN packet.
export async function open(test, server, path = '/engine.io/', options) {
  const client = await Client.connect(test, `${server.ws}${path}?EIO=4&transport=websocket`, options);
  client.open = opened(await client.next());
  return client;
}

// A session that has joined the Socket.IO namespace `/`.
export async function join(test, server) {
  const client = await open(test, server, '/socket.io/');
  client.send('40');
  const answer = await client.next();
  assert.match(answer, /^40\{/);
  client.id = JSON.parse(answer.slice(2)).sid;
  return client;
}

// The response to a refused WebSocket handshake, or the events of an accepted one.
export async function refused(url, options) {
  const socket = new WebSocket(url, options);
  socket.on('error', () => {});
  let received;
  socket.on('message', (data) => (received = data.toString()));
  const { outgoing, response } = await within(
    new Promise((resolve) => {
      socket.on('unexpected-response', (outgoing, response) => resolve({ outgoing, response }));
      socket.on('close', () => resolve({}));
    }),
    `waiting for ${url} to be refused`,
  );
  assert.equal(received, undefined);
  if (!response) return {};
  let body = '';
  for await (const chunk of response) body += chunk;
  outgoing.destroy();
  return { status: response.statusCode, body };
}
