// The conformance server, and Socket.IO clients for every combination of transports and parsers.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import msgpack from 'socket.io-msgpack-parser';
import { Feed, LIMIT, built, start, within } from './lib.mjs';

// Whether the reference implementation is tested instead of this crate.
export const REFERENCE = process.env.SERVER === 'reference';

// Intended differences between this crate and the reference.
export const DIFFERENCES = REFERENCE
  ? {
      // The disconnect reason of a socket whose client sent an invalid packet.
      invalidPacket: 'forced close',
      // A DISCONNECT followed immediately by a CONNECT ends the connection.
      refusesHaste: true,
      totalOrder: true,
      // The status with which a WebSocket is refused that may not connect.
      forbiddenWebSocket: 400,
      // In the response to a WebSocket handshake the reference joins headers of one name, and sends
      // no sticky cookie.
      webSocketCookies: { standard: ['one=1,two=2; Path=/,three=3; HttpOnly,four=4; SameSite=Lax'], sticky: false },
    }
  : {
      invalidPacket: 'parse error',
      refusesHaste: false,
      // Handlers of different clients run in parallel, so their emits have no common order.
      totalOrder: false,
      forbiddenWebSocket: 403,
      webSocketCookies: { standard: ['one=1', 'two=2; Path=/', 'three=3; HttpOnly', 'four=4; SameSite=Lax'], sticky: true },
    };

function command() {
  if (REFERENCE) return [process.execPath, [fileURLToPath(new URL('reference/server.mjs', import.meta.url))]];
  const found = process.env.CONFORMANCE ?? path.join(built, 'conformance');
  assert.ok(existsSync(found), `${found} is missing: run \`cargo build -p socketio-tests --bin conformance\``);
  return [found, []];
}

// Runs the conformance server on a free port until the test ends. CONTRACT.md lists the settings.
export function serve(test, settings = {}) {
  return start(test, ...command(), { PORT: '0', ...settings });
}

const TRANSPORTS = [
  ['polling', ['polling']],
  ['websocket', ['websocket']],
  ['upgrade', ['polling', 'websocket']],
];
const PARSERS = [
  ['default', undefined],
  ['msgpack', msgpack],
];

// One way to connect: `settings` of the server and `options` of the client.
class Combination {
  constructor(transport, transports, parserName, parser) {
    this.name = `${transport}, ${parserName}`;
    this.transport = transport;
    this.transports = transports;
    this.settings = { PARSER: parserName };
    this.options = { transports, parser };
  }

  // A client that is connected, and upgraded if the transport is `upgrade`.
  async connect(test, server, options = {}, namespace = '/') {
    const socket = this.client(test, server, options, namespace);
    await within(heard(socket, 'connect', 'connect_error'), `connecting to ${namespace}`);
    assert.ok(socket.connected, 'refused');
    await this.settled(socket);
    return socket;
  }

  // A client that starts to connect.
  client(test, server, options = {}, namespace = '/') {
    const socket = io(server.http + namespace, { forceNew: true, reconnection: false, ...this.options, ...options });
    test.after(() => socket.io._close());
    return socket;
  }

  // Waits until no upgrade is pending.
  async settled(socket) {
    const { engine } = socket.io;
    if (this.transport === 'upgrade' && engine.transport.name !== 'websocket') await within(heard(engine, 'upgrade'), 'upgrading');
  }

  // The transport of a client after any upgrade.
  get last() {
    return this.transport === 'polling' ? 'polling' : 'websocket';
  }
}

export const COMBINATIONS = PARSERS.flatMap(([name, parser]) =>
  TRANSPORTS.map(([transport, transports]) => new Combination(transport, transports, name, parser)),
);

// Runs `body` for each combination, with one server for its tests: `shared.server`, set when they
// run.
export function matrix(body, settings = {}) {
  for (const combination of COMBINATIONS) {
    describe(combination.name, () => {
      const shared = {};
      const ending = [];
      before(async () => {
        shared.server = await serve({ after: (end) => ending.push(end) }, { ...combination.settings, ...settings });
      });
      after(() => Promise.all(ending.map((end) => end())));
      body({
        combination,
        shared,
        connect: (test, options, namespace) => combination.connect(test, shared.server, options, namespace),
      });
    });
  }
}

// Resolves with the arguments of the next event with one of these names.
export function heard(emitter, ...events) {
  return within(
    new Promise((resolve) => {
      for (const event of events) emitter.once(event, (...args) => resolve(args));
    }),
    `waiting for ${events.join(' or ')}`,
  );
}

// Resolves with all arguments of the ack.
export function ask(socket, event, ...args) {
  return within(new Promise((resolve) => socket.emit(event, ...args, (...answer) => resolve(answer))), `waiting for the ack of ${event}`);
}

// Collects the arguments of every event with this name.
export function keep(socket, event) {
  const feed = new Feed();
  socket.on(event, (...args) => feed.push(args));
  return feed;
}

// A socket in the namespace `/` that is told about disconnected sockets.
export class Watcher {
  static async begin(test, server, parser) {
    const socket = await COMBINATIONS.find(({ name }) => name === `websocket, ${parser}`).connect(test, server);
    const watcher = new Watcher();
    watcher.gone = keep(socket, 'left');
    watcher.unanswered = keep(socket, 'unanswered');
    await ask(socket, 'watch');
    return watcher;
  }

  // The report about the socket with this id.
  async left(id) {
    const [told] = await this.gone.until((all) => all.find(([{ id: gone }]) => gone === id), `waiting for ${id} to go`);
    return told;
  }
}

export { LIMIT, within };
