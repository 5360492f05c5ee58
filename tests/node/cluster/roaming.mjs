// Clients that are cut off and come back at another server of a cluster, and the sessions that
// Redis stores for them.

import assert from 'node:assert/strict';
import { io } from 'socket.io-client';
import { Feed, within } from '../lib.mjs';
import { eventually } from './redis.mjs';

// The key of a stored session begins with this.
const SESSION = 'sio:session:';

// A Socket.IO client that connects where it is told to.
export class RoamingClient {
  // Lists of a name and arguments, without the offset.
  events = new Feed();

  // Connects a client until the test ends.
  static async begin(test, member, namespace = '/', options = {}) {
    const client = new RoamingClient();
    client.namespace = namespace;
    client.member = member;
    client.socket = io(member.http + namespace, { transports: ['websocket'], forceNew: true, reconnection: false, ...options });
    test.after(() => client.socket.io._close());
    client.socket.onAny((...event) => client.events.push(event));
    await client.#connected();
    return client;
  }

  get id() {
    return this.socket.id;
  }

  get token() {
    return this.socket._pid;
  }

  async #connected() {
    const outcome = new Promise((resolve, reject) => {
      this.socket.once('connect', resolve);
      this.socket.once('connect_error', reject);
    });
    await within(outcome, `connecting to ${this.member.name}`);
  }

  // Sends an event, and waits until the server has handled it.
  tell(...event) {
    return within(new Promise((resolve) => this.socket.emit(...event, resolve)), `the ack of ${event[0]}`);
  }

  // Cuts the connection, and waits until the client knows it.
  async cut() {
    if (this.socket.connected) {
      const lost = new Promise((resolve) => this.socket.once('disconnect', resolve));
      this.socket.io.engine.close();
      await within(lost, 'the end of the connection');
    }
  }

  // Connects to a server again.
  async comeBack(member) {
    this.member = member;
    this.socket.io.uri = member.http;
    this.socket.connect();
    await this.#connected();
  }

  // Waits for the events of a name, and returns their first arguments.
  async heard(name, count) {
    const found = () => this.events.items.filter(([heard]) => heard === name).map(([, what]) => what);
    await this.events.until(() => (found().length >= count ? true : undefined), `waiting for ${count} of ${name}`);
    return found();
  }

  forget() {
    this.events.items.length = 0;
  }

  // Its socket as its server sees it.
  async details() {
    const [found] = await this.member.do('fetch', { namespace: this.namespace, to: [this.id], local: true });
    return found;
  }

  // What its server says about its recovery.
  recovery() {
    return this.tell('recovered');
  }

  // Waits until Redis has its session, with this text in it.
  async stored(redis, text = '') {
    const found = async () => {
      const session = Buffer.from(await redis.cli('GET', SESSION + this.token), 'base64');
      return session.length > 0 && session.includes(text);
    };
    await eventually(found, `waiting for the session of a client of ${this.member.name}`);
  }

  // Checks that it has resumed its session, on both sides.
  async hasResumed({ id, token }) {
    const answer = await this.recovery();
    assert.deepEqual([this.socket.recovered, answer.recovered, answer.reason ?? null], [true, true, null], `at ${this.member.name}`);
    assert.deepEqual([this.id, this.token], [id, token]);
  }

  // Checks that it has a new session, on both sides, for one of these reasons.
  async hasBegunAnew({ id, token }, ...reasons) {
    const { recovered, reason } = await this.recovery();
    assert.deepEqual([this.socket.recovered, recovered], [false, false], `at ${this.member.name}`);
    assert.notEqual(this.id, id);
    assert.notEqual(this.token, token);
    if (this.member.language === 'rust') assert.ok(reasons.includes(reason), `${reason} is one of ${reasons}`);
  }
}
