// What a server in Rust asks all servers of a cluster, and what servers on Node.js answer: with the
// listeners of the guide, and without them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { take } from '../guide/markdown.mjs';
import { Member } from './member.mjs';
import { Postgres, createTable } from './postgres.mjs';
import { Redis, eventually } from './redis.mjs';

const LISTENERS = [
  take('authentication.md', 'js', 'socketio:disconnect_where'),
  take('operations.md', 'js', 'socketio:stats'),
];
const KNOWN = ['redis', 'sharded', 'streams', 'postgres'];
const ADAPTERS = process.env.ADAPTERS?.split(',') ?? KNOWN;

// Ends what a test began, the last first: members end before the server that they use.
function ending(t) {
  const ends = [];
  t.after(async () => {
    for (const end of ends.reverse()) await end();
  });
  return { after: (end) => ends.push(end) };
}

// Starts members, and waits until they know each other.
async function begin(test, adapter, members) {
  const t = ending(test);
  const isPostgres = adapter === 'postgres';
  const { url } = await (isPostgres ? Postgres : Redis).begin(t);
  if (isPostgres) await createTable([url]);
  const settings = { adapter, urls: [url], namespaces: ['/'], patience: 5_000 };
  const begun = members.map(([language, listeners = []], i) => Member.begin(t, language, { ...settings, listeners, name: `${language} ${i + 1}` }));
  const all = await Promise.all(begun);
  for (const member of all) {
    await eventually(async () => (await member.do('servers', {})) === all.length, `${member.name} to know the others`);
  }
  return all;
}

// Connects a client of each member for each of these users.
async function connect(t, members, ...users) {
  const clients = members.flatMap((member) => users.map(async (user) => {
    const client = await member.client(t);
    await client.tell('data', user);
    return Object.assign(client, { user });
  }));
  return Promise.all(clients);
}

// Checks that a client is connected: its server answers.
const isHere = (client) => client.tell('data', client.user);

const TAUGHT = [['rust'], ['rust'], ['node', LISTENERS]];
const MIXED = [...TAUGHT, ['node']];

for (const adapter of ADAPTERS.filter((adapter) => KNOWN.includes(adapter))) {
  describe(adapter, { concurrency: 1 }, () => {
    test('sockets are disconnected by an attribute on servers with the listener', async (t) => {
      const members = await begin(t, adapter, TAUGHT);
      const clients = await connect(t, members, 42, '42', 7);
      assert.deepEqual(await members[0].do('disconnectWhere', {}, ['value', 42]), { sockets: 3, sessions: 0, silent: 0 });
      for (const client of clients) {
        if (client.user === 42) assert.equal(await client.ended(), 'io server disconnect', client.name);
        else await isHere(client);
      }
      assert.deepEqual(await members[1].do('disconnectWhere', {}, ['value', 42]), { sockets: 0, sessions: 0, silent: 0 });
      assert.deepEqual(await members[1].do('disconnectWhere', {}, ['value', '42']), { sockets: 3, sessions: 0, silent: 0 });
    });

    test('a server without the listener is silent, and its sockets stay', async (t) => {
      const members = await begin(t, adapter, MIXED);
      const clients = await connect(t, members, 42, 7);
      assert.deepEqual(await members[0].do('disconnectWhere', {}, ['value', 42]), { sockets: 3, sessions: 0, silent: 1 });
      for (const client of clients) {
        if (client.user === 42 && client.member !== members[3]) assert.equal(await client.ended(), 'io server disconnect', client.name);
        else await isHere(client);
      }
    });

    test('the sockets and rooms of servers with the listener are counted', async (t) => {
      const members = await begin(t, adapter, MIXED);
      const clients = await connect(t, members, 1, 2);
      for (const client of clients) await client.tell('join', ['lobby', `room of ${client.member.name}`]);
      const each = { sockets: 2, connecting: 0, rooms: 2 };
      const expected = { total: { sockets: 6, connecting: 0, rooms: 6 }, here: each, others: [each, each], silent: 1 };
      for (const member of members.slice(0, 2)) assert.deepEqual(await member.do('fetchStats', {}), expected, member.name);
    });

    test('rooms are listed page by page, those of all servers on Node.js too', async (t) => {
      const members = await begin(t, adapter, MIXED);
      const clients = await connect(t, members, 1, 2);
      const rooms = ['lobby'];
      for (const client of clients) {
        rooms.push(client.id, `room ${client.id}`);
        await client.tell('join', ['lobby', `room ${client.id}`]);
      }
      for (const limit of [1, 4, 1_000]) {
        const { pages, silent } = await members[0].do('roomPages', {}, limit);
        assert.equal(silent, 0);
        assert.deepEqual(pages.flat(), [...rooms].sort());
        assert.ok(pages.every((page, i) => page.length === limit || i === pages.length - 1), `pages of ${limit}`);
      }
    });
  });
}
