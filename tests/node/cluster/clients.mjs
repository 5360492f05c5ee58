// Connections of Node's servers to Redis, by the packages `redis` and `ioredis`.

import { once } from 'node:events';
import Redis, { Cluster } from 'ioredis';
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

// A connection for publishing and one for subscriptions.
export function connect(settings) {
  const isSingle = !settings.cluster && !settings.sentinel;
  const client = isSingle && ['redis', 'sharded', 'streams'].includes(settings.adapter) ? nodeRedis : ioRedis;
  return Promise.all([client(settings), client(settings)]);
}
