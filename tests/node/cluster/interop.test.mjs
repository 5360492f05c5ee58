// Servers in Rust and on Node.js in one cluster over Redis or PostgreSQL. Each scenario is issued at a server of
// each kind, and observed at all of them.
//
// MEMBERS names the servers, by default two of each kind, and ADAPTERS what they use. ROUNDS repeats
// everything.

import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { Emitter as PostgresEmitter } from '@socket.io/postgres-emitter';
import { Emitter } from '@socket.io/redis-emitter';
import { createClient } from 'redis';
import { postgres } from './clients.mjs';
import { Member } from './member.mjs';
import { Postgres, createTable } from './postgres.mjs';
import { Redis, RedisCluster, eventually } from './redis.mjs';
import { EMITTER, LISTING, RAW, SCENARIOS } from './scenarios.mjs';
import { RustEmitter } from './rust-emitter.mjs';
import { Stage } from './stage.mjs';
import { StreamsEmitter } from './streams-emitter.mjs';

const LANGUAGES = (process.env.MEMBERS ?? 'node,rust,node,rust').split(',');
const ROUNDS = Number(process.env.ROUNDS ?? 1);
const NAMESPACES = ['/', '/custom'];

// The adapters of the servers on Node.js. Those in Rust use the same channels.
const KNOWN = {
  redis: { isClassic: true, emitter: classicEmitter },
  ioredis: { isClassic: true, prefix: 'chat', emitter: classicEmitter },
  specific: { isClassic: true, emitter: classicEmitter },
  sharded: {},
  private: { prefix: 'chat' },
  // Over a Redis Cluster.
  cluster: { adapter: 'sharded', isCluster: true },
  streams: { isStream: true, emitter: streamsEmitter },
  iostreams: { isStream: true, prefix: 'chat', emitter: streamsEmitter },
  // The servers count each other by heartbeats.
  postgres: { isPostgres: true, prefix: 'chat' },
};
const ADAPTERS = process.env.ADAPTERS?.split(',') ?? Object.keys(KNOWN);

function classicEmitter(client, namespace, prefix) {
  return Object.assign(new Emitter(client, prefix && { key: prefix }, namespace), { settled: () => client.ping() });
}

function streamsEmitter(client, namespace, prefix) {
  return new StreamsEmitter(client, { namespace, stream: prefix });
}

// Collects what has to end after the tests of a suite. What begins later ends at once.
function ending() {
  const ends = [];
  let isOver = false;
  after(async () => {
    isOver = true;
    const ended = await Promise.allSettled(ends.reverse().map((end) => end()));
    for (const { reason } of ended) if (reason) throw reason;
  });
  return { after: (end) => (isOver ? void end() : ends.push(end)) };
}

// Waits until all members have heard of each other.
async function counted(members, namespace) {
  for (const member of members) {
    const isKnown = async () => (await member.do('servers', { namespace })) === members.length;
    await eventually(isKnown, `${member.name} to know the others in ${namespace}`);
  }
}

function suite(name, { adapter = name, isClassic, isCluster, isPostgres, isStream, prefix, emitter: makeEmitter }) {
  const shared = {};
  const end = ending();
  before(async () => {
    shared.server = await (isPostgres ? Postgres : isCluster ? RedisCluster : Redis).begin(end);
    const { urls = [shared.server.url] } = shared.server;
    if (isPostgres) await createTable(urls);
    const settings = { adapter, prefix, urls, cluster: isCluster, namespaces: [...NAMESPACES, '/elsewhere'] };
    const begun = LANGUAGES.map((language, i) => Member.begin(end, language, { ...settings, name: `${language} ${i + 1}` }));
    shared.members = await Promise.all(begun);
    if (isPostgres) await Promise.all(NAMESPACES.map((namespace) => counted(shared.members, namespace)));
    // Servers on Node.js miss what comes before they read for the first time.
    const reading = async () => (await shared.server.cli('INFO', 'clients')).includes(`blocked_clients:${LANGUAGES.length}`);
    if (isStream) await eventually(reading, 'waiting for all servers to read the stream');
  });

  for (const namespace of NAMESPACES) {
    describe(namespace, { concurrency: 1 }, () => {
      const end = ending();
      before(async () => {
        shared.stage = await Stage.begin(end, shared.members, namespace);
        await shared.stage.settle();
      });

      for (const language of new Set(LANGUAGES)) {
        const scenarios = { ...SCENARIOS, ...(isClassic || language === 'rust' ? LISTING : {}), ...(language === 'rust' ? RAW : {}) };
        for (const [name, play] of Object.entries(scenarios)) {
          test(`${language}: ${name}`, (t) => play(shared.stage.at(shared.members[LANGUAGES.indexOf(language)], t)));
        }
      }

      if (makeEmitter) {
        let emitter;
        before(async () => {
          const client = await createClient({ url: shared.server.url }).connect();
          end.after(() => client.close());
          emitter = makeEmitter(client, namespace, prefix);
        });
        for (const [name, play] of Object.entries(EMITTER)) {
          test(name, (t) => play(shared.stage.at(shared.members[0], t), emitter));
        }
      }

      const rust = LANGUAGES.indexOf('rust');
      if (rust >= 0) {
        describe('an emitter in Rust', { concurrency: 1 }, () => {
          for (const [name, play] of Object.entries(EMITTER)) {
            test(name, (t) => play(shared.stage.at(shared.members[0], t), new RustEmitter(shared.members[rust], namespace)));
          }
        });
      }

      // Servers on Node.js do not understand this emitter.
      if (isPostgres && LANGUAGES.includes('rust')) {
        describe('an emitter', { concurrency: 1 }, () => {
          const end = ending();
          let stage;
          let emitter;
          before(async () => {
            const members = shared.members.filter(({ language }) => language === 'rust');
            stage = await Stage.begin(end, members, namespace);
            const pool = postgres({ urls: [shared.server.url] });
            end.after(() => pool.end());
            emitter = Object.assign(new PostgresEmitter(pool, namespace, { channelPrefix: prefix }), { settled: pool.settled });
          });
          for (const [name, play] of Object.entries(EMITTER)) {
            test(name, (t) => play(stage.at(stage.members[0], t), emitter));
          }
        });
      }
    });
  }

  test('the servers are still running, and lost nothing', async () => {
    for (const member of shared.members) {
      assert.doesNotThrow(() => process.kill(member.program.pid, 0), member.name);
      if (member.language !== 'rust') continue;
      const { unpublished, dropped, missed, malformed, oversized, reconnects, pending } = await member.do('stats', {});
      const counters = { unpublished, dropped, missed, malformed, oversized, reconnects, pending };
      assert.deepEqual(counters, { unpublished: 0, dropped: 0, missed: 0, malformed: 0, oversized: 0, reconnects: 0, pending: 0 }, member.name);
    }
  });
}

// Some adapters are tested at the same time, and the scenarios of one adapter one after another.
for (let round = 1; round <= ROUNDS; round += 1) {
  describe(`round ${round}`, { concurrency: availableParallelism() }, () => {
    for (const name of ADAPTERS) {
      describe(name, { concurrency: 1 }, () => suite(name, KNOWN[name]));
    }
  });
}
