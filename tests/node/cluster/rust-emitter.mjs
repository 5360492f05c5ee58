// An emitter in Rust, in the form of that of `@socket.io/redis-emitter`. A member in Rust has it in
// its process, with a connection of its own.

export class RustEmitter {
  #selection = {};
  #sent = [];

  constructor(member, namespace) {
    Object.assign(this, { member, namespace });
  }

  #with(selection) {
    const other = new RustEmitter(this.member, this.namespace);
    other.#selection = { ...this.#selection, ...selection };
    other.#sent = this.#sent;
    return other;
  }

  to(rooms) {
    return this.#with({ to: [this.#selection.to ?? [], rooms].flat() });
  }

  in(rooms) {
    return this.to(rooms);
  }

  except(rooms) {
    return this.#with({ except: [this.#selection.except ?? [], rooms].flat() });
  }

  // Servers decide whether they compress.
  compress() {
    return this;
  }

  get volatile() {
    return this.#with({ volatile: true });
  }

  #do(verb, ...args) {
    this.#sent.push(this.member.do(`emitter ${verb}`, { namespace: this.namespace, ...this.#selection }, ...args));
  }

  emit(...event) {
    this.#do('emit', ...event);
  }

  socketsJoin(rooms) {
    this.#do('join', [rooms].flat());
  }

  socketsLeave(rooms) {
    this.#do('leave', [rooms].flat());
  }

  disconnectSockets(close = false) {
    this.#do('disconnect', close);
  }

  serverSideEmit(...event) {
    this.#do('serverEmit', ...event);
  }

  // Waits until all is published.
  async settled() {
    await Promise.all(this.#sent.splice(0));
  }
}
