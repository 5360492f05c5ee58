// Clients that are cut off resume their sessions at any server of a cluster over Redis Streams, in
// Rust or on Node.js.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createClient } from 'redis';
import { Member } from './member.mjs';
import { Proxy } from './proxy.mjs';
import { Redis, eventually } from './redis.mjs';
import { RoamingClient } from './roaming.mjs';
import { StreamsEmitter } from './streams-emitter.mjs';

const NAMESPACES = ['/', '/custom'];
const RECOVERY = { maxDisconnectionDuration: 60_000 };
const EAGER = { ...RECOVERY, eager: true };

// The settings of servers that are in one cluster.
function settings(redis, recovery = RECOVERY) {
  return { adapter: 'streams', urls: [redis.url], namespaces: NAMESPACES, recovery };
}

// Starts servers until the test ends, and waits until all servers read the stream: those on Node.js
// miss what comes before.
async function cluster(test, languages, redis, shared = settings(redis)) {
  const begun = languages.map((language, i) => Member.begin(test, language, { ...shared, name: `${language} ${i + 1}` }));
  const members = await Promise.all(begun);
  const reading = async () => (await redis.cli('INFO', 'clients')).includes(`blocked_clients:${members.length}`);
  await eventually(reading, 'waiting for all servers to read the stream');
  return members;
}

// Emits `news`, and waits until it is in the stream, so that the next one comes after it.
async function emit(member, selection, ...args) {
  await member.do('emit', { namespace: '/', ...selection }, 'news', ...args);
  await member.do('flushed', {});
}

// What a client in the rooms `red` and `blue` hears of `news`, and what it does not hear.
function selections(id) {
  const heard = [{ to: ['red'] }, { to: ['blue', 'red'] }, {}, { to: [id] }, { except: ['green'] }, { to: ['red', 'green'] }, { to: ['blue'], except: ['green'] }];
  const others = [{ to: ['green'] }, { except: ['red'] }, { to: ['blue'], except: ['red'] }, { except: [id] }, { to: ['left'] }];
  return [...heard.map((selection) => [selection, true]), ...others.map((selection) => [selection, false])];
}

// Connects a client that has joined rooms, has data, and has received an event.
async function begin(test, member, namespace = '/') {
  const client = await RoamingClient.begin(test, member, namespace);
  await client.tell('join', ['red', 'blue', 'left']);
  await member.do('leave', { namespace, to: [client.id] }, ['left']);
  await client.tell('data', { name: 'Ann' });
  assert.equal(client.socket.recovered, false);
  assert.equal((await client.recovery()).recovered, false);
  await emit(member, { namespace, to: ['red'] }, 'first');
  assert.deepEqual(await client.heard('news', 1), ['first']);
  client.forget();
  const { id, token } = client;
  return Object.assign(client, { known: { id, token } });
}

async function isTheSame(client) {
  await client.hasResumed(client.known);
  const { rooms, data } = await client.details();
  assert.deepEqual(rooms, ['blue', 'red', client.id].sort());
  assert.deepEqual(data.value, { name: 'Ann' });
}

describe('servers in Rust and on Node.js', { concurrency: 1 }, () => {
  const languages = ['node', 'rust', 'rust', 'node'];
  const ends = [];
  let redis;
  let members;
  before(async () => {
    const end = { after: (task) => ends.push(task) };
    redis = await Redis.begin(end);
    members = await cluster(end, languages, redis);
  });
  after(async () => {
    for (const task of ends.reverse()) await task();
  });

  for (const namespace of NAMESPACES) {
    for (const [from, to] of [[0, 1], [1, 0], [1, 2], [2, 1], [0, 3]]) {
      const name = (index) => `${languages[index]} ${index + 1}`;
      test(`a client of ${namespace} at ${name(from)} resumes at ${name(to)}, and back`, async (t) => {
        const client = await begin(t, members[from], namespace);
        for (const server of [members[to], members[from]]) {
          await client.cut();
          await client.stored(redis);
          const expected = [];
          for (const issuer of members) {
            for (const [number, [selection, isHeard]] of selections(client.known.id).entries()) {
              const what = `${number} of ${issuer.name}`;
              await emit(issuer, { namespace, ...selection }, what);
              if (isHeard) expected.push(what);
            }
          }
          await client.comeBack(server);
          await isTheSame(client);
          assert.deepEqual(await client.heard('news', expected.length), expected);
          for (const issuer of members) {
            const what = `live from ${issuer.name}`;
            await emit(issuer, { namespace, to: ['red'] }, what);
            expected.push(what);
            // Servers on Node.js deliver their own events before earlier ones of others.
            assert.deepEqual(await client.heard('news', expected.length), expected);
          }
          client.forget();
        }
      });
    }
  }

  test('what clients have missed may be binary or end in text', async (t) => {
    for (const [from, to] of [[0, 1], [1, 0], [1, 2]]) {
      const client = await begin(t, members[from]);
      await client.cut();
      await client.stored(redis);
      const sent = [Buffer.from([0, 1, 254, 255]), { deep: [{ bytes: Buffer.from('ä') }] }, 'ends in text', '1-1'];
      for (const issuer of members.slice(0, 2)) {
        for (const what of sent) await emit(issuer, { to: ['red'] }, what);
      }
      await client.comeBack(members[to]);
      await isTheSame(client);
      const plain = (value) => JSON.parse(JSON.stringify(value, (_, value) => (value?.type === 'Buffer' ? { ...value } : value)));
      assert.deepEqual(plain(await client.heard('news', 8)), plain([...sent, ...sent]));
      client.socket.disconnect();
    }
  });

  // Node's servers take the text for an offset.
  test('volatile events that end in text do not spoil the offset of a client at a server in Rust', async (t) => {
    const client = await begin(t, members[1]);
    for (const issuer of members) {
      await issuer.do('emit', { to: ['red'], volatile: true }, 'hint', 'hello');
      await issuer.do('flushed', {});
    }
    await emit(members[1], { to: ['red'] }, 1);
    await emit(members[0], { to: ['red'], volatile: true }, 'lost or not');
    await client.heard('news', 1);
    await client.heard('hint', members.length);
    await members[1].do('emit', { to: ['red'], volatile: true }, 'hint', 'bye');
    await client.heard('hint', members.length + 1);
    for (const server of [members[2], members[1]]) {
      client.forget();
      await client.cut();
      await client.stored(redis);
      await members[1].do('emit', { to: ['red'], volatile: true }, 'hint', 'missed');
      await emit(members[1], { to: ['red'] }, 2);
      await emit(members[0], { to: ['red'] }, 3);
      await client.comeBack(server);
      await isTheSame(client);
      await emit(members[2], { to: ['red'] }, 4);
      assert.deepEqual(await client.heard('news', 3), [2, 3, 4]);
      assert.deepEqual(await client.heard('hint', 0), []);
    }
  });

  test('a client that received nothing resumes at servers in Rust', async (t) => {
    const client = await RoamingClient.begin(t, members[1], '/custom');
    const known = { id: client.id, token: client.token };
    await client.cut();
    await client.stored(redis);
    await emit(members[0], { namespace: '/custom', to: [known.id] }, 'missed');
    await client.comeBack(members[2]);
    await client.hasResumed(known);
    assert.deepEqual(await client.heard('news', 1), ['missed']);
  });

  test('a session is resumed once, and not after its client has left', async (t) => {
    const client = await begin(t, members[1]);
    await client.cut();
    await client.stored(redis);
    // The one who comes first with the token is the client.
    const first = await RoamingClient.begin(t, members[2]);
    await first.cut();
    Object.assign(first.socket, { _pid: client.token, _lastOffset: client.socket._lastOffset });
    await first.comeBack(members[2]);
    await first.hasResumed(client.known);
    await client.comeBack(members[0]);
    await client.hasBegunAnew(client.known);
    first.socket.disconnect();
    const isGone = async () => (await members[2].do('fetch', { to: [client.known.id] })).length === 0;
    await eventually(isGone, 'waiting for the end of the socket');
    await first.comeBack(members[1]);
    await first.hasBegunAnew(client.known, 'Unknown');
  });
});

test('a client resumes after its server in Rust was killed, if sessions are stored eagerly', async (t) => {
  const redis = await Redis.begin(t);
  const shared = settings(redis, EAGER);
  const members = await cluster(t, ['rust', 'rust', 'node'], redis, shared);
  for (const to of [1, 2]) {
    const killed = await Member.begin(t, 'rust', { ...shared, name: `killed ${to}` });
    const client = await begin(t, killed);
    await client.stored(redis, 'Ann');
    await emit(members[0], { to: ['red'] }, 0);
    await client.heard('news', 1);
    const lost = new Promise((resolve) => client.socket.once('disconnect', resolve));
    await killed.program.stop('SIGKILL');
    await lost;
    for (const [number, issuer] of members.entries()) await emit(issuer, { to: ['blue'] }, number + 1);
    await client.comeBack(members[to]);
    await isTheSame(client);
    await emit(members[1], { to: ['red'] }, 4);
    assert.deepEqual(await client.heard('news', 5), [0, 1, 2, 3, 4]);
    client.socket.disconnect();
  }
});

test('without that, it has a new session', async (t) => {
  const redis = await Redis.begin(t);
  const [killed, other] = await cluster(t, ['rust', 'rust'], redis);
  const client = await begin(t, killed);
  const lost = new Promise((resolve) => client.socket.once('disconnect', resolve));
  await killed.program.stop('SIGKILL');
  await lost;
  await client.comeBack(other);
  await client.hasBegunAnew(client.known, 'Unknown');
});

test('clients resume after all servers were restarted, and get what was emitted meanwhile', async (t) => {
  const redis = await Redis.begin(t);
  const languages = ['rust', 'node', 'rust'];
  const members = await cluster(t, languages, redis);
  const clients = [];
  for (const member of members) clients.push(await begin(t, member));
  const [one, onNode, two] = clients;
  for (const [client, others] of [[one, 2], [onNode, 1]]) await client.heard('news', others);
  // Servers on Node.js store no sessions when they end.
  await onNode.cut();
  await onNode.stored(redis);
  for (const client of clients) client.forget();
  await emit(members[0], { to: ['red'] }, 'before');
  for (const client of [one, two]) await client.heard('news', 1);
  const gone = [one, two].map(({ socket }) => new Promise((resolve) => socket.once('disconnect', resolve)));
  await Promise.all(members.map((member) => member.program.stop('SIGTERM')));
  await Promise.all(gone);
  for (const client of [one, two]) await client.stored(redis);
  const outside = await createClient({ url: redis.url }).connect();
  const emitter = new StreamsEmitter(outside, {});
  emitter.in('red').emit('news', 'without servers');
  await emitter.settled();
  await outside.close();
  const again = await cluster(t, languages, redis);
  for (const [client, server] of [[one, 1], [onNode, 0], [two, 0]]) {
    await client.comeBack(again[server]);
    await isTheSame(client);
  }
  await emit(again[2], { to: ['red'] }, 'after');
  for (const client of clients) assert.deepEqual(await client.heard('news', 3), ['before', 'without servers', 'after']);
});

// Starts a server in Rust whose connections to Redis can be cut, and another one.
async function behindProxy(t, recovery) {
  const redis = await Redis.begin(t);
  const proxy = await Proxy.begin(t, redis.port);
  const shared = settings(redis, recovery);
  const [far] = await cluster(t, ['rust'], redis, shared);
  const near = await Member.begin(t, 'rust', { ...shared, urls: [proxy.url], name: 'near' });
  const tells = (event, after) => near.changes.until((all) => all.slice(after).find(({ text }) => text.startsWith(event)), `waiting for ${event}`);
  let since = 0;
  const cut = async () => {
    since = near.changes.items.length;
    proxy.cut();
    await tells('Disconnected', since);
  };
  const mend = async () => {
    proxy.mend();
    await tells('Connected', since);
  };
  return { redis, near, far, cut, mend };
}

test('a connected client misses nothing while its server has no connection to Redis', async (t) => {
  const { redis, near, far, cut, mend } = await behindProxy(t);
  const client = await begin(t, near);
  await cut();
  for (const number of [1, 2, 3]) await emit(far, { to: ['red'] }, number);
  await mend();
  await emit(far, { to: ['red'] }, 4);
  assert.deepEqual(await client.heard('news', 4), [1, 2, 3, 4]);
  await client.cut();
  await emit(far, { to: ['red'] }, 5);
  await client.stored(redis);
  await client.comeBack(far);
  await isTheSame(client);
  assert.deepEqual(await client.heard('news', 5), [1, 2, 3, 4, 5]);
});

test('a client that comes back while Redis is away has a new session', async (t) => {
  const { redis, near, cut, mend } = await behindProxy(t);
  const client = await begin(t, near);
  await client.cut();
  await client.stored(redis);
  await cut();
  await client.comeBack(near);
  await client.hasBegunAnew(client.known, 'Unavailable');
  await mend();
});

test('a client that is cut off while Redis is away resumes elsewhere, if its session was stored', async (t) => {
  const { redis, near, far, cut, mend } = await behindProxy(t, EAGER);
  const client = await begin(t, near);
  await client.stored(redis, 'Ann');
  await cut();
  await emit(far, { to: ['red'] }, 1);
  await client.cut();
  await client.comeBack(far);
  await isTheSame(client);
  await mend();
  await emit(near, { to: ['red'] }, 2);
  assert.deepEqual(await client.heard('news', 2), [1, 2]);
});

test('what a server emits while Redis is away is in no log, and clients are told so', async (t) => {
  const { redis, near, far, cut, mend } = await behindProxy(t);
  const client = await begin(t, near);
  await cut();
  await near.do('emit', { to: ['red'] }, 'news', 1);
  assert.deepEqual(await client.heard('news', 1), [1]);
  await mend();
  await client.cut();
  await client.stored(redis);
  await client.comeBack(far);
  await client.hasBegunAnew(client.known, 'Trimmed');
});

for (const eager of [false, true]) {
  test(`a Redis that has lost its data: clients are told${eager ? ', also if sessions are stored eagerly' : ''}`, async (t) => {
    const redis = await Redis.begin(t);
    const members = await cluster(t, ['rust', 'rust'], redis, settings(redis, { ...RECOVERY, eager }));
    const client = await begin(t, members[0]);
    const [idle] = [await begin(t, members[1])];
    await client.heard('news', 1);
    await client.cut();
    await client.stored(redis);
    const known = members.map(({ changes }) => changes.items.length);
    await redis.kill();
    await redis.start();
    for (const [i, { changes }] of members.entries()) {
      await changes.until((all) => all.slice(known[i]).find(({ text }) => text.startsWith('Connected')), 'waiting for Redis');
    }
    await client.comeBack(members[1]);
    await client.hasBegunAnew(client.known, 'Unknown');
    // The one that was connected all the time may have missed what the old Redis had. It is told.
    await idle.cut();
    await idle.comeBack(members[0]);
    await idle.hasBegunAnew(idle.known, 'Unknown');
  });
}

test('a Redis that stands still for a while: nothing is missed', async (t) => {
  const redis = await Redis.begin(t);
  const members = await cluster(t, ['rust', 'rust'], redis);
  const client = await begin(t, members[0]);
  await client.cut();
  await client.stored(redis);
  await emit(members[1], { to: ['red'] }, 1);
  redis.pause();
  t.after(() => redis.resume());
  await members[1].do('emit', { to: ['red'] }, 'news', 2);
  const back = client.comeBack(members[1]);
  // The server has the request of the client, and Redis has not answered.
  await new Promise((resolve) => client.socket.io.engine.once('open', resolve));
  redis.resume();
  await back;
  await isTheSame(client);
  await emit(members[0], { to: ['red'] }, 3);
  assert.deepEqual(await client.heard('news', 3), [1, 2, 3]);
});
