// The members of a cluster and their clients, for scenarios.

import assert from 'node:assert/strict';
import { eventually } from './redis.mjs';

let last = 0;

// The members of a cluster and their clients in one namespace. Every member has two Socket.IO
// clients, `one` and `two`. A member in Rust also has the client `plain`, which joins the rooms
// of `one`.
export class Stage {
  static async begin(test, members, namespace) {
    const stage = new Stage();
    Object.assign(stage, { members, namespace, clients: [] });
    await Promise.all(
      members.map(async (member) => {
        const [one, two] = await Promise.all([member.client(test, namespace), member.client(test, namespace)]);
        stage.clients.push(Object.assign(one, { role: 0 }), Object.assign(two, { role: 1 }));
        if (member.language === 'rust') stage.clients.push(Object.assign(await member.plain(test, namespace), { role: 0 }));
      }),
    );
    return stage;
  }

  // The same stage for a scenario of its own, issued at this member.
  at(issuer, test) {
    const stage = Object.assign(new Stage(), this, { issuer, test });
    const prefix = `${(last += 1)} `;
    stage.room = (name) => prefix + name;
    stage.forget();
    return stage;
  }

  get others() {
    return this.members.filter((member) => member !== this.issuer);
  }

  get socketClients() {
    return this.clients.filter(({ socket }) => socket);
  }

  do(verb, selection, ...args) {
    return this.issuer.do(verb, { namespace: this.namespace, ...selection }, ...args);
  }

  emit(selection, ...event) {
    return this.do('emit', selection, ...event);
  }

  // Lets clients join rooms at their own members.
  async enter(clients, rooms) {
    await Promise.all(clients.map(({ member, id }) => member.do('join', { namespace: this.namespace, to: [id], local: true }, rooms)));
    await this.settle();
  }

  // Lets all clients join the rooms of their roles.
  async join(...rooms) {
    await Promise.all(rooms.map((names, role) => this.enter(this.clients.filter((client) => client.role === role), names)));
  }

  // Waits until these clients and no others are in a room, at all members.
  async gathered(room, clients) {
    const ids = (sockets) => sockets.map(({ id }) => id).sort().join();
    for (const member of this.members) {
      const expected = ids(clients.filter((client) => client.member === member));
      const found = () => member.do('fetch', { namespace: this.namespace, to: [room], local: true });
      await eventually(async () => ids(await found()) === expected, `the members of ${room} at ${member.name}`);
    }
    await this.settle();
  }

  // Waits until what the members published and subscribed to is in effect.
  async settle() {
    await Promise.all(this.members.map((member) => member.do('flushed', {})));
  }

  // Connects further clients, one at each member.
  async extras(namespace = this.namespace, options) {
    return Promise.all(this.members.map((member) => member.client(this.test, namespace, options)));
  }

  forget() {
    for (const { events } of this.clients) events.items.length = 0;
  }

  #heard(client, event) {
    return client.events.items.filter(([name]) => name === event);
  }

  // Waits until all clients have received what was emitted so far.
  async drain() {
    const marker = (last += 1);
    await this.emit({}, 'marker', marker);
    const marked = ([name, number]) => name === 'marker' && number === marker;
    await Promise.all(this.clients.map(({ events, name }) => events.until((all) => all.find(marked), `${name} waits for the marker`)));
  }

  // Checks the first arguments of the events `news` that clients have received since the last
  // call: those expected for their role, or by a function.
  async hears(...expected) {
    const find = typeof expected[0] === 'function' ? expected[0] : ({ role }) => expected[role];
    const wanted = new Map(this.clients.map((client) => [client, [...(find(client) ?? [])].sort()]));
    await Promise.all([...wanted].map(([client, { length }]) => this.news(client, length)));
    await this.drain();
    for (const [client, events] of wanted) {
      assert.deepEqual(this.#heard(client, 'news').map(([, what]) => what).sort(), events, client.name);
    }
    this.forget();
  }

  // The events of one name that a client receives, as soon as there are so many.
  async news(client, count, event = 'news') {
    const isEnough = () => this.#heard(client, event).length >= count || undefined;
    await client.events.until(isEnough, `${client.name} waits for ${count} of ${event}`);
    return this.#heard(client, event);
  }
}
