// Faults between the servers of a cluster and Redis. In each case clients stay connected, the
// server's own clients hear everything, each lost event is counted, and messages cross again
// afterwards without a restart.
//
// The table at the end says what was lost, and how long it took.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { createClient } from 'redis';
import { Scene, Table } from './faults.mjs';
import { Member } from './member.mjs';
import { Proxy } from './proxy.mjs';
import { Redis, RedisCluster, RedisSentinel, eventually } from './redis.mjs';

const table = new Table();
after(() => console.log(`\n${table}\n`));
const sleep = (time) => new Promise((resolve) => setTimeout(resolve, time));

// A case: `act` breaks and repairs something.
function fault(name, adapter, act, begin) {
  const row = table.row();
  test(`${name}: ${adapter}`, async (t) => {
    const scene = await begin(t, adapter);
    await act(scene, t);
    await scene.recovers();
    await scene.accounts(scene.probes);
    row.push(...scene.row(name));
  });
}

// What an adapter stores has to survive a restart.
const storing = (adapter) => (adapter === 'streams' ? { appendonly: 'yes', appendfsync: 'always' } : {});

// Both servers at one Redis.
async function direct(t, adapter) {
  const redis = await Redis.begin(t, storing(adapter));
  return Object.assign(await Scene.begin(t, { adapter, urls: [redis.url] }), { redis });
}

// The first server reaches Redis through a proxy.
async function proxied(t, adapter) {
  const redis = await Redis.begin(t, storing(adapter));
  const proxy = await Proxy.begin(t, redis.port);
  const scene = await Scene.begin(t, [proxy.url, redis.url].map((url) => ({ adapter, urls: [url] })));
  return Object.assign(scene, { redis, proxy });
}

async function cluster(t, adapter, options) {
  const redis = await RedisCluster.begin(t, options);
  const scene = await Scene.begin(t, { adapter, urls: redis.urls, cluster: true });
  return Object.assign(scene, { redis });
}

async function sentinel(t, adapter) {
  const redis = await RedisSentinel.begin(t);
  const scene = await Scene.begin(t, { adapter, urls: redis.urls, sentinel: redis.name });
  return Object.assign(scene, { redis });
}

// Waits until the clients of each server hear all servers.
async function meet(t, members) {
  const clients = await Promise.all(members.map((member) => member.client(t)));
  for (const member of members) {
    await eventually(async () => {
      await member.do('emit', {}, 'news', member.name);
      return clients.every(({ events }) => events.items.some(([, name]) => name === member.name));
    }, `all clients to hear ${member.name}`, 20_000, 100);
  }
}

// A program that is no server of the cluster.
async function connect(t, redis) {
  const client = createClient({ url: redis.url });
  client.on('error', () => {});
  await client.connect();
  t.after(() => client.isOpen && client.destroy());
  return client;
}

async function away(scene, time) {
  scene.break();
  await scene.redis.kill();
  const until = performance.now() + time;
  for (const member of scene.members) {
    await scene.notices(/Disconnected/, member);
    await scene.degrades(member);
  }
  await sleep(until - performance.now());
  await scene.redis.start();
  scene.repair();
}

// All have the same faults, except where a case says why not.
const ADAPTERS = ['redis', 'sharded', 'streams'];

// Channels that every server of a namespace subscribes to.
const MAIN = 'socket.io#/#';
const REQUESTS = 'socket.io-request#/#';
const RESPONSES = 'socket.io-response#/#';

const MALFORMED = [
  '',
  '{',
  '{}',
  '[]',
  'null',
  '{"type":3}',
  '{"type":99,"uid":"x","nsp":"/"}',
  '{"type":3,"data":{"packet":{"type":2,"data":[1]},"opts":{"rooms":1}},"uid":"x","nsp":"/"}',
  '\x93',
  '\x93\xa6abcdef\xff',
  // Maps, bytes and lists that are longer than the message, and deeply nested ones.
  '\xdf\xff\xff\xff\xff',
  '\xc6\xff\xff\xff\xff',
  '\xdd\xff\xff\xff\xff',
  '['.repeat(100_000),
  '\x93'.repeat(100_000),
  'x'.repeat(1 << 20),
];

describe('faults', { concurrency: 4 }, () => {
  for (const adapter of ADAPTERS) {
    fault('Redis is away for 40 s', adapter, (scene) => away(scene, 40_000), direct);
  }

  for (const adapter of ADAPTERS) {
    fault('Redis is restarted', adapter, async (scene) => {
      scene.break();
      await scene.redis.stop();
      await scene.redis.start();
      scene.repair();
      await scene.notices(/Disconnected/);
    }, direct);

    fault('Redis is killed and started', adapter, async (scene) => {
      scene.break();
      await scene.redis.kill();
      await scene.redis.start();
      scene.repair();
      await scene.notices(/Disconnected/);
    }, direct);

    fault('Redis is away for 1 s', adapter, (scene) => away(scene, 1_000), direct);
    fault('Redis is away for 4 s', adapter, (scene) => away(scene, 4_000), direct);

    fault('Redis is suspended for 8 s', adapter, async (scene) => {
      scene.break();
      scene.redis.pause();
      await scene.degrades();
      await sleep(scene.broken + 8_000 - performance.now());
      scene.redis.resume();
      scene.repair();
    }, direct);

    fault('a server is suspended for 3 s', adapter, async (scene) => {
      scene.break();
      process.kill(scene.one.program.pid, 'SIGSTOP');
      await sleep(3_000);
      process.kill(scene.one.program.pid, 'SIGCONT');
      scene.repair();
    }, direct);

    fault('the connections for subscriptions are killed', adapter, async (scene) => {
      scene.break();
      const killed = Number(await scene.redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub'));
      assert.ok(killed >= 2, `${killed} connections`);
      scene.repair();
      await scene.notices(/Disconnected|Gap/);
    }, direct);

    fault('all connections are cut', adapter, async (scene) => {
      scene.break();
      scene.proxy.reset();
      scene.repair();
      await scene.notices(/Disconnected|Gap/);
    }, proxied);

    for (const directions of [['up', 'down'], ['up'], ['down']]) {
      const what = directions.length > 1 ? 'the connections stall' : `the connections stall ${directions[0] === 'up' ? 'to' : 'from'} Redis`;
      fault(what, adapter, async (scene) => {
        scene.break();
        scene.proxy.stall(...directions);
        await scene.degrades();
        scene.proxy.mend();
        scene.repair();
      }, proxied);
    }

    fault('the connections are half-open', adapter, async (scene) => {
      scene.break();
      scene.proxy.halfOpen();
      // New connections work.
      scene.repair();
      await scene.notices(/Disconnected|Gap/);
    }, proxied);

    fault('the connections are slow', adapter, async (scene) => {
      scene.break();
      scene.proxy.slow(4_000);
      await scene.notices(/Disconnected|Gap/);
      scene.proxy.mend();
      scene.repair();
    }, proxied);

    // Redis does not bound what it sends to the readers of streams.
    if (adapter === 'streams') continue;
    fault('a server reads too slowly', adapter, async (scene) => {
      await scene.redis.cli('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 256kb 0 0');
      scene.break();
      scene.proxy.stall('down');
      // They fill the buffers of the kernel, and then that of Redis.
      await eventually(async () => {
        await scene.two.do('burst', {}, [20, 50_000]);
        return scene.redis.log.items.some((line) => line.includes('output buffer limits'));
      }, 'Redis to close a connection');
      scene.proxy.mend();
      scene.repair();
      await scene.notices(/Disconnected|Gap/);
    }, proxied);
  }

  for (const adapter of ['sharded', 'private']) {
    fault('a slot moves', adapter, async (scene) => {
      scene.break();
      await scene.redis.move(await scene.redis.slot(MAIN));
      scene.repair();
      await scene.notices(/Disconnected|Gap/);
    }, cluster);
  }

  fault('a master of a Redis Cluster fails over', 'sharded', async (scene) => {
    const { redis } = scene;
    const master = await redis.owner(await redis.slot(MAIN));
    scene.break();
    await master.kill();
    master.stopped = true;
    await scene.notices(/Disconnected|Gap/);
    await redis.settled(3, 2);
    scene.repair();
  }, (t, adapter) => cluster(t, adapter, { replicas: true }));

  for (const adapter of ADAPTERS) {
    fault('Sentinel promotes a replica', adapter, async (scene) => {
      // The replica may lack the last ones.
      scene.mayLoseEntries = true;
      scene.break();
      await scene.redis.master.kill();
      await scene.notices(/Disconnected/);
      await scene.redis.failedOver();
      scene.repair();
    }, sentinel);
  }

  for (const adapter of ADAPTERS) {
    const row = table.row();
    test(`a server is killed: ${adapter}`, async (t) => {
      const scene = await direct(t, adapter);
      assert.equal(await scene.one.do('servers', {}), 2);
      scene.break();
      await scene.two.program.stop('SIGKILL');
      await eventually(async () => (await scene.one.do('servers', {})) === 1, 'the server to be gone');
      scene.noticed = performance.now() - scene.broken;
      assert.deepEqual((await scene.one.do('fetch', {})).map(({ id }) => id), [scene.clients[0].id]);
      const two = await Member.begin(t, 'rust', scene.settings[1]);
      await meet(t, [scene.one, two]);
      assert.equal(await scene.health(), 'up');
      assert.ok(scene.clients[0].socket.connected);
      row.push(...scene.row('a server is killed'));
    });

    fault('a server is counted and never answers', adapter, async (scene, t) => {
      const silent = await connect(t, scene.redis);
      scene.break();
      if (adapter === 'sharded') await silent.sSubscribe(MAIN, () => {});
      else await silent.subscribe(adapter === 'redis' ? REQUESTS : MAIN, () => {});
      assert.equal(await scene.one.do('servers', {}), 3);
      const [asked, told] = await Promise.all([
        scene.one.do('emitWithAck', { timeout: 1_500 }, 'question', 'well?'),
        scene.one.do('serverRequest', { timeout: 1_500 }, 'question', true),
      ]);
      assert.deepEqual(asked.answers.map(({ from }) => from).sort(), ['one', 'two']);
      assert.equal(asked.complete, false);
      assert.deepEqual(told, { answers: [{ from: 'two', args: [] }], complete: false, silent: 1 });
      await assert.rejects(scene.one.do('fetch', { timeout: 1_500 }), /1 servers are silent/);
      await silent.close();
      await eventually(async () => (await scene.one.do('servers', {})) === 2, 'the silent one to be gone');
      scene.repair();
      assert.equal((await scene.one.do('fetch', {})).length, 2);
    }, direct);

    fault('messages are malformed', adapter, async (scene, t) => {
      const client = await connect(t, scene.redis);
      const channels = adapter === 'redis' ? [MAIN, `${MAIN}room#`, REQUESTS, RESPONSES] : [MAIN];
      const stats = () => Promise.all(scene.members.map((member) => member.do('stats', {})));
      const before = await stats();
      scene.break();
      for (const channel of channels) {
        for (const body of MALFORMED) await client[adapter === 'sharded' ? 'sPublish' : 'publish'](channel, Buffer.from(body, 'latin1'));
      }
      await scene.notices(/Malformed/);
      scene.repair();
      for (const [i, { malformed }] of (await stats()).entries()) {
        const count = malformed - before[i].malformed;
        assert.ok(0 < count && count <= channels.length * MALFORMED.length, `${count} are malformed`);
      }
    }, direct);
  }

  for (const adapter of ['redis', 'ioredis', 'sharded', 'private', 'streams']) {
    test(`servers on Node.js are reached after Redis was away: ${adapter}`, async (t) => {
      const redis = await Redis.begin(t);
      const settings = { adapter, urls: [redis.url], namespaces: ['/'] };
      const begin = (language, i) => Member.begin(t, language, { ...settings, name: `${language} ${i + 1}` });
      const members = await Promise.all(['rust', 'node', 'rust'].map(begin));
      await meet(t, members);
      await redis.kill();
      await members[0].changes.until((all) => all.find(({ text }) => text.startsWith('Disconnected')), 'the loss to be noticed');
      await redis.start();
      await meet(t, members);
    });
  }

  fault('a stream is deleted', 'streams', async (scene) => {
    scene.mayLoseEntries = true;
    for (const command of [['DEL', 'socket.io'], ['FLUSHALL']]) {
      scene.break();
      await scene.redis.cli(...command);
      scene.repair();
      for (const member of scene.members) await scene.notices(/Trimmed/, member);
    }
  }, direct);

  fault('more is emitted than Redis takes', 'redis', async (scene) => {
    scene.break();
    scene.probes = 5;
    scene.proxy.slow(200_000);
    for (let i = 0; i < 40; i += 1) await scene.one.do('burst', {}, [200, 1_000]);
    await scene.notices(/Dropped/);
    scene.proxy.mend();
    scene.repair();
  }, async (t, adapter) => {
    const redis = await Redis.begin(t);
    const proxy = await Proxy.begin(t, redis.port);
    const scene = await Scene.begin(t, [{ adapter, urls: [proxy.url], queue: 1_000 }, { adapter, urls: [redis.url] }]);
    return Object.assign(scene, { redis, proxy });
  });
});
