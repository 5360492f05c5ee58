// Random cuts of the connections of clients in a cluster over Redis Streams: nothing is missed or
// repeated, or the client is told.
//
// RUNS is the number of runs, by default 21. SEED is the seed of the first one, by default a random
// one. The next runs have the following seeds. The seed also chooses the variant.

import { after, before, test } from 'node:test';
import { createClient } from 'redis';
import { Member } from './member.mjs';
import { Run } from './recovery-random.mjs';
import { Redis, eventually } from './redis.mjs';

const RUNS = Number(process.env.RUNS ?? 21);
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));

// The servers of a cluster, and whether sessions are stored before connections are cut. Clients
// connect to servers in Rust: those on Node.js deliver their own events in another order than the
// stream, and can miss events while a client resumes.
const VARIANTS = [
  { name: 'at end', languages: ['rust', 'rust'], eager: false },
  { name: 'eager', languages: ['rust', 'rust'], eager: true },
  { name: 'with Node.js', languages: ['rust', 'rust', 'node'], eager: true },
];

const ends = [];
const end = { after: (task) => ends.push(task) };
const figures = new Map();
const add = (name, count = 1) => figures.set(name, (figures.get(name) ?? 0) + count);
let variants;

before(async () => {
  const redis = await Redis.begin(end);
  const client = await createClient({ url: redis.url }).connect();
  end.after(() => client.close());
  let servers = 0;
  variants = [];
  for (const { name, languages, eager } of VARIANTS) {
    const prefix = name.replaceAll(' ', '-');
    const settings = { adapter: 'streams', prefix, urls: [redis.url], namespaces: ['/'], recovery: { maxDisconnectionDuration: 60_000, eager } };
    const issuers = await Promise.all(languages.map((language, i) => Member.begin(end, language, { ...settings, name: `${language} ${i + 1}` })));
    servers += issuers.length;
    variants.push({ issuers, servers: issuers.filter(({ language }) => language === 'rust'), stream: prefix, redis: client, isEager: eager });
  }
  // Servers on Node.js miss what comes before they read for the first time.
  const reading = async () => (await redis.cli('INFO', 'clients')).includes(`blocked_clients:${servers}`);
  await eventually(reading, 'waiting for all servers to read their streams');
});

after(async () => {
  for (const task of ends.reverse()) await task();
  console.log(`${RUNS} runs from SEED=${SEED}: ${[...figures].map(([name, count]) => `${name} ${count}`).join(', ')}`);
});

console.log(`SEED=${SEED}`);

for (let seed = SEED; seed < SEED + RUNS; seed += 1) {
  const { name } = VARIANTS[seed % VARIANTS.length];
  test(`SEED=${seed}, ${name}`, async (t) => {
    const run = new Run(seed, variants[seed % VARIANTS.length]);
    await run.play(t);
    add('events', run.emitted.length);
    for (const { proxy, sessions, resumed, taken, reasons } of run.clients) {
      add('received', sessions.reduce((sum, { received }) => sum + received.length, 0));
      for (const { kind, direction } of proxy.done) add(`cuts (${kind}, ${direction})`);
      add(`resumed (${name})`, resumed);
      add('ended by a server', taken);
      add(`new sessions (${name})`, sessions.length - 1);
      for (const reason of reasons) add(`for ${reason} (${name})`);
    }
  });
}
