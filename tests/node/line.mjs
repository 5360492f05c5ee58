// A TCP proxy between clients and a server, which can cut, restore, pause or silence its
// connections.

import { EventEmitter, once } from 'node:events';
import net from 'node:net';

export class Line {
  #pairs = new Set();
  #silent = false;
  #paused = new Set();
  #broken = false;
  #refused;
  #asked = new EventEmitter();

  // A proxy for a port, until the test ends. Connections whose first bytes match `refused` are cut.
  static async begin(test, port, refused) {
    const line = new Line();
    line.#refused = refused;
    const server = net.createServer((near) => line.#join(near, port));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    line.port = server.address().port;
    line.http = `http://127.0.0.1:${line.port}`;
    test.after(() => {
      server.close();
      line.cut();
    });
    return line;
  }

  #join(near, port) {
    if (this.#broken) return near.destroy();
    const far = net.connect(port, '127.0.0.1');
    const pair = [near, far];
    this.#pairs.add(pair);
    far.on('data', () => (pair.polls = false));
    const end = () => {
      this.#pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    // What a closed connection has sent is still forwarded.
    const close = (to) => {
      pair.polls = false;
      pair.isClosing = true;
      if (to.destroyed) this.#pairs.delete(pair);
      else to.destroySoon();
    };
    let first = true;
    for (const [from, to] of [pair, [far, near]]) {
      from.on('data', (chunk) => {
        if (first && this.#refused?.test(chunk.toString('latin1'))) return end();
        if (first) {
          pair.transport = transport(chunk);
          if (this.#paused.has(pair.transport)) far.pause();
        }
        first = false;
        if (!this.#silent) to.write(chunk, () => to === far && this.#passed(pair, chunk));
      });
      // While the proxy is silent, it does not forward the ends of connections either.
      from.on('close', () => this.#silent || close(to));
      from.on('error', () => {});
    }
  }

  // Records that a request has been forwarded to the server.
  #passed(pair, chunk) {
    pair.polls = !pair.isClosing && chunk.toString('latin1').startsWith('GET ');
    if (pair.polls) this.#asked.emit('poll');
  }

  // Waits until the server has a pending poll.
  async polled() {
    if (![...this.#pairs].some(({ polls }) => polls)) await once(this.#asked, 'poll');
  }

  // Cuts all connections without a close of either protocol, and accepts no others.
  cut() {
    this.#broken = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    this.#pairs.clear();
  }

  mend() {
    this.#broken = false;
  }

  // Takes nothing from the server on connections of these transports, open and new ones. The server
  // can send no more once the kernel's buffers are full.
  pause(...transports) {
    for (const transport of transports) this.#paused.add(transport);
    for (const pair of this.#pairs) if (this.#paused.has(pair.transport)) pair[1].pause();
  }

  // Without transports, on all connections.
  resume(...transports) {
    for (const transport of transports.length ? transports : [...this.#paused]) this.#paused.delete(transport);
    for (const pair of this.#pairs) if (!this.#paused.has(pair.transport)) pair[1].resume();
  }

  // Drops all data from now on, in both directions.
  silence() {
    this.#silent = true;
  }
}

// The Engine.IO transport of a connection that begins with this request.
function transport(request) {
  return /^GET \S*transport=websocket/.test(request.toString('latin1')) ? 'websocket' : 'polling';
}
