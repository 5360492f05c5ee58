// A line between clients and a server that can be cut and mended, or fall silent.

import { EventEmitter, once } from 'node:events';
import net from 'node:net';

export class Line {
  #pairs = new Set();
  #silent = false;
  #broken = false;
  #refused;
  #asked = new EventEmitter();

  // A line to a port, for as long as a test lasts. Connections whose first bytes match `refused` are cut at once.
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
    let first = true;
    for (const [from, to] of [pair, [far, near]]) {
      from.on('data', (chunk) => {
        if (first && this.#refused?.test(chunk.toString('latin1'))) return end();
        first = false;
        if (!this.#silent) to.write(chunk, () => to === far && this.#passed(pair, chunk));
      });
      // What is lost while the line is silent includes the ends of connections.
      from.on('close', () => this.#silent || end());
      from.on('error', () => {});
    }
  }

  // A request has gone to the server.
  #passed(pair, chunk) {
    pair.polls = chunk.toString('latin1').startsWith('GET ');
    if (pair.polls) this.#asked.emit('poll');
  }

  // Waits until the server has a poll to answer.
  async polled() {
    if (![...this.#pairs].some(({ polls }) => polls)) await once(this.#asked, 'poll');
  }

  // Ends all connections, without a word of either protocol, and takes no others.
  cut() {
    this.#broken = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    this.#pairs.clear();
  }

  mend() {
    this.#broken = false;
  }

  // From now on nothing arrives, in either direction.
  silence() {
    this.#silent = true;
  }
}
