// Redis servers of the tests: single ones, a Redis Cluster, and one with a replica and Sentinel.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Feed, within } from '../lib.mjs';

const HOST = '127.0.0.1';
const SLOTS = 16_384;

// Repeats `check` until it returns something true. It may throw while the server is not ready.
export async function eventually(check, what, limit = 15_000, pause = 25) {
  const end = performance.now() + limit;
  let last;
  for (;;) {
    try {
      const found = await check();
      if (found) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`timeout: ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

// Ports below those that the system chooses for connections. Those may be taken while a server that
// is to start again is away.
const PORTS = { from: 12_000, to: 32_000 };
const given = new Set();

// Ports that nothing listens on, each only once.
export async function freePorts(count) {
  const ports = [];
  while (ports.length < count) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    ports.push(port);
  }
  return ports;
}

async function isFree(port) {
  const server = net.createServer();
  const listening = new Promise((resolve) => {
    server.once('listening', () => resolve(true));
    server.once('error', () => resolve(false));
  });
  server.listen(port, HOST);
  if (!(await listening)) return false;
  await once(server.close(), 'close');
  return true;
}

export class Redis {
  #options;
  #directory;
  #process;
  #exit;

  // Starts a server until the test ends. `options` are lines of its configuration.
  static async begin(test, options = {}) {
    const redis = new Redis();
    redis.#options = options;
    redis.#directory = await mkdtemp(path.join(tmpdir(), 'redis-'));
    test.after(async () => {
      await redis.kill();
      await rm(redis.#directory, { recursive: true, force: true });
    });
    redis.port = options.port ?? (await freePorts(1))[0];
    await redis.start();
    return redis;
  }

  get url() {
    return `redis://${HOST}:${this.port}`;
  }

  // Starts it, or starts it again on the same port.
  async start() {
    const { sentinel, ...settings } = this.#options;
    const lines = { bind: HOST, dir: this.#directory, ...(sentinel ? {} : { save: '""', appendonly: 'no' }), ...settings, port: this.port };
    const file = path.join(this.#directory, 'redis.conf');
    // Sentinel and Cluster write their state to files that have to survive a restart.
    if (!sentinel || !this.#process) {
      const text = Object.entries(lines).flatMap(([name, values]) => [values].flat().map((value) => `${name} ${value}\n`));
      await writeFile(file, [...text, ...(sentinel ?? []).map((line) => `${line}\n`)].join(''));
    }
    const child = spawn('redis-server', [file, ...(sentinel ? ['--sentinel'] : [])], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = child;
    this.log = new Feed();
    createInterface({ input: child.stdout }).on('line', (line) => this.log.push(line));
    this.#exit = once(child, 'close').then(() => this.log.end(new Error('redis-server ended')));
    // A server that is not installed.
    child.on('error', (error) => this.log.end(error));
    await this.log.until((all) => all.find((line) => /Ready to accept|Sentinel ID is/.test(line)), 'waiting for redis-server');
    await eventually(async () => (await this.cli('PING')) === 'PONG', 'waiting for redis-server to answer');
  }

  get pid() {
    return this.#process.pid;
  }

  async #end(signal) {
    if (!this.#process) return;
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill(signal);
    await within(this.#exit, 'waiting for redis-server to end');
  }

  // Ends it as an operator does. Clients see their connections close.
  stop() {
    return this.#end('SIGTERM');
  }

  kill() {
    return this.#end('SIGKILL');
  }

  // Suspends and resumes the process: connections stay open, and nothing is answered.
  pause() {
    this.#process.kill('SIGSTOP');
  }

  resume() {
    this.#process.kill('SIGCONT');
  }

  // Runs a command and returns the printed answer.
  async cli(...command) {
    const run = promisify(execFile)('redis-cli', ['-h', HOST, '-p', String(this.port), ...command.map(String)], { timeout: 5_000 });
    const { stdout } = await run;
    const answer = stdout.trimEnd();
    assert.doesNotMatch(answer, /^(ERR|WRONG\w*|NOAUTH|CLUSTERDOWN|MOVED|Could not connect)\b/, `${command.join(' ')}: ${answer}`);
    return answer;
  }
}

// Three masters, with one replica each if asked for.
export class RedisCluster {
  static async begin(test, { replicas = false } = {}) {
    const cluster = new RedisCluster();
    const count = replicas ? 6 : 3;
    const ports = await freePorts(count * 2);
    cluster.nodes = await Promise.all(
      Array.from({ length: count }, (_, i) =>
        Redis.begin(test, {
          port: ports[2 * i],
          'cluster-enabled': 'yes',
          'cluster-port': ports[2 * i + 1],
          'cluster-node-timeout': 1_000,
          'cluster-config-file': 'nodes.conf',
          'cluster-replica-validity-factor': 0,
          'repl-diskless-sync-delay': 0,
        }),
      ),
    );
    const [first, second, third, ...others] = cluster.nodes;
    const share = Math.ceil(SLOTS / 3);
    for (const [i, node] of [first, second, third].entries()) {
      await node.cli('CLUSTER', 'ADDSLOTSRANGE', i * share, Math.min((i + 1) * share, SLOTS) - 1);
      await node.cli('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
    }
    for (const [i, node] of cluster.nodes.entries()) {
      if (i) await first.cli('CLUSTER', 'MEET', HOST, node.port, ports[2 * i + 1]);
    }
    for (const [i, node] of others.entries()) {
      const master = await cluster.nodes[i].cli('CLUSTER', 'MYID');
      await eventually(() => node.cli('CLUSTER', 'REPLICATE', master).then((answer) => answer === 'OK'), 'waiting for a replica to know its master');
    }
    await cluster.settled(3, replicas ? 3 : 0);
    return cluster;
  }

  get urls() {
    return this.nodes.map(({ url }) => url);
  }

  // The rows of CLUSTER NODES as one node sees them.
  async #rows(node) {
    const rows = (await node.cli('CLUSTER', 'NODES')).split('\n');
    return rows.map((row) => {
      const [id, address, flags, master, , , , link, ...slots] = row.split(' ');
      return { id, port: Number(/:(\d+)@/.exec(address)[1]), flags: flags.split(','), master, link, slots };
    });
  }

  // Waits until all running nodes agree, and all slots are served.
  async settled(masters = 3, replicas = 0) {
    await eventually(async () => {
      for (const node of this.nodes.filter(({ stopped }) => !stopped)) {
        if (!(await node.cli('CLUSTER', 'INFO')).includes('cluster_state:ok')) return false;
        const rows = await this.#rows(node);
        const healthy = rows.filter(({ flags, link }) => !flags.some((flag) => /fail|handshake|noaddr/.test(flag)) && link === 'connected');
        if (healthy.filter(({ flags, slots }) => flags.includes('master') && slots.length).length < masters) return false;
        if (healthy.filter(({ flags }) => flags.includes('slave')).length < replicas) return false;
      }
      return true;
    }, 'waiting for the Redis Cluster to settle');
  }

  // The number of the slot of a channel.
  async slot(channel) {
    return Number(await this.nodes[0].cli('CLUSTER', 'KEYSLOT', channel));
  }

  // The master that serves a slot.
  async owner(slot) {
    const viewer = this.nodes.find(({ stopped }) => !stopped);
    const rows = await this.#rows(viewer);
    const row = rows.find(({ flags, slots }) =>
      flags.includes('master') && !flags.includes('fail') && slots.some((range) => {
        const [from, to = from] = range.split('-').map(Number);
        return from <= slot && slot <= to;
      }),
    );
    return this.nodes.find(({ port }) => port === row?.port);
  }

  // Moves a slot to another master, as `redis-cli --cluster reshard` does. It has no keys.
  async move(slot) {
    const from = await this.owner(slot);
    const masters = (await this.#rows(from)).filter(({ flags }) => flags.includes('master'));
    const to = this.nodes.find(({ port }) => port !== from.port && masters.some((row) => row.port === port));
    const [fromId, toId] = await Promise.all([from.cli('CLUSTER', 'MYID'), to.cli('CLUSTER', 'MYID')]);
    await to.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
    await from.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
    for (const node of [to, from, ...this.nodes.filter((other) => other !== to && other !== from)]) {
      // Replicas refuse it, and learn of it from their masters.
      await node.cli('CLUSTER', 'SETSLOT', slot, 'NODE', toId).catch(() => {});
    }
    await eventually(async () => (await this.owner(slot)) === to, 'waiting for the slot to move');
    return { from, to };
  }
}

// A server with a replica, and a Sentinel that watches them.
export class RedisSentinel {
  static async begin(test, name = 'main') {
    const group = new RedisSentinel();
    group.name = name;
    group.master = await Redis.begin(test, { 'repl-diskless-sync-delay': 0 });
    group.replica = await Redis.begin(test, { replicaof: `${HOST} ${group.master.port}`, 'repl-diskless-sync-delay': 0 });
    await eventually(async () => (await group.replica.cli('INFO', 'replication')).includes('master_link_status:up'), 'waiting for the replica');
    group.sentinel = await Redis.begin(test, {
      sentinel: [
        `sentinel monitor ${name} ${HOST} ${group.master.port} 1`,
        `sentinel down-after-milliseconds ${name} 700`,
        `sentinel failover-timeout ${name} 3000`,
      ],
    });
    const known = async () => (await group.sentinel.cli('SENTINEL', 'REPLICAS', name)).includes(String(group.replica.port));
    await eventually(known, 'waiting for Sentinel to know the replica');
    return group;
  }

  get urls() {
    return [this.sentinel.url];
  }

  // Waits until Sentinel names another master.
  async failedOver() {
    await eventually(
      async () => (await this.sentinel.cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', this.name)).endsWith(String(this.replica.port)),
      'waiting for the failover',
      30_000,
    );
  }
}
