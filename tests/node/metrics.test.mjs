// The `metrics` example: what Prometheus says after known work, its alert rules, and the dashboard.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { io } from 'socket.io-client';
import { launch } from './browser.mjs';
import { Feed, LIMIT, built, run, within } from './lib.mjs';

const directory = fileURLToPath(new URL('../../examples/metrics', import.meta.url));
const SCREENSHOTS = path.join(built, '../screenshots');
const promtool = (...args) => promisify(execFile)('promtool', args, { cwd: directory });

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

// A Prometheus that scrapes `target`. `query` resolves with the values of an expression, by labels.
async function prometheus(test, target) {
  const data = await mkdtemp(path.join(tmpdir(), 'socketio-prometheus-'));
  const rules = path.join(directory, 'alerts.yml');
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [rules],
    scrape_configs: [{ job_name: 'socketio', static_configs: [{ targets: [target] }] }],
  };
  // JSON is YAML.
  await writeFile(path.join(data, 'prometheus.yml'), JSON.stringify(config));
  const port = await freePort();
  const args = [`--config.file=${data}/prometheus.yml`, `--storage.tsdb.path=${data}/data`, `--web.listen-address=127.0.0.1:${port}`];
  const program = spawn('prometheus', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(program, 'close');
  test.after(async () => {
    program.kill('SIGKILL');
    await ended;
    await rm(data, { recursive: true });
  });
  const log = new Feed();
  createInterface({ input: program.stderr }).on('line', (line) => log.push(line));
  await log.until((lines) => lines.find((line) => line.includes('Server is ready')), 'waiting for Prometheus');

  const get = async (request) => {
    const response = await (await fetch(`http://127.0.0.1:${port}/api/v1/${request}`)).json();
    assert.equal(response.status, 'success', JSON.stringify(response));
    return response.data;
  };
  const query = async (expression) => {
    const { result } = await get(`query?query=${encodeURIComponent(expression)}`);
    return result.map(({ metric, value }) => [metric, Number(value[1])]);
  };
  return { get, query, pages: `http://127.0.0.1:${port}` };
}

// Repeats `attempt` until it does not throw.
async function eventually(attempt, what) {
  let last;
  let isOver = false;
  const succeed = async () => {
    while (!isOver) {
      try {
        return await attempt();
      } catch (error) {
        last = error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };
  try {
    return await within(succeed(), () => `${what}: ${last}`);
  } finally {
    isOver = true;
  }
}

async function connect(test, http, options) {
  const socket = io(http, { forceNew: true, reconnection: false, ...options });
  test.after(() => socket.disconnect());
  await within(once(socket, 'connect'), 'waiting for the connection');
  return socket;
}

test('the figures of Prometheus are those of the work that clients did', async (t) => {
  const example = await run(t, 'metrics');
  const address = (await example.line(/^Prometheus scrapes /)).match(/http:\/\/([^/]+)\/metrics/)[1];
  const { get, query, pages } = await prometheus(t, address);

  const [ann, bob] = [await connect(t, example.http, { transports: ['websocket'] }), await connect(t, example.http, { transports: ['polling'] })];
  const gone = await connect(t, example.http, { transports: ['websocket'] });
  gone.disconnect();
  ann.on('question', (answer) => answer('yes'));
  // Bob does not answer.
  bob.on('question', () => {});
  for (let number = 0; number < 5; number += 1) assert.equal(await ann.emitWithAck('divide', 10, 2), 5);
  assert.equal((await ann.emitWithAck('divide', 1, 0)).error.code, 'not_a_number');
  assert.equal((await ann.emitWithAck('divide', 'x')).error.code, 'invalid_payload');
  await ann.emitWithAck('join', 'a');
  await bob.emitWithAck('join', 'a');
  await bob.emitWithAck('join', 'b');
  assert.equal(await ann.emitWithAck('ask me'), 'yes');
  assert.equal((await bob.emitWithAck('ask me')).error.code, 'no_answer');
  const told = [ann, bob].map((client) => within(once(client, 'said'), 'waiting for the broadcast'));
  await bob.emitWithAck('say', 'hello');
  await Promise.all(told);
  // A hostile name is no label, and breaks no line.
  const hostile = 'x"} 1\nsocketio_forged{a="';
  assert.equal((await ann.emitWithAck(hostile)).error.code, 'unknown_event');

  const labels = (metric, ...names) => names.map((name) => metric[name]).join(' ');
  const by = async (expression, ...names) => Object.fromEntries((await query(expression)).map(([metric, value]) => [labels(metric, ...names), value]));
  await eventually(async () => {
    assert.deepEqual(await by('socketio_server_active_connections', 'socketio_transport'), { web_sockets: 1, long_polling: 1 });
    assert.deepEqual(await by('socketio_server_connections_opened_total'), { '': 3 });
    assert.deepEqual(await by('socketio_server_connections_closed_total > 0', 'socketio_reason'), { transport_close: 1 });
    assert.deepEqual(await by('socketio_server_connection_duration_seconds_count > 0', 'socketio_connection_status', 'socketio_transport'), {
      'normal_closure web_sockets': 1,
    });
    assert.deepEqual(await by('socketio_server_sockets'), { '': 2 });
    assert.deepEqual(await by('socketio_server_rooms'), { '': 2 });
    assert.deepEqual(await by('socketio_server_namespaces'), { '': 1 });
    // Received: 3 CONNECT, a DISCONNECT, 14 events, and the answer of Ann. Sent: 3 CONNECT, 14
    // answers, 2 questions and 2 broadcasts.
    assert.deepEqual(await by('socketio_server_messages_total', 'network_io_direction'), { receive: 19, transmit: 21 });
    assert.deepEqual(await by('socketio_server_ack_requests_total'), { '': 2 });
    assert.deepEqual(await by('socketio_server_ack_timeouts_total'), { '': 1 });
    assert.deepEqual(await by('socketio_server_acks_pending'), { '': 0 });
    assert.deepEqual(await by('socketio_server_events_rejected_total > 0', 'socketio_reason'), { unknown: 1, invalid_payload: 1 });
    assert.deepEqual(await by('socketio_server_handler_duration_seconds_count > 0', 'socketio_event', 'socketio_outcome'), {
      'divide ok': 5,
      'divide error': 1,
      'divide invalid_payload': 1,
      'join ok': 3,
      'ask me ok': 1,
      'ask me error': 1,
      'say ok': 1,
    });
    const [bytes] = await query('sum(socketio_server_bytes_total)');
    assert.ok(bytes[1] > 500, `${bytes[1]} bytes`);
  }, 'waiting for the figures');

  const slow = await query('histogram_quantile(0.5, sum by (le) (socketio_server_handler_duration_seconds_bucket{socketio_event="ask me", socketio_outcome="error"}))');
  assert.ok(slow[0][1] > 0.1, 'the question had 0.2 s');
  const events = await get('label/socketio_event/values');
  assert.deepEqual(events.filter((name) => name !== '_other'), ['ask me', 'divide', 'join', 'say']);
  assert.deepEqual(await query('socketio_forged'), []);

  // Prometheus has loaded the rules, and can evaluate each of them.
  const { groups } = await eventually(async () => {
    const loaded = await get('rules');
    for (const { name, health, lastError } of loaded.groups[0].rules) assert.equal(health, 'ok', `${name}: ${lastError ?? 'not evaluated'}`);
    return loaded;
  }, 'waiting for the rules');
  assert.ok(groups[0].rules.length > 5);

  // Each metric of the dashboard and of the alerts exists, and each expression can be evaluated.
  // A server that is not in a cluster has no metrics of one.
  const known = new Set(await get('label/__name__/values'));
  const { panels } = JSON.parse(await readFile(path.join(directory, 'dashboard.json')));
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  assert.ok(expressions.length > 20);
  const own = expressions.map((expression) => expression.replaceAll('$__rate_interval', '1m').replaceAll('$job', 'socketio').replaceAll('$instance', '.*'));
  for (const expression of own) await query(expression);
  const used = [...own, ...groups[0].rules.map((rule) => rule.query)].flatMap((expression) => expression.match(/\bsocketio_(server|cluster)_\w+/g) ?? []);
  const page = await readFile(path.join(directory, '../../socketio/src/docs/metrics.md'), 'utf8');
  const documented = new Set([...page.matchAll(/^\| `(socketio\.cluster\.\w+)` \| (counter|up-down counter) /gm)].map(([, name, kind]) => name.replaceAll('.', '_') + (kind === 'counter' ? '_total' : '')));
  assert.deepEqual([...new Set(used)].filter((name) => !known.has(name) && !documented.has(name)), []);
  assert.ok(used.some((name) => name.startsWith('socketio_cluster_')));

  // Screenshots of the pages of Prometheus, for people to look at.
  const browser = await launch(t);
  // Debian has them below `/classic/`.
  const front = (await fetch(pages)).url;
  const view = await browser.newPage({ viewport: { width: 1200, height: 800 } });
  const graph = `graph?g0.tab=0&g0.range_input=5m&g0.expr=${encodeURIComponent('sum by (network_io_direction) (socketio_server_messages_total)')}`;
  for (const [name, address, text] of [['targets', 'targets', 'UP'], ['alerts', 'alerts', groups[0].rules[0].name], ['graph', graph, 'transmit']]) {
    await view.goto(new URL(address, front).href);
    await view.getByText(text).first().waitFor({ timeout: LIMIT });
    await view.screenshot({ path: path.join(SCREENSHOTS, `prometheus-${name}.png`) });
  }
});

test('the alert rules are valid and fire when they should', async () => {
  await promtool('check', 'rules', 'alerts.yml');
  await promtool('test', 'rules', 'alerts.test.yml');
  await promtool('check', 'config', 'prometheus.yml');
  const [rules, tests] = [await readFile(path.join(directory, 'alerts.yml'), 'utf8'), await readFile(path.join(directory, 'alerts.test.yml'), 'utf8')];
  const names = (text, pattern) => [...text.matchAll(pattern)].map(([, name]) => name);
  const declared = names(rules, /- alert: (\w+)/g);
  assert.deepEqual(names(tests, /alertname: (\w+)/g), declared);
  const page = await readFile(path.join(directory, '../../socketio/src/docs/metrics.md'), 'utf8');
  assert.deepEqual(names(page, /^\| `(Socketio\w+)` \|/gm), declared);
});
