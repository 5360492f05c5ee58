// What the tests share: a program that runs, and a client for it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';

// How long anything may take that is waited for.
export const LIMIT = 15_000;

const root = fileURLToPath(new URL('../..', import.meta.url));

// Where cargo puts what it builds.
export const built = path.join(path.resolve(root, process.env.CARGO_TARGET_DIR ?? 'target'), 'debug');

// Where the built examples are: what `EXAMPLES_DIR` says, or where `cargo build --examples` puts them.
function examplePath(name) {
  const found = path.join(process.env.EXAMPLES_DIR ?? path.join(built, 'examples'), name);
  assert.ok(existsSync(found), `${found} is missing: run \`cargo build --examples\``);
  return found;
}

// Resolves as the promise does, or fails when that takes too long.
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

// A list that grows, and can be waited on.
export class Feed {
  items = [];
  #waiting = new Set();
  #end;

  push(item) {
    this.items.push(item);
    for (const check of this.#waiting) check();
  }

  // Nothing more will come.
  end(error) {
    this.#end = error;
    for (const check of this.#waiting) check();
  }

  // Resolves once `choose`, called with all items, gives something other than `undefined`.
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

// A server that runs in a process of its own.
class Program {
  #process;
  #output = new Feed();
  #exit;

  constructor(command, args, env) {
    this.#process = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface({ input: this.#process.stdout }).on('line', (line) => this.#output.push(line));
    // After `close` everything that it printed has been read.
    this.#exit = once(this.#process, 'close').then(([code, signal]) => {
      this.#output.end(new Error(`${command} ended with ${signal ?? code}`));
      return signal ?? code;
    });
  }

  // Waits for the line that says where it listens.
  async begin() {
    const line = await this.line(/listen(s|ing) on https?:\/\//);
    this.port = Number(new URL(line.split(' ').at(-1)).port);
    this.http = `http://127.0.0.1:${this.port}`;
    this.ws = `ws://127.0.0.1:${this.port}`;
    this.#output.items.length = 0;
    return this;
  }

  // Everything that it has printed, its address left out.
  get lines() {
    return this.#output.items;
  }

  // Waits until it has printed a line like this, or that many of them.
  line(pattern, count = 1) {
    const last = (lines) => lines.filter((line) => pattern.test(line))[count - 1];
    return this.#output.until(last, `waiting for ${count} of the line ${pattern}`);
  }

  // Asks it to end, as Ctrl-C does, or with another signal kills it, and waits until it is gone.
  async stop(signal = 'SIGINT') {
    this.#process.kill(signal);
    return within(this.#exit, 'waiting for the program to end');
  }
}

// Runs a program for as long as a test lasts.
export async function start(test, command, args, env) {
  const program = new Program(command, args, env);
  test.after(() => program.stop('SIGKILL'));
  return program.begin();
}

// Runs an example for as long as a test lasts, on a port that is free.
export function run(test, name, port = 0, env = {}) {
  return start(test, examplePath(name), [], { PORT: String(port), ...env });
}

// A WebSocket client that keeps everything it receives.
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

  // The next thing that was received: of this kind, and nothing else before it.
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

  // Sends an event and waits for its answer, which must be what comes next.
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

// The status of the answer to a WebSocket handshake that is not accepted.
export async function refusal(url, options) {
  const socket = new WebSocket(url, options);
  socket.on('error', () => {});
  const [request, response] = await within(once(socket, 'unexpected-response'), 'waiting for a refusal');
  request.destroy();
  return response.statusCode;
}

// The answer to a request that asks for no upgrade.
export async function get(url) {
  const [response] = await within(once(http.get(url, { agent: false }), 'response'), `waiting for ${url}`);
  response.resume();
  return response;
}

// A handshake without a client behind it: its answer, and the stream to write frames to.
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

// The first that comes from the other side.
export async function answer(socket) {
  const [chunk] = await within(once(socket, 'data'), 'waiting for an answer');
  return chunk;
}
