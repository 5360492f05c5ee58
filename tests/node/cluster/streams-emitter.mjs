// A program that adds entries to the stream of a cluster and is no server, in the form of
// `@socket.io/redis-streams-emitter`, which is not on npm.

import { encode } from '@msgpack/msgpack';

const TYPES = { broadcast: 3, join: 4, leave: 5, disconnect: 6, serverEmit: 9 };

function hasBinary(value) {
  if (!value || typeof value !== 'object') return false;
  return ArrayBuffer.isView(value) || Object.values(value).some(hasBinary);
}

export class StreamsEmitter {
  #opts = { rooms: [], flags: {}, except: [] };
  #sent = [];

  // `client` is one of the package `redis`.
  constructor(client, { stream = 'socket.io', namespace = '/' }) {
    Object.assign(this, { client, stream, namespace });
  }

  #with(opts) {
    const other = new StreamsEmitter(this.client, this);
    other.#opts = { ...this.#opts, ...opts };
    other.#sent = this.#sent;
    return other;
  }

  in(rooms) {
    return this.#with({ rooms: this.#opts.rooms.concat(rooms) });
  }

  to(rooms) {
    return this.in(rooms);
  }

  except(rooms) {
    return this.#with({ except: this.#opts.except.concat(rooms) });
  }

  compress(compress) {
    return this.#with({ flags: { ...this.#opts.flags, compress } });
  }

  get volatile() {
    return this.#with({ flags: { ...this.#opts.flags, volatile: true } });
  }

  #add(type, data) {
    const text = hasBinary(data) ? Buffer.from(encode(data)).toString('base64') : JSON.stringify(data);
    const fields = ['uid', 'emitter', 'nsp', this.namespace, 'type', String(type), 'data', text];
    this.#sent.push(this.client.sendCommand(['XADD', this.stream, 'MAXLEN', '~', '10000', '*', ...fields]));
  }

  emit(...data) {
    this.#add(TYPES.broadcast, { packet: { type: 2, data, nsp: this.namespace }, opts: this.#opts });
  }

  get #selection() {
    return { ...this.#opts, flags: {} };
  }

  socketsJoin(rooms) {
    this.#add(TYPES.join, { opts: this.#selection, rooms: [rooms].flat() });
  }

  socketsLeave(rooms) {
    this.#add(TYPES.leave, { opts: this.#selection, rooms: [rooms].flat() });
  }

  disconnectSockets(close = false) {
    this.#add(TYPES.disconnect, { opts: this.#selection, close });
  }

  serverSideEmit(...packet) {
    this.#add(TYPES.serverEmit, { packet });
  }

  // Waits until all entries are added.
  async settled() {
    await Promise.all(this.#sent.splice(0));
  }
}
