// A TCP proxy between a client and the servers of a cluster, which cuts the connections at random
// bytes, and lets the client through to a random server the next time.

import { once } from 'node:events';
import net from 'node:net';

// The ways in which connections are cut. `silent`: the server is not told, and what it sends is
// lost.
const KINDS = ['close', 'reset', 'silent'];

// Random numbers from a seed.
export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  // A number from 0 up to the limit, which is not included.
  below(limit) {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  one(items) {
    return items[this.below(items.length)];
  }

  // Each item with this probability in percent.
  some(items, percent) {
    return items.filter(() => this.below(100) < percent);
  }
}

// Node.js 20 fails to close a stream that is reset while it shuts down, and then never exits.
function reset(stream) {
  if (stream.writableEnded) stream.destroy();
  else stream.resetAndDestroy();
}

export class CuttingProxy {
  #random;
  #ports;
  #port;
  #pairs = new Set();
  // The servers' ends of connections that were cut without telling them.
  #silent = new Set();
  // The bytes that still pass in each direction, of all connections since the last cut.
  #left;
  // The number of cuts to come.
  cuts;
  // What was done: `{ kind, direction, at }`, with the bytes that passed.
  done = [];

  // A proxy until the test ends.
  static async begin(test, random, ports, cuts) {
    const proxy = new CuttingProxy();
    proxy.#random = random;
    proxy.#ports = ports;
    proxy.cuts = cuts;
    proxy.#plan();
    const server = net.createServer({ noDelay: true }, (near) => proxy.#join(near));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy.http = `http://127.0.0.1:${server.address().port}`;
    test.after(() => {
      server.close();
      proxy.heal();
      for (const { near, far } of proxy.#pairs) [near, far].forEach((stream) => stream.destroy());
      for (const far of proxy.#silent) far.destroy();
    });
    return proxy;
  }

  // Chooses a server, and where the connections to it are cut.
  #plan() {
    this.#port = this.#random.one(this.#ports);
    // Half of the cuts fall into the handshake.
    const bytes = (handshake, later) => this.#random.below(this.#random.below(2) ? handshake : later);
    this.planned = { up: bytes(600, 3_000), down: bytes(600, 12_000) };
    this.#left = this.cuts > 0 ? { ...this.planned } : { up: Infinity, down: Infinity };
  }

  // Cuts nothing any more.
  heal() {
    this.cuts = 0;
    this.#left = { up: Infinity, down: Infinity };
  }

  #join(near) {
    const far = net.connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    const pair = { near, far };
    this.#pairs.add(pair);
    for (const [from, to, direction] of [[near, far, 'up'], [far, near, 'down']]) {
      from.on('data', (chunk) => this.#forward(pair, to, direction, chunk));
      from.on('error', () => {});
      from.on('close', () => {
        this.#pairs.delete(pair);
        if (!this.#silent.has(far)) to.destroySoon();
      });
    }
  }

  #forward(pair, to, direction, chunk) {
    if (!this.#pairs.has(pair)) return;
    const left = this.#left[direction];
    if (chunk.length <= left) {
      this.#left[direction] -= chunk.length;
      to.write(chunk);
      return;
    }
    if (left > 0) to.write(chunk.subarray(0, left));
    this.#cut(direction);
  }

  #cut(direction) {
    const kind = this.#random.one(KINDS);
    this.done.push({ kind, direction, at: this.planned[direction] });
    this.cuts -= 1;
    for (const { near, far } of this.#pairs) {
      if (kind === 'reset') {
        reset(near);
        reset(far);
      } else {
        // What was written before still arrives.
        near.destroySoon();
        if (kind === 'close') far.destroySoon();
        else this.#silent.add(far);
      }
    }
    this.#pairs.clear();
    this.#plan();
  }
}
