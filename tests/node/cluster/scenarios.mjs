// What members of a cluster do for each other. Each scenario is issued at one member and observed
// at all members.

import assert from 'node:assert/strict';
import { LIMIT, within } from '../lib.mjs';
import { eventually } from './redis.mjs';

const LARGE = [Buffer.alloc(70_000, 7), 'x'.repeat(70_000), Array.from({ length: 70_000 }, (_, i) => i)];
const BINARY = { list: [{ deep: { bytes: Buffer.from([0, 1, 0xff]), empty: Buffer.alloc(0) } }, null], text: 'ü 🎉 \u0000 "\\' };
const VALUES = [
  ...[0, -1, 127, 128, -129, 65_536, 2 ** 31, -(2 ** 31) - 1, 2 ** 52, 0.1, -1e-7],
  ...['', 'x'.repeat(300), true, false, null, [], {}, [[[[]]]], { a: { b: { c: [1, { d: null }] } } }],
];

const sorted = (list) => [...list].sort();
const byName = (answers) => sorted(answers.map(({ from }) => from));

// What Socket.IO clients received for the token of a binary event.
async function receivesBytes(stage, clients, ...args) {
  for (const client of clients.filter(({ socket }) => socket)) {
    const [event] = await stage.news(client, 1);
    assert.deepEqual(event.slice(2), args, client.name);
  }
}

// Asks with longer and longer timeouts until so many have answered, for machines that are busy.
async function patiently(ask, count) {
  let told;
  for (const timeout of [300, 1_500, 6_000]) {
    told = await ask(timeout);
    if (told.answers.length >= count) break;
  }
  return told;
}

export const SCENARIOS = {
  async 'an emit without rooms reaches everyone once'(stage) {
    await stage.emit({}, 'news', 'a');
    await stage.emit({}, 'news', 'b', 2, { three: 3 });
    await stage.hears(['a', 'b'], ['a', 'b']);
  },

  async 'an emit to a room reaches its members'(stage) {
    const room = stage.room('a');
    await stage.join([room], []);
    await stage.emit({ to: [room] }, 'news', 'a');
    await stage.emit({ to: [stage.room('nobody')] }, 'news', 'b');
    await stage.hears(['a'], []);
  },

  async 'an emit to several rooms reaches each socket once'(stage) {
    const [a, b, c] = ['a', 'b', 'c'].map(stage.room);
    await stage.join([a, b], [b, c]);
    await stage.emit({ to: [a, b] }, 'news', 'a or b');
    await stage.emit({ to: [a, c] }, 'news', 'a or c');
    await stage.emit({ to: [a, stage.room('nobody')] }, 'news', 'a or nobody');
    await stage.hears(['a or b', 'a or c', 'a or nobody'], ['a or b', 'a or c']);
  },

  async 'names of rooms may have any characters'(stage) {
    const rooms = ['#', 'a#b', '*', '[x]', '?', 'ü 🎉', 'a b', '{slot}', 'exactly 20 character'].map(stage.room);
    rooms.push('x'.repeat(20 - stage.room('').length) + stage.room(''));
    await stage.join(rooms, []);
    for (const room of rooms) await stage.emit({ to: [room] }, 'news', room);
    await stage.hears(rooms, []);
  },

  async 'rooms and single sockets can be excluded'(stage) {
    const [a, b] = ['a', 'b'].map(stage.room);
    await stage.join([a], [a, b]);
    const excluded = stage.clients.find(({ member, role }) => member === stage.others.at(-1) && role === 0);
    await stage.emit({ except: [b] }, 'news', 'all but b');
    await stage.emit({ to: [a], except: [b] }, 'news', 'a but not b');
    await stage.emit({ to: [a], except: [excluded.id] }, 'news', 'a but one');
    await stage.emit({ to: [a], except: [a] }, 'news', 'nobody');
    await stage.emit({ to: [a, b], except: [excluded.id, stage.room('nobody')] }, 'news', 'a or b but one');
    const ones = ['all but b', 'a but not b'];
    const others = ['a but one', 'a or b but one'];
    await stage.hears((client) => (client.role ? others : client === excluded ? ones : [...ones, ...others]));
  },

  async 'an emit to the id of a socket reaches it'(stage) {
    for (const client of stage.clients) await stage.emit({ to: [client.id] }, 'news', client.id);
    const [first, second] = stage.clients.filter(({ member }) => member === stage.others[0]);
    await stage.emit({ to: [first.id, second.id] }, 'news', 'both');
    await stage.hears((client) => [client.id, ...(client === first || client === second ? ['both'] : [])]);
  },

  async 'an emit of a socket excludes it'(stage) {
    const room = stage.room('a');
    await stage.join([room], []);
    const sender = stage.clients.find(({ member, socket }) => member === stage.issuer && socket);
    await sender.tell('tell', { to: [room] }, 'news', 'a');
    await sender.tell('tell', {}, 'news', 'all');
    await stage.hears((client) => (client === sender ? [] : client.role ? ['all'] : ['a', 'all']));
  },

  async 'a local emit stays at its server'(stage) {
    const room = stage.room('a');
    await stage.join([room], []);
    await stage.emit({ local: true }, 'news', 'all');
    await stage.emit({ to: [room], local: true }, 'news', 'a');
    await stage.hears(({ member, role }) => (member !== stage.issuer ? [] : role ? ['all'] : ['all', 'a']));
  },

  async 'volatile emits reach clients that are ready'(stage) {
    const room = stage.room('a');
    await stage.join([room], [room]);
    // A client is not ready while a frame is being written to it.
    const sent = [];
    const tries = setInterval(() => sent.push(stage.emit({ to: [room], volatile: true }, 'volatile')), 5);
    try {
      for (const client of stage.clients) await stage.news(client, 1, 'volatile');
    } finally {
      clearInterval(tries);
    }
    await Promise.all(sent);
  },

  async 'binary data and other values arrive as they were sent'(stage) {
    const room = stage.room('a');
    await stage.join([room], []);
    await stage.emit({}, 'news', 'all', BINARY, Buffer.from('last'));
    await receivesBytes(stage, stage.clients, BINARY, Buffer.from('last'));
    await stage.hears(['all'], ['all']);
    await stage.emit({ to: [room] }, 'news', 'room', BINARY);
    await receivesBytes(stage, stage.clients.filter(({ role }) => role === 0), BINARY);
    await stage.hears(['room'], []);
    await stage.emit({ to: [room] }, 'news', 'large', ...LARGE);
    await receivesBytes(stage, stage.clients.filter(({ role }) => role === 0), ...LARGE);
    await stage.hears(['large'], []);
    await stage.emit({}, 'news', 'values', ...VALUES);
    for (const client of stage.clients) assert.deepEqual((await stage.news(client, 1))[0].slice(2), VALUES, client.name);
  },

  async 'emits to a room arrive in their order'(stage) {
    const room = stage.room('a');
    await stage.join([room], []);
    await Promise.all(Array.from({ length: 100 }, (_, i) => stage.emit({ to: [room] }, 'news', i)));
    for (const client of stage.clients.filter(({ role }) => role === 0)) {
      const events = await stage.news(client, 100);
      assert.deepEqual(events.map(([, number]) => number), Array.from({ length: 100 }, (_, i) => i), client.name);
    }
  },

  async 'an emit with an ack gets the answers of all servers'(stage) {
    const room = stage.room('a');
    await stage.join([room], []);
    const answering = stage.clients.filter(({ role }) => role === 0);
    const { answers, complete } = await stage.do('emitWithAck', { to: [room], timeout: LIMIT }, 'question', 'well?', 1);
    assert.deepEqual(byName(answers), sorted(answering.map(({ member }) => member.name)));
    for (const { args } of answers) assert.deepEqual(args, ['well?', 1]);
    assert.equal(complete, true);
    const all = await stage.do('emitWithAck', { timeout: LIMIT }, 'question', 'all?');
    assert.deepEqual(byName(all.answers), sorted(stage.clients.map(({ member }) => member.name)));
    const nobody = await stage.do('emitWithAck', { to: [stage.room('nobody')], timeout: LIMIT }, 'question');
    assert.deepEqual(nobody, { answers: [], complete: true });
  },

  async 'answers may have binary data'(stage) {
    const client = stage.socketClients.find(({ member, role }) => member === stage.others.at(-1) && role === 0);
    const { answers } = await stage.do('emitWithAck', { to: [client.id], timeout: LIMIT }, 'question', BINARY, Buffer.from('last'));
    assert.deepEqual(answers, [{ from: client.member.name, args: [BINARY, Buffer.from('last')] }]);
  },

  async 'the answers that came are told after a timeout'(stage) {
    const silent = stage.clients.find(({ member }) => member === stage.others.at(-1));
    const room = stage.room('a');
    await stage.join([room], []);
    const answer = silent.answer;
    silent.answer = () => {};
    const answering = stage.clients.filter((client) => client.role === 0 && client !== silent);
    const { answers, complete } = await patiently(
      (timeout) => stage.do('emitWithAck', { to: [room], timeout }, 'question', 'well?'),
      answering.length,
    );
    silent.answer = answer;
    assert.deepEqual(byName(answers), sorted(answering.map(({ member }) => member.name)));
    assert.equal(complete, false);
  },

  async 'sockets of all servers are fetched with their rooms and data'(stage) {
    const [a, b] = ['a', 'b'].map(stage.room);
    await stage.join([a], [b]);
    const members = stage.clients.filter(({ role }) => role === 0);
    await Promise.all(members.filter(({ socket }) => socket).map((client) => client.tell('data', { of: client.id, list: [1, null] })));
    const fetched = await stage.do('fetch', { to: [a] });
    assert.deepEqual(sorted(fetched.map(({ id }) => id)), sorted(members.map(({ id }) => id)));
    for (const { id, rooms, data } of fetched) {
      assert.ok(rooms.includes(id) && rooms.includes(a) && !rooms.includes(b), `the rooms ${rooms}`);
      if (members.find((client) => client.id === id).socket) assert.deepEqual(data, { value: { of: id, list: [1, null] } });
    }
    const all = await stage.do('fetch', {});
    assert.deepEqual(sorted(all.map(({ id }) => id)), sorted(stage.clients.map(({ id }) => id)));
    assert.deepEqual(await stage.do('fetch', { to: [stage.room('nobody')] }), []);
    const rest = await stage.do('fetch', { to: [a, b], except: [a] });
    assert.equal(rest.length, stage.clients.length - members.length);
  },

  async 'fetched sockets have their handshakes'(stage) {
    const began = Date.now();
    const options = { query: { room: 'ü b' }, auth: { token: ['t', 1] }, extraHeaders: { 'X-Name': 'Ann', origin: 'http://127.0.0.1' } };
    const clients = await stage.extras(stage.namespace, options);
    for (const client of clients) {
      const [{ handshake }] = await stage.do('fetch', { to: [client.id] });
      const { headers, time, issued, url, query, ...rest } = handshake;
      assert.deepEqual(rest, { address: '127.0.0.1', xdomain: true, secure: false, auth: { token: ['t', 1] } }, client.name);
      assert.equal(headers['x-name'], 'Ann');
      assert.equal(query.room, 'ü b');
      assert.equal(query.EIO, '4');
      assert.equal(query.transport, 'websocket');
      assert.match(url, /^\/socket\.io\/\?.*transport=websocket/);
      assert.ok(began - 2 <= issued && issued <= Date.now(), `issued at ${issued}`);
      assert.ok(Math.abs(new Date(time) - issued) < 2_000, `connected at ${time}, issued at ${issued}`);
    }
    for (const { socket } of clients) socket.disconnect();
  },

  async 'sockets of all servers join and leave'(stage) {
    const [a, b, c] = ['a', 'b', 'c'].map(stage.room);
    await stage.join([a], [a, b]);
    const [ones, twos] = [0, 1].map((role) => stage.clients.filter((client) => client.role === role));
    await stage.do('join', { to: [a], except: [b] }, [c, stage.room('d')]);
    await stage.gathered(c, ones);
    await stage.emit({ to: [c] }, 'news', 'joined');
    await stage.hears(['joined'], []);
    await stage.do('join', { to: [b] }, [c]);
    await stage.do('leave', { to: [c], except: [b] }, [c]);
    await stage.gathered(c, twos);
    await stage.emit({ to: [c] }, 'news', 'left');
    await stage.emit({ to: [stage.room('d')] }, 'news', 'd');
    await stage.hears(['d'], ['left']);
  },

  async 'sockets of all servers are disconnected'(stage) {
    const [room, other] = ['a', 'b'].map(stage.room);
    const [kicked, spared] = await Promise.all([stage.extras(), stage.extras()]);
    await stage.enter(kicked, [room]);
    await stage.enter(spared, [room, other]);
    const elsewhere = kicked.map(({ socket }) => socket.io.socket('/elsewhere'));
    await Promise.all(elsewhere.map((socket) => within(new Promise((resolve) => socket.once('connect', resolve)), 'connecting to another namespace')));
    await stage.do('disconnect', { to: [room], except: [other] }, false);
    for (const client of kicked) assert.equal(await client.ended(), 'io server disconnect', client.name);
    for (const socket of elsewhere) assert.ok(socket.connected);
    for (const client of spared) assert.ok(client.socket.connected, client.name);
    assert.equal((await stage.do('fetch', { to: [room] })).length, spared.length);
    const closed = kicked.map(({ socket }) => within(new Promise((resolve) => socket.io.once('close', resolve)), 'the end of the connection'));
    await stage.issuer.do('disconnect', { namespace: '/elsewhere' }, true);
    await Promise.all(closed);
    for (const { socket } of spared) socket.disconnect();
  },

  async 'events to other servers reach them and not their sender'(stage) {
    const token = stage.room('event');
    const mine = ([namespace, what]) => namespace === stage.namespace && what === token;
    await stage.do('serverEmit', {}, 'news', token, { list: [1, 'two', null] });
    for (const member of stage.others) {
      const event = await member.heard.until((all) => all.find(mine), `${member.name} waits for an event`);
      assert.deepEqual(event.slice(2), [{ list: [1, 'two', null] }]);
    }
    await stage.settle();
    assert.equal(stage.issuer.heard.items.filter(mine).length, 0);
    for (const member of stage.others) assert.equal(member.heard.items.filter(mine).length, 1, member.name);
  },

  async 'other servers answer'(stage) {
    const { answers, complete } = await stage.do('serverRequest', { timeout: 5_000 }, 'question', true, 'well?', { list: [1] });
    assert.deepEqual(byName(answers), sorted(stage.others.map(({ name }) => name)));
    for (const { args } of answers) assert.deepEqual(args, ['well?', { list: [1] }]);
    assert.equal(complete, true);
  },

  async 'servers are counted'(stage) {
    assert.equal(await stage.do('servers', {}), stage.members.length);
  },

  async 'one socket that was fetched is told, asked, moved and disconnected'(stage) {
    const clients = await stage.extras();
    const room = stage.room('a');
    for (const client of clients) {
      const to = [client.id];
      await stage.do('remoteEmit', { to }, 'news', 'remote', BINARY);
      const event = await client.events.until((all) => all.find(([name, what]) => name === 'news' && what === 'remote'), client.name);
      assert.deepEqual(event.slice(2), [BINARY]);
      assert.deepEqual(await stage.do('remoteAsk', { to, timeout: LIMIT }, 'question', 1), { from: client.member.name, args: [1] });
      const isIn = async () => (await client.member.do('fetch', { namespace: stage.namespace, to, local: true }))[0].rooms.includes(room);
      await stage.do('remoteJoin', { to }, [room]);
      await eventually(isIn, `${client.name} to join`);
      await stage.do('remoteLeave', { to }, room);
      await eventually(async () => !(await isIn()), `${client.name} to leave`);
      await stage.do('remoteDisconnect', { to }, true);
      assert.equal(await client.ended(), 'io server disconnect', client.name);
    }
  },
};

// Servers on Node.js do these with the classic adapter only.
export const LISTING = {
  async 'the rooms of all servers are listed'(stage) {
    const rooms = ['a', 'b'].map(stage.room);
    await stage.join([rooms[0]], [rooms[1]]);
    for (const client of stage.others.map((member) => stage.clients.find((other) => other.member === member))) {
      const room = stage.room(client.name);
      await stage.enter([client], [room]);
      rooms.push(room, client.id);
    }
    const listed = await stage.do('rooms', {});
    assert.deepEqual(rooms.filter((room) => !listed.includes(room)), []);
    assert.equal(new Set(listed).size, listed.length);
  },
};

// These need a server in Rust as the issuer.
export const RAW = {
  async 'raw messages reach plain clients as they are, and others as an event'(stage) {
    const room = stage.room('a');
    await stage.join([room], []);
    const raw = ['not JSON', Buffer.from([0, 1, 0xff])];
    for (const message of raw) await stage.do('send', { to: [room] }, message);
    const messages = ({ events }) => events.items.filter(([name]) => name === 'message').map(([, message]) => message);
    for (const client of stage.clients.filter(({ role }) => role === 0)) {
      const received = () => (client.socket ? messages(client) : client.messages.items);
      const feed = client.socket ? client.events : client.messages;
      await feed.until(() => received().length >= 2 || undefined, `${client.name} waits for messages`);
      assert.deepEqual(received(), raw, client.name);
      client.messages?.items.splice(0);
    }
    // A plain client can't tell it from an event.
    const event = '{"event":"news","data":"raw"}';
    stage.forget();
    await stage.do('send', {}, event);
    for (const client of stage.clients) {
      const find = client.socket ? () => messages(client)[0] : (all) => all.find(([name]) => name === 'news')?.[1];
      assert.equal(await client.events.until(find, `${client.name} waits for a message`), client.socket ? event : 'raw');
    }
  },

  async 'servers that did not answer in time are counted'(stage) {
    const [{ name }, ...silent] = stage.others;
    const told = await patiently((timeout) => stage.do('serverRequest', { timeout }, 'question', name), 1);
    assert.deepEqual(told, { answers: [{ from: name, args: [] }], complete: false, silent: silent.length });
  },
};

// What a program does that is no server, by the packages `@socket.io/redis-emitter` and
// `@socket.io/postgres-emitter`.
export const EMITTER = {
  async 'an emitter reaches everyone, rooms and exceptions'(stage, emitter) {
    const [a, b] = ['a', 'b'].map(stage.room);
    await stage.join([a], [a, b]);
    emitter.emit('news', 'all');
    emitter.to(a).emit('news', 'a');
    emitter.to([a, b]).emit('news', 'a or b');
    emitter.except(b).emit('news', 'all but b');
    emitter.in(a).except(b).compress(false).emit('news', 'a but not b');
    await emitter.settled();
    await stage.hears(['all', 'a', 'a or b', 'all but b', 'a but not b'], ['all', 'a', 'a or b']);
    emitter.to(a).emit('news', 'bytes', BINARY);
    await receivesBytes(stage, stage.clients, BINARY);
    await stage.hears(['bytes'], ['bytes']);
    const tries = setInterval(() => emitter.to(a).volatile.emit('volatile'), 5);
    try {
      for (const client of stage.clients) await stage.news(client, 1, 'volatile');
    } finally {
      clearInterval(tries);
    }
    await emitter.settled();
  },

  async 'an emitter moves and disconnects sockets'(stage, emitter) {
    const [a, b] = ['a', 'b'].map(stage.room);
    const clients = await stage.extras();
    await stage.enter(clients, [a]);
    emitter.in(a).socketsJoin([b]);
    await stage.gathered(b, clients);
    emitter.in(a).except(stage.room('nobody')).socketsLeave(b);
    await stage.gathered(b, []);
    emitter.in(a).disconnectSockets(true);
    for (const client of clients) assert.equal(await client.ended(), 'io server disconnect', client.name);
  },

  async 'an emitter tells servers'(stage, emitter) {
    const token = stage.room('event');
    emitter.serverSideEmit('news', token, [1]);
    for (const member of stage.members) {
      const mine = ([namespace, what]) => namespace === stage.namespace && what === token;
      const event = await member.heard.until((all) => all.find(mine), `${member.name} waits for an event`);
      assert.deepEqual(event.slice(2), [[1]]);
    }
  },
};
