// The page's connections to the server: envelopes over a plain WebSocket, or Socket.IO.

function address(path) {
  const url = new URL(path, location.href);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  // The page connects only to its own server.
  url.host = location.host;
  return url;
}

// A connection to one namespace. `on` has the callbacks `open`, `closed`, and `event`, which takes
// the name, the arguments and a function that sends the answer.
class Connection {
  #answers = new Map();
  #lastId = 0;

  constructor(url, on) {
    this.on = on;
    this.socket = new WebSocket(url);
    this.socket.binaryType = 'arraybuffer';
    this.socket.onmessage = ({ data }) => this.receive(data);
    this.socket.onclose = ({ code, reason }) => on.closed(reason || `closed (${code})`);
  }

  // Sends an event. Calls `answered` with the arguments of the answer.
  emit(name, args, answered) {
    const id = ++this.#lastId;
    this.#answers.set(id, answered);
    this.send(name, args, id);
  }

  answered(id, args) {
    this.#answers.get(id)?.(args);
    this.#answers.delete(id);
  }

  close() {
    this.socket.close();
  }
}

// Envelopes over a plain WebSocket.
export class Plain extends Connection {
  constructor(options, on) {
    super(address(options.path), on);
    this.socket.onopen = () => on.open('');
  }

  send(event, args, id) {
    this.socket.send(JSON.stringify({ event, ...Plain.#data(args), id }));
  }

  static #data = (args) => (args.length === 1 ? { data: args[0] } : { args });

  receive(data) {
    const { event, id, ...rest } = Plain.#envelope(data);
    const args = rest.args ?? ('data' in rest ? [rest.data] : []);
    if (typeof event === 'string') {
      const answer = id === undefined ? undefined : (args) => this.socket.send(JSON.stringify({ id, ...Plain.#data(args) }));
      this.on.event(event, args, answer);
    } else if (id !== undefined) {
      this.answered(id, 'error' in rest ? [{ error: rest.error }] : args);
    } else {
      this.on.event('message', [data]);
    }
  }

  static #envelope(data) {
    try {
      const envelope = JSON.parse(data);
      if (typeof envelope === 'object' && envelope !== null && !Array.isArray(envelope)) return envelope;
    } catch {
      // The message is not an envelope.
    }
    return {};
  }
}

// Socket.IO 5 over Engine.IO 4, without polling.
export class SocketIo extends Connection {
  #prefix;
  #namespace;
  #auth;
  #waiting;

  constructor({ path, namespace, auth }, on) {
    const url = address(path);
    url.searchParams.set('EIO', '4');
    url.searchParams.set('transport', 'websocket');
    super(url, on);
    this.#namespace = namespace;
    this.#prefix = namespace === '/' ? '' : `${namespace},`;
    this.#auth = auth;
  }

  send(name, args, id) {
    this.socket.send(`42${this.#prefix}${id}${JSON.stringify([name, ...args])}`);
  }

  receive(data) {
    if (typeof data !== 'string') return this.#attachment(data);
    if (data[0] === '0') this.socket.send(`40${this.#prefix}${this.#auth}`);
    else if (data[0] === '2') this.socket.send(`3${data.slice(1)}`);
    else if (data[0] === '4') this.#packet(data.slice(1));
  }

  #packet(text) {
    const [, type, count, namespace = '/', id, json] = /^(\d)(?:(\d+)-)?(?:(\/[^,]*),)?(\d+)?(.*)$/s.exec(text) ?? [];
    if (namespace !== this.#namespace) return;
    const packet = { type, id: id && Number(id), content: json ? JSON.parse(json) : undefined, attachments: [] };
    if (Number(count) > 0) this.#waiting = { packet, count: Number(count) };
    else this.#arrived(packet);
  }

  #attachment(data) {
    if (!this.#waiting) return;
    const { packet, count } = this.#waiting;
    packet.attachments.push(data);
    if (packet.attachments.length < count) return;
    this.#waiting = undefined;
    packet.content = SocketIo.#filled(packet.content, packet.attachments);
    this.#arrived(packet);
  }

  // Replaces placeholders with base64 strings, because the page shows values as JSON.
  static #filled(value, attachments) {
    if (Array.isArray(value)) return value.map((item) => SocketIo.#filled(item, attachments));
    if (typeof value !== 'object' || value === null) return value;
    if (value._placeholder) {
      const bytes = new Uint8Array(attachments[value.num] ?? []);
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
    }
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, SocketIo.#filled(item, attachments)]));
  }

  #arrived({ type, id, content }) {
    switch (type) {
      case '0':
        return this.on.open(content?.sid ?? '');
      case '1':
        this.close();
        return this.on.closed('disconnected by the server');
      case '2':
      case '5': {
        const [name, ...args] = content;
        const answer = (args) => this.socket.send(`43${this.#prefix}${id}${JSON.stringify(args)}`);
        return this.on.event(name, args, id === undefined ? undefined : answer);
      }
      case '3':
      case '6':
        return this.answered(id, content);
      case '4':
        this.close();
        return this.on.closed(`refused: ${content?.message ?? ''} ${content?.data ? JSON.stringify(content.data) : ''}`);
    }
  }
}
