// Shared parts of the tests: programs under test, and a client for them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';

// How long a test waits for an expected event, in milliseconds.
export const LIMIT = 15_000;

const root = fileURLToPath(new URL('../..', import.meta.url));

// The directory of cargo's build output.
export const built = path.join(path.resolve(root, process.env.CARGO_TARGET_DIR ?? 'target'), 'debug');

// The directory of the built examples: `EXAMPLES_DIR`, or that of `cargo build --examples`.
function examplePath(name) {
  const found = path.join(process.env.EXAMPLES_DIR ?? path.join(built, 'examples'), name);
  assert.ok(existsSync(found), `${found} is missing: run \`cargo build --examples\``);
  return found;
}

// Resolves as the promise does, and fails if that takes too long.
export async function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`timeout: ${typeof what === 'function' ? what() : what}`)), LIMIT);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// A growing list that tests can wait on.
export class Feed {
  items = [];
  #waiting = new Set();
  #end;

  push(item) {
    this.items.push(item);
    for (const check of this.#waiting) check();
  }

  // Ends the list.
  end(error) {
    this.#end = error;
    for (const check of this.#waiting) check();
  }

  // Resolves when `choose`, called with all items, returns something other than `undefined`.
  async until(choose, what) {
    let check;
    const found = new Promise((resolve, reject) => {
      check = () => {
        const chosen = choose(this.items);
        if (chosen !== undefined) resolve(chosen);
        else if (this.#end) reject(new Error(`${what}: ${this.#end.message}`));
      };
    });
    this.#waiting.add(check);
    check();
    try {
      return await within(found, () => `${what}, after ${JSON.stringify(this.items)}`);
    } finally {
      this.#waiting.delete(check);
    }
  }
}

// A server in a process of its own.
class Program {
  #process;
  #output = new Feed();
  #exit;

  constructor(command, args, env, cwd) {
    this.#process = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface({ input: this.#process.stdout }).on('line', (line) => this.#output.push(line));
    // At `close` the whole output has been read.
    this.#exit = once(this.#process, 'close').then(([code, signal]) => {
      this.#output.end(new Error(`${command} ended with ${signal ?? code}`));
      return signal ?? code;
    });
  }

  // Waits for the line with the address.
  async begin() {
    const line = await this.line(/listen(s|ing) on https?:\/\//);
    this.port = Number(new URL(line.split(' ').at(-1)).port);
    this.http = `http://127.0.0.1:${this.port}`;
    this.ws = `ws://127.0.0.1:${this.port}`;
    this.#output.items.splice(this.#output.items.indexOf(line), 1);
    return this;
  }

  get pid() {
    return this.#process.pid;
  }

  // The lines printed so far, without the address.
  get lines() {
    return this.#output.items;
  }

  // Waits until the program has printed `count` lines that match.
  line(pattern, count = 1) {
    const last = (lines) => lines.filter((line) => pattern.test(line))[count - 1];
    return this.#output.until(last, `waiting for ${count} of the line ${pattern}`);
  }

  // Sends a signal to the program, by default that of Ctrl-C, and waits until it exits.
  async stop(signal = 'SIGINT') {
    this.#process.kill(signal);
    return within(this.#exit, 'waiting for the program to end');
  }
}

// Runs a program until the test ends.
export async function start(test, command, args, env, cwd) {
  const program = new Program(command, args, env, cwd);
  test.after(() => program.stop('SIGKILL'));
  return program.begin();
}

// Runs an example on a free port until the test ends.
export function run(test, name, port = 0, env = {}) {
  return start(test, examplePath(name), [], { PORT: String(port), ...env });
}

// A WebSocket client that keeps everything that it receives.
export class Client {
  #feed = new Feed();
  #taken = 0;
  #lastId = 0;

  constructor(url, ...options) {
    this.socket = new WebSocket(url, ...options);
    const keep = (kind) => (data) => this.#feed.push({ kind, data });
    this.socket.on('message', (data, isBinary) => this.#feed.push({ kind: isBinary ? 'binary' : 'text', data: isBinary ? data : data.toString() }));
    this.socket.on('ping', keep('ping'));
    this.socket.on('pong', keep('pong'));
    this.socket.on('error', () => {});
    this.socket.on('close', () => this.#feed.end(new Error('the connection closed')));
    this.closed = once(this.socket, 'close').then(([code, reason]) => ({ code, reason: reason.toString() }));
  }

  static async connect(test, url, ...options) {
    const client = new Client(url, ...options);
    test.after(() => client.socket.terminate());
    await within(once(client.socket, 'open'), `waiting for ${url} to open`);
    return client;
  }

  // The next item, which must be of this kind.
  async next(kind = 'text') {
    const index = this.#taken++;
    const item = await this.#feed.until((items) => items[index], `waiting for ${kind} ${index}`);
    assert.equal(item.kind, kind);
    return item.data;
  }

  async nextJson() {
    return JSON.parse(await this.next());
  }

  send(data) {
    this.socket.send(data);
  }

  sendJson(data) {
    this.send(JSON.stringify(data));
  }

  // Sends an event and waits for its ack, which must be the next message.
  async ask(event, data, id = ++this.#lastId) {
    this.sendJson({ event, data, id });
    const { id: answered, ...answer } = await this.nextJson();
    assert.equal(answered, id);
    return answer;
  }

  end() {
    return within(this.closed, 'waiting for the connection to close');
  }
}

// The status of the response to a refused WebSocket handshake.
export async function refusal(url, options) {
  const socket = new WebSocket(url, options);
  socket.on('error', () => {});
  const [request, response] = await within(once(socket, 'unexpected-response'), 'waiting for a refusal');
  request.destroy();
  return response.statusCode;
}

// The response to a request without an upgrade.
export async function get(url, options = {}) {
  const [response] = await within(once(http.get(url, { agent: false, ...options }), 'response'), `waiting for ${url}`);
  response.resume();
  return response;
}

// A handshake without a client: its response, and the stream to write frames to.
export async function upgrade(url, headers) {
  const request = http.get(url, {
    agent: false,
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
    },
  });
  const [response, socket] = await within(once(request, 'upgrade'), `waiting for the upgrade of ${url}`);
  return { response, socket };
}

// The next bytes from the server.
export async function answer(socket) {
  const [chunk] = await within(once(socket, 'data'), 'waiting for an answer');
  return chunk;
}
