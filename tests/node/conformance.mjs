// The conformance server, and Socket.IO clients for it: every combination of transports and parsers.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import msgpack from 'socket.io-msgpack-parser';
import { Feed, LIMIT, built, start, within } from './lib.mjs';

// Which server is tested: this crate's, or the reference implementation.
export const REFERENCE = process.env.SERVER === 'reference';

// What this crate does otherwise than the reference, on purpose.
export const DIFFERENCES = REFERENCE
  ? {
      // Why a socket goes whose client sent something that is not a packet.
      invalidPacket: 'forced close',
      // A DISCONNECT that a CONNECT follows at once ends the connection.
      refusesHaste: true,
      totalOrder: true,
      // The reference writes several headers of one name as one in the answer to a WebSocket handshake, and gives no sticky cookie there.
      webSocketCookies: { standard: ['one=1,two=2; Path=/,three=3; HttpOnly,four=4; SameSite=Lax'], sticky: false },
    }
  : {
      invalidPacket: 'parse error',
      refusesHaste: false,
      // Handlers of several clients run side by side, so that what each of them emits has no place among what the others do.
      totalOrder: false,
      webSocketCookies: { standard: ['one=1', 'two=2; Path=/', 'three=3; HttpOnly', 'four=4; SameSite=Lax'], sticky: true },
    };

function command() {
  if (REFERENCE) return [process.execPath, [fileURLToPath(new URL('reference/server.mjs', import.meta.url))]];
  const found = process.env.CONFORMANCE ?? path.join(built, 'conformance');
  assert.ok(existsSync(found), `${found} is missing: run \`cargo build -p socketio-tests --bin conformance\``);
  return [found, []];
}

// Runs the conformance server for as long as a test lasts, on a port that is free; the settings are those of CONTRACT.md.
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

  // A client that is connected, and upgraded if that is how it goes.
  async connect(test, server, options = {}, namespace = '/') {
    const socket = this.client(test, server, options, namespace);
    await within(heard(socket, 'connect', 'connect_error'), `connecting to ${namespace}`);
    assert.ok(socket.connected, 'refused');
    await this.settled(socket);
    return socket;
  }

  // A client that has just begun to connect.
  client(test, server, options = {}, namespace = '/') {
    const socket = io(server.http + namespace, { forceNew: true, reconnection: false, ...this.options, ...options });
    test.after(() => socket.io._close());
    return socket;
  }

  // Waits until there is nothing left to upgrade.
  async settled(socket) {
    const { engine } = socket.io;
    if (this.transport === 'upgrade' && engine.transport.name !== 'websocket') await within(heard(engine, 'upgrade'), 'upgrading');
  }

  // The transport of a client that has settled.
  get last() {
    return this.transport === 'polling' ? 'polling' : 'websocket';
  }
}

export const COMBINATIONS = PARSERS.flatMap(([name, parser]) =>
  TRANSPORTS.map(([transport, transports]) => new Combination(transport, transports, name, parser)),
);

// Runs `body` for each combination, with a server that the tests in it share: `shared.server`, once they run.
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

// Keeps the arguments of every event with this name.
export function keep(socket, event) {
  const feed = new Feed();
  socket.on(event, (...args) => feed.push(args));
  return feed;
}

// Who goes, as a socket on the namespace `/` is told.
export class Watcher {
  static async begin(test, server, parser) {
    const socket = await COMBINATIONS.find(({ name }) => name === `websocket, ${parser}`).connect(test, server);
    const watcher = new Watcher();
    watcher.gone = keep(socket, 'left');
    watcher.unanswered = keep(socket, 'unanswered');
    await ask(socket, 'watch');
    return watcher;
  }

  // What is said of the socket with this id.
  async left(id) {
    const [told] = await this.gone.until((all) => all.find(([{ id: gone }]) => gone === id), `waiting for ${id} to go`);
    return told;
  }
}

export { LIMIT, within };
