// Two servers in Rust that emit to each other's clients without a pause, while a test breaks what
// is between them.

import assert from 'node:assert/strict';
import { within } from '../lib.mjs';
import { Member } from './member.mjs';
import { eventually } from './redis.mjs';

// How long the servers may need until they notice a fault, or work again, in milliseconds.
const PATIENCE = 20_000;

const seconds = (time) => (time === undefined ? undefined : `${(time / 1_000).toFixed(2)} s`);

// What the tests saw, printed at the end.
export class Table {
  #rows = [];

  // A row that is filled when its test has passed.
  row() {
    const row = [];
    this.#rows.push(row);
    return row;
  }

  toString() {
    const heads = ['fault', 'engine', 'noticed after', 'longest silence', 'works again after', 'health up after', 'emitted', 'lost', 'counted'];
    const rows = [heads, heads.map(() => '---'), ...this.#rows.filter(({ length }) => length)];
    const widths = heads.map((_, i) => Math.max(...rows.map((row) => String(row[i] ?? '').length)));
    return rows.map((row) => `| ${widths.map((width, i) => String(row[i] ?? '').padEnd(width)).join(' | ')} |`).join('\n');
  }
}

// The numbers that one client heard from one server.
class Stream {
  numbers = [];
  // When the last one came, and the longest time between two since `watch`.
  last = performance.now();
  silence = { length: 0, end: 0 };

  push(number) {
    const now = performance.now();
    const length = now - this.last;
    if (length > this.silence.length) this.silence = { length, end: now };
    this.last = now;
    this.numbers.push(number);
  }

  watch() {
    this.silence = { length: 0, end: performance.now() };
  }
}

export class Scene {
  // Starts the servers `one` and `two`. `settings` are those of both, or a list.
  static async begin(test, settings) {
    const scene = new Scene();
    const each = Array.isArray(settings) ? settings : [settings, settings];
    scene.test = test;
    scene.settings = each.map((own, i) => ({ namespaces: ['/'], ...own, name: ['one', 'two'][i] }));
    scene.members = await Promise.all(scene.settings.map((own) => Member.begin(test, 'rust', own)));
    scene.clients = await Promise.all(scene.members.map((member) => scene.#client(member)));
    await scene.start();
    return scene;
  }

  async #client(member) {
    const client = await member.client(this.test);
    const streams = { one: new Stream(), two: new Stream() };
    // It does not keep them all.
    client.socket.offAny();
    client.socket.on('tick', (name, number) => streams[name].push(number));
    client.socket.on('question', (...args) => args.pop()({ from: member.name, args }));
    return Object.assign(client, { streams });
  }

  get one() {
    return this.members[0];
  }

  get two() {
    return this.members[1];
  }

  // Each server emits an event to everyone every few milliseconds.
  async start(pause = 5, bytes = 0) {
    this.bytes = bytes;
    await Promise.all(this.members.map((member) => member.do('start', {}, [pause, bytes])));
    await Promise.all(this.#crossings().map(({ stream, name }) => eventually(() => stream.numbers.length > 3, `events at ${name}`)));
  }

  // What each client hears from the other server.
  #crossings() {
    const [one, two] = this.clients;
    return [
      { stream: one.streams.two, from: this.two, to: this.one, name: one.name },
      { stream: two.streams.one, from: this.one, to: this.two, name: two.name },
    ];
  }

  // The fault begins.
  break() {
    this.broken = performance.now();
    this.repaired = this.broken;
    for (const { stream } of this.#crossings()) stream.watch();
  }

  // The cause has been removed.
  repair() {
    this.repaired = performance.now();
  }

  // Waits until a server reports something about its cluster, such as `Disconnected`.
  async notices(pattern, member = this.one) {
    const find = (all) => all.find(({ text, at }) => at >= this.broken && pattern.test(text));
    const { at } = await member.changes.until(find, `${member.name} waits for ${pattern}`);
    this.noticed ??= at - this.broken;
  }

  async health(member = this.one) {
    return (await member.do('health', {})).state;
  }

  // Waits until the server says that it does not reach the others.
  async degrades(member = this.one) {
    await eventually(async () => (await this.health(member)) === 'degraded', `${member.name} to be degraded`, PATIENCE);
    this.noticed ??= performance.now() - this.broken;
  }

  // Waits until messages cross in both directions, and both servers say so.
  async recovers() {
    await Promise.all(
      this.#crossings().map(async ({ stream, from, name }) => {
        const number = await from.do('burst', {}, [1, 0]);
        await eventually(() => stream.numbers.at(-1) >= number, `${name} to hear ${from.name} again`, PATIENCE);
      }),
    );
    const silences = this.#crossings().map(({ stream }) => stream.silence);
    this.silence = Math.max(...silences.map(({ length }) => length));
    this.recovered = Math.max(0, ...silences.map(({ end }) => end - this.repaired));
    for (const member of this.members) await eventually(async () => (await this.health(member)) === 'up', `${member.name} to be up`, PATIENCE);
    this.healthy = performance.now() - this.repaired;
  }

  // Ends the events, and checks that each of them was delivered once or counted as lost. So many
  // probes may be counted with them.
  async accounts(probes = 0) {
    await Promise.all(this.members.map((member) => member.do('stop', {})));
    let emitted = 0;
    let lost = 0;
    let counted = 0;
    for (const { stream, from, to, name } of this.#crossings()) {
      // The next number shows the receiver that those before it are lost.
      let last;
      await eventually(async () => {
        last = await from.do('burst', {}, [1, 0]);
        await from.do('flushed', {});
        return eventually(() => stream.numbers.at(-1) === last, `${name} to hear the last event`, 1_000, 5).catch(() => false);
      }, `${name} to hear the last event`, PATIENCE);
      const { numbers } = stream;
      assert.equal(numbers[0], 1, `${name}: the first event`);
      const wrong = numbers.findIndex((number, i) => i > 0 && numbers[i - 1] >= number);
      assert.equal(wrong, -1, `${name}: events in their order and none twice, not ${numbers.slice(wrong - 2, wrong + 2)}`);
      const [sender, receiver] = [await from.do('stats', {}), await to.do('stats', {})];
      const missing = last - numbers.length;
      const isStream = this.settings[0].adapter === 'streams';
      const losses = sender.dropped + (isStream ? sender.unpublished : receiver.missed);
      const counters = `${name}: lost events that are counted. ${JSON.stringify({ missing, sender, receiver })}`;
      if (isStream) {
        // What failed to be published may have been. Redis may lose entries, which is reported.
        const isTrimmed = to.changes.items.some(({ text }) => text.includes('Trimmed'));
        assert.ok(missing <= losses || (isTrimmed && this.mayLoseEntries), counters);
      } else {
        // If the queue is full, probes are dropped too.
        assert.ok(missing <= losses && losses <= missing + Math.min(sender.dropped, probes), counters);
      }
      assert.equal(sender.queued, sender.published + sender.unpublished, counters);
      [emitted, lost, counted] = [emitted + last, lost + missing, counted + losses];
    }
    this.emitted = emitted;
    this.lost = lost;
    this.counted = counted;
    await this.connected();
  }

  // Checks that clients have stayed connected, and have heard all events of their own servers.
  async connected() {
    for (const [i, client] of this.clients.entries()) {
      assert.ok(client.socket.connected, `${client.name} is connected`);
      assert.deepEqual(client.gone.items, [], client.name);
      const { numbers } = client.streams[this.members[i].name];
      const emitted = await this.members[i].do('stop', {});
      await eventually(() => numbers.length >= emitted, `${client.name} to hear its own server`);
      assert.deepEqual([numbers.length, numbers[0], numbers.at(-1)], [emitted, 1, emitted], client.name);
    }
  }

  row(fault) {
    const { noticed, silence, recovered, healthy, emitted, lost, counted } = this;
    return [fault, this.settings[0].adapter, seconds(noticed), seconds(silence), seconds(recovered), seconds(healthy), emitted, lost, counted];
  }
}
