// A random run: clients behind proxies that cut their connections, and servers that emit to random
// selections of them. What a client has received must be what the stream has for it.

import assert from 'node:assert/strict';
import { decode } from '@msgpack/msgpack';
import { io } from 'socket.io-client';
import { Feed } from '../lib.mjs';
import { CuttingProxy, Random } from './cutting.mjs';

const CLIENTS = 4;
const ROOMS = ['red', 'green', 'blue'];
const TRANSPORTS = [['websocket'], ['websocket'], ['polling'], ['polling', 'websocket']];
// Emits end when all cuts are done, or after so many rounds.
const ROUNDS = 600;

let runs = 0;

// What an event is for: `yes`, `no`, or `maybe` while the client is joining a room.
const YES = 2;
const MAYBE = 1;
const NO = 0;

// What a client receives until it is told that it has missed something.
class Session {
  received = [];
  // The rooms that it has surely joined.
  rooms = new Set();
  isOver = false;
  // The number of the last event that was emitted before it had joined a room.
  #joined = new Map();
  // The number of the last event before it began.
  #begun;

  constructor(id, last) {
    this.id = id;
    this.#begun = last;
    this.#joined.set(id, last);
  }

  joining(room) {
    if (!this.#joined.has(room)) this.#joined.set(room, Infinity);
  }

  joined(room, last) {
    this.rooms.add(room);
    this.#joined.set(room, Math.min(last, this.#joined.get(room)));
  }

  #isIn(room, number) {
    const joined = this.#joined.get(room);
    return joined === undefined ? NO : number > joined ? YES : MAYBE;
  }

  // Whether an event is for it.
  hears({ number, to, except }) {
    const highest = (rooms) => Math.max(NO, ...rooms.map((room) => this.#isIn(room, number)));
    const ever = number > this.#begun ? YES : MAYBE;
    return Math.min(ever, to.length ? highest(to) : YES, YES - highest(except));
  }
}

class Client {
  sessions = [];
  hints = [];
  resumed = 0;
  // How often a server ended it.
  taken = 0;
  reasons = [];
  // The number of its connections.
  #turn = 0;
  // It grows with each event and change.
  news = new Feed();

  static async begin(test, run, index) {
    const client = new Client();
    const { random } = run;
    client.run = run;
    client.name = `client ${index} of ${run.name}`;
    client.proxy = await CuttingProxy.begin(test, random, run.servers.map(({ program }) => program.port), 3 + random.below(8));
    client.rooms = [...random.some(run.rooms, 60), run.late];
    client.transports = random.one(TRANSPORTS);
    client.socket = io(client.proxy.http, {
      transports: client.transports,
      forceNew: true,
      reconnectionDelay: 1,
      reconnectionDelayMax: 8,
      // It does not notice that a connection ended between the WebSocket's handshake and its own.
      timeout: 500,
    });
    test.after(() => {
      client.isOver = true;
      client.socket.io.reconnection(false);
      client.socket.io._close();
    });
    client.socket.on('connect', () => client.#connected());
    client.socket.on('disconnect', (reason) => client.#disconnected(reason));
    client.socket.on('news', (run, number) => client.#heard(run, number));
    client.socket.on('hint', (run, number) => run === client.run.number && client.hints.push(number));
    return client;
  }

  get session() {
    return this.sessions.at(-1);
  }

  #connected() {
    const { socket } = this;
    if (socket.recovered) {
      this.resumed += 1;
    } else {
      if (this.session) {
        this.session.isOver = true;
        socket.emit('recovered', ({ reason }) => this.reasons.push(reason));
      }
      this.sessions.push(new Session(socket.id, this.run.emitted.length - 1));
    }
    if (this.session.id !== socket.id) this.fault = `${this.name} has resumed as ${socket.id}, not as ${this.session.id}`;
    this.#join();
    this.news.push(socket.recovered ? 'resumed' : 'connected');
  }

  // The connection of an earlier attempt may arrive after that of a later one, and take the session.
  // The client reconnects by itself unless a server ended its socket.
  #disconnected(reason) {
    this.news.push(reason);
    if (reason !== 'io server disconnect' || this.isOver) return;
    this.taken += 1;
    this.socket.connect();
  }

  // Joins its rooms one after another. The connection may be cut before an answer comes, and the
  // server may end before it has stored that the room was joined.
  async #join() {
    const { session, socket, run } = this;
    const turn = (this.#turn += 1);
    for (const room of this.rooms.filter((room) => !session.rooms.has(room))) {
      // The socket would send it in its next connection, which may have another session.
      if (!socket.connected) return;
      session.joining(room);
      await new Promise((resolve) => socket.emit('join', [room], resolve));
      if (run.isEager) await this.#stored(room, turn);
      if (turn !== this.#turn) return;
      session.joined(room, run.emitted.length - 1);
      this.news.push('joined');
    }
  }

  // Waits until Redis has a session in which it is in the room.
  async #stored(room, turn) {
    while (turn === this.#turn && !this.isOver) {
      const session = await this.run.redis.get(`sio:session:${this.socket._pid}`);
      if (Buffer.from(session ?? '', 'base64').includes(room)) return;
    }
  }

  #heard(run, number) {
    if (run !== this.run.number) return;
    if (!this.session) this.fault = `${this.name} received ${number} before it was connected`;
    this.session?.received.push(number);
    this.news.push(number);
  }

  // Waits until it is connected and in its rooms.
  settled() {
    const isSettled = () => (this.socket.connected && this.session?.rooms.size === this.rooms.length ? true : undefined);
    return this.news.until(isSettled, `${this.name} connects and joins its rooms`);
  }

  // Returns whether it has received these events. It has not if it reconnects meanwhile: its
  // connection was cut before the proxies were healed, and it did not know that yet.
  async receives(numbers) {
    const { run, session, socket } = this;
    const turn = this.#turn;
    const has = () => (turn !== this.#turn || numbers.every((number) => session.received.includes(number)) ? true : undefined);
    await this.news.until(has, `${this.name} waits for ${numbers}`).catch(async (error) => {
      const places = await Promise.all(run.servers.map((server) => server.do('fetch', { to: [socket.id], local: true })));
      const rooms = places.map((found) => found.map(({ rooms }) => rooms));
      const transport = `${this.transports}: ${socket.io.engine.transport.name}`;
      error.message += `. ${JSON.stringify({ transport, connected: socket.connected, rooms, volatile: this.hints.slice(-3) })}`;
      throw error;
    });
    return turn === this.#turn;
  }

  // Checks what it has received. `order` has the positions of events in the stream.
  check(order) {
    assert.equal(this.fault, undefined);
    const { emitted } = this.run;
    for (const session of this.sessions) {
      const positions = session.received.map((number) => order.get(number));
      const show = () => `${this.name}, session ${this.sessions.indexOf(session) + 1} of ${this.sessions.length}: ${this.news.items}`;
      positions.forEach((position, i) => {
        assert.ok(position !== undefined, `an event of the stream: ${session.received[i]}. ${show()}`);
        assert.ok(i === 0 || position > positions[i - 1], `in order and once: ${session.received[i]}. ${show()}`);
        assert.notEqual(session.hears(emitted[session.received[i]]), NO, `for it: ${JSON.stringify(emitted[session.received[i]])}. ${show()}`);
      });
      const heard = new Set(session.received);
      // What is missing at the end of a session that is over, the client knows.
      const last = session.isOver ? (positions.at(-1) ?? -1) : Infinity;
      for (const event of emitted) {
        if (heard.has(event.number) || order.get(event.number) > last || session.hears(event) !== YES) continue;
        assert.fail(`nothing is missed: ${JSON.stringify(event)}. ${show()}`);
      }
    }
    assert.equal(new Set(this.hints).size, this.hints.length, `${this.name}: no volatile event twice`);
  }
}

export class Run {
  emitted = [];
  #hints = 0;

  constructor(seed, variant) {
    this.number = runs += 1;
    this.name = `the run with SEED=${seed}`;
    this.random = new Random(seed);
    Object.assign(this, variant);
    this.rooms = ROOMS.map((room) => `${this.number} ${room}`);
    this.late = `${this.number} late`;
  }

  // `servers` are those of the clients, `issuers` all that emit. `stream` is its name, and `redis` a
  // client of Redis.
  async play(test) {
    const { random } = this;
    const [latest] = await this.redis.xRevRange(this.stream, '+', '-', { COUNT: 1 });
    this.clients = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => Client.begin(test, this, i + 1)));
    for (let round = 0; round < ROUNDS && this.clients.some(({ proxy }) => proxy.cuts > 0); round += 1) {
      await Promise.all(Array.from({ length: 1 + random.below(8) }, () => this.#emit()));
    }
    for (const { proxy } of this.clients) proxy.heal();
    while (!(await this.#reachesAll()));
    const order = await this.#order(latest?.id);
    for (const client of this.clients) client.check(order);
  }

  // Emits to all clients when they are in their rooms. Returns whether all have received it.
  async #reachesAll() {
    await Promise.all(this.clients.map((client) => client.settled()));
    const from = this.emitted.length;
    for (const issuer of this.issuers) await this.#issue(issuer, { to: [], except: [] }, 0);
    const last = this.emitted.slice(from).map(({ number }) => number);
    const received = await Promise.all(this.clients.map((client) => client.receives(last)));
    return received.every(Boolean);
  }

  #emit() {
    const { random } = this;
    const issuer = random.one(this.issuers);
    const ids = this.clients.flatMap(({ session }) => (session ? [session.id] : []));
    const places = [...this.rooms, this.late, ...random.some(ids, 25)];
    const selection = { to: random.below(5) ? random.some(places, 30) : [], except: random.below(2) ? random.some(places, 15) : [] };
    if (random.below(8) === 0) {
      return issuer.do('emit', { ...selection, volatile: true }, 'hint', this.number, (this.#hints += 1), 'text');
    }
    const length = random.below(10) ? random.below(40) : random.below(4_000);
    return this.#issue(issuer, selection, length);
  }

  #issue(issuer, selection, length) {
    const number = this.emitted.length;
    this.emitted.push({ number, issuer: issuer.name, ...selection });
    const padding = this.random.below(4) ? 'x'.repeat(length) : Buffer.alloc(length);
    return issuer.do('emit', selection, 'news', this.number, number, padding);
  }

  // The position of each event in the stream, where each is once.
  async #order(after) {
    const entries = await this.redis.xRange(this.stream, after ? `(${after}` : '-', '+');
    const order = new Map();
    for (const [position, { message }] of entries.entries()) {
      if (message.type !== '3') continue;
      const { packet } = message.data.startsWith('{') ? JSON.parse(message.data) : decode(Buffer.from(message.data, 'base64'));
      const [event, run, number] = packet.data;
      if (event !== 'news' || run !== this.number) continue;
      assert.ok(!order.has(number), `${this.name}: the stream has ${number} twice`);
      order.set(number, position);
    }
    assert.equal(order.size, this.emitted.length, `${this.name}: the stream has all events`);
    return order;
  }
}
