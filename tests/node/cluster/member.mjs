// Members of a cluster as a test sees them, and clients of these members.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { Client, Feed, built, start, within } from '../lib.mjs';

const NODE = fileURLToPath(new URL('node-member.mjs', import.meta.url));

function command(language) {
  if (language === 'node') return [process.execPath, [NODE]];
  const found = process.env.CLUSTER_MEMBER ?? path.join(built, 'cluster-member');
  assert.ok(existsSync(found), `${found} is missing: run \`cargo build -p socketio-tests --bin cluster-member\``);
  return [found, []];
}

// A server of a cluster in a process of its own. `node-member.mjs` has the settings and verbs.
export class Member {
  // Events `news` of other servers: lists of a namespace and the arguments.
  heard = new Feed();
  // The events of its cluster: their texts, and when they came.
  changes = new Feed();

  // Starts a member until the test ends. `language` is `node` or `rust`.
  static async begin(test, language, settings) {
    const member = new Member();
    const env = { MEMBER: JSON.stringify(settings), PORT: '0', ...settings.env };
    member.program = await start(test, ...command(language), env);
    member.language = language;
    member.name = settings.name;
    member.http = member.program.http;
    member.ws = member.program.ws;
    member.control = io(member.http, { path: '/control/', transports: ['websocket'], forceNew: true, reconnection: false });
    test.after(() => member.control.disconnect());
    member.control.on('heard', (namespace, args) => member.heard.push([namespace, ...args]));
    member.control.on('cluster', (text) => member.changes.push({ text, at: performance.now() }));
    await connected(member.control, `the control connection of ${settings.name}`);
    return member;
  }

  // Runs a verb on a selection.
  async do(verb, selection, ...args) {
    const what = `${verb} at ${this.name}`;
    const asked = new Promise((resolve) => this.control.emit('command', verb, selection, ...args, resolve));
    const answer = await within(asked, what);
    if ('error' in answer) throw new Error(`${what} of ${JSON.stringify(selection)}: ${answer.error.message}`);
    return answer.result;
  }

  // Connects a Socket.IO client until the test ends.
  async client(test, namespace = '/', options = {}) {
    const socket = io(this.http + namespace, { transports: ['websocket'], forceNew: true, reconnection: false, ...options });
    test.after(() => socket.io._close());
    const client = new SocketClient(this, socket);
    await connected(socket, client.name);
    client.id = socket.id;
    return client;
  }

  // Connects a plain WebSocket client until the test ends. Servers on Node.js have none.
  async plain(test, namespace = '/') {
    const client = new PlainClient(this, await Client.connect(test, `${this.ws}/ws${namespace === '/' ? '' : namespace}`));
    client.id = (await client.tell('id')).data;
    return client;
  }
}

function connected(socket, what) {
  const outcome = new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return within(outcome, `connecting ${what}`);
}

// A Socket.IO client that keeps all events.
class SocketClient {
  // Lists of a name and arguments, without the ack function.
  events = new Feed();
  // The reason, after the socket has disconnected.
  gone = new Feed();

  constructor(member, socket) {
    this.member = member;
    this.socket = socket;
    this.name = `a client of ${member.name}`;
    socket.onAny((...event) => {
      const answer = typeof event.at(-1) === 'function' ? event.pop() : undefined;
      this.events.push(event);
      if (answer) this.answer(answer, ...event);
    });
    socket.on('disconnect', (reason) => this.gone.push(reason));
  }

  // Answers questions with the name of its server and the arguments. One with `silence` as its
  // first argument is not answered.
  answer(answer, _, ...args) {
    if (args[0] !== 'silence') answer({ from: this.member.name, args });
  }

  // Sends an event, and waits until the server has handled it.
  tell(...event) {
    return within(new Promise((resolve) => this.socket.emit(...event, resolve)), `the ack of ${event[0]}`);
  }

  async ended() {
    return this.gone.until(([reason]) => reason, `waiting for ${this.name} to be disconnected`);
  }
}

// A plain WebSocket client. It keeps messages, and events as the other kind does.
class PlainClient {
  events = new Feed();
  // Raw texts and bytes.
  messages = new Feed();
  #answers = new Map();
  #lastId = 0;

  constructor(member, client) {
    this.member = member;
    this.name = `a plain client of ${member.name}`;
    this.client = client;
    client.socket.on('message', (data, isBinary) => this.#receive(isBinary ? data : data.toString()));
  }

  #receive(message) {
    let envelope;
    try {
      envelope = JSON.parse(message);
    } catch {
      return void this.messages.push(message);
    }
    const { id, event, data, args = data === undefined ? [] : [data] } = envelope;
    if (event === undefined) return void this.#answers.get(id)?.(envelope);
    this.events.push([event, ...args]);
    if (id !== undefined && args[0] !== 'silence') this.client.sendJson({ id, data: { from: this.member.name, args } });
  }

  tell(event, ...args) {
    const id = (this.#lastId += 1);
    const answered = new Promise((resolve) => this.#answers.set(id, resolve));
    this.client.sendJson({ event, args, id });
    return within(answered, `the answer to ${event}`);
  }
}
