// Connections of Node's servers to Redis, by the packages `redis` and `ioredis`, and to PostgreSQL, by
// the package `pg`.

import { once } from 'node:events';
import Redis, { Cluster } from 'ioredis';
import pg from 'pg';
import { createClient } from 'redis';

// Node's servers end if nobody listens for errors. They reconnect by themselves.
const ignore = () => {};

async function nodeRedis({ urls }) {
  const client = createClient({ url: urls[0] });
  client.on('error', ignore);
  await client.connect();
  client.settled = () => client.ping();
  return client;
}

async function ioRedis({ urls, cluster, sentinel }) {
  const addresses = urls.map((url) => ({ host: new URL(url).hostname, port: Number(new URL(url).port) }));
  const client = cluster
    ? new Cluster(addresses, { shardedSubscribers: true })
    : new Redis(sentinel ? { sentinels: addresses, name: sentinel } : addresses[0]);
  client.on('error', ignore);
  // A subscription before that may make the package throw an error that nobody catches.
  if (client.status !== 'ready') await once(client, 'ready');
  client.settled = () => client.ping();
  if (cluster) confirm(client);
  return client;
}

// The connections of a Redis Cluster confirm subscriptions independently of each other.
function confirm(client) {
  const pending = new Set();
  const { ssubscribe } = client;
  client.ssubscribe = (...channels) => {
    const confirmed = ssubscribe.apply(client, channels).catch(() => {});
    pending.add(confirmed);
    confirmed.then(() => pending.delete(confirmed));
    return confirmed;
  };
  client.settled = () => Promise.all([...pending, client.ping()]);
}

// A pool of connections, of which the adapter takes one to listen. With more than another one, messages
// of the adapter overtake each other.
export function postgres({ urls }) {
  const pool = new pg.Pool({ connectionString: urls[0], max: 2 });
  pool.on('error', ignore);
  const pending = new Set();
  const watch = (client) => {
    const { query } = client;
    client.query = (...args) => {
      const done = query.apply(client, args);
      const settled = Promise.resolve(done).catch(ignore);
      pending.add(settled);
      settled.then(() => pending.delete(settled));
      return done;
    };
  };
  const { connect } = pool;
  pool.connect = async (...args) => {
    if (args.length) return connect.apply(pool, args);
    const client = await connect.call(pool);
    watch(client);
    return client;
  };
  watch(pool);
  // An attachment takes two queries.
  pool.settled = async () => {
    while (pending.size) {
      await Promise.all(pending);
      await new Promise(setImmediate);
    }
  };
  return pool;
}

// A connection for publishing and one for subscriptions.
export function connect(settings) {
  if (settings.adapter === 'postgres') {
    const pool = postgres(settings);
    return [pool, pool];
  }
  const isSingle = !settings.cluster && !settings.sentinel;
  const client = isSingle && ['redis', 'sharded', 'streams'].includes(settings.adapter) ? nodeRedis : ioRedis;
  return Promise.all([client(settings), client(settings)]);
}
