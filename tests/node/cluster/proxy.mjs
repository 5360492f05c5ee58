// A TCP proxy between a member of a cluster and Redis, which can cut, stall and slow down its
// connections.

import { once } from 'node:events';
import net from 'node:net';

const DIRECTIONS = ['up', 'down'];

export class Proxy {
  #pairs = new Set();
  #isCut = false;
  // What is not forwarded, `up` to Redis or `down` from it.
  #stalled = new Set();
  // Bytes per second, or undefined.
  #rate;
  #timers = new Set();

  // A proxy for a port, until the test ends.
  static async begin(test, port) {
    const proxy = new Proxy();
    const server = net.createServer({ pauseOnConnect: true }, (near) => proxy.#join(near, port));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy.port = server.address().port;
    proxy.url = `redis://127.0.0.1:${proxy.port}`;
    test.after(() => {
      server.close();
      proxy.cut();
    });
    return proxy;
  }

  get connections() {
    return this.#pairs.size;
  }

  #join(near, port) {
    if (this.#isCut) return near.destroy();
    const far = net.connect(port, '127.0.0.1');
    const pair = { near, far, isHalfOpen: false };
    this.#pairs.add(pair);
    const end = () => {
      // The member is not told.
      if (pair.isHalfOpen) return;
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const [from, to, direction] of [[near, far, 'up'], [far, near, 'down']]) {
      from.on('data', (chunk) => this.#forward(pair, from, to, direction, chunk));
      from.on('error', () => {});
      from.on('close', end);
      to.on('drain', () => this.#flow(from, direction));
      this.#flow(from, direction);
    }
  }

  #forward(pair, from, to, direction, chunk) {
    if (pair.isHalfOpen) return;
    const isFull = !to.write(chunk);
    if (isFull) from.pause();
    if (this.#rate === undefined) return;
    from.pause();
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#flow(from, direction);
    }, (1_000 * chunk.length) / this.#rate);
    this.#timers.add(timer);
  }

  // Reads from a socket, unless its direction is stalled.
  #flow(from, direction) {
    if (this.#stalled.has(direction)) from.pause();
    else from.resume();
  }

  // Closes all connections, and accepts no others until `mend`.
  cut() {
    this.#isCut = true;
    this.reset();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  // Closes all connections. Others may be opened.
  reset() {
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
    this.#pairs.clear();
  }

  // Forwards nothing in these directions. Connections stay open, and fill up.
  stall(...directions) {
    this.#stalled = new Set(directions.length ? directions : DIRECTIONS);
    for (const { near, far } of this.#pairs) {
      this.#flow(near, 'up');
      this.#flow(far, 'down');
    }
  }

  // Closes the connections to Redis. The member is not told, and what it sends is lost.
  halfOpen() {
    for (const pair of this.#pairs) {
      pair.isHalfOpen = true;
      pair.far.destroy();
      pair.near.resume();
    }
  }

  // Forwards so many bytes per second and connection in each direction.
  slow(bytesPerSecond) {
    this.#rate = bytesPerSecond;
  }

  // Ends all faults. What was stalled goes on.
  mend() {
    this.#isCut = false;
    this.#rate = undefined;
    this.#stalled.clear();
    for (const { near, far } of this.#pairs) {
      near.resume();
      far.resume();
    }
  }
}
