// Engine.IO handshakes: the OPEN packet, refusals, cookies, other headers and CORS.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DIFFERENCES, serve } from './conformance.mjs';
import { upgrade } from './lib.mjs';
import { Polling, open, opened, refused, request } from './wire.mjs';

const PATHS = ['/socket.io/', '/socket.io', '/engine.io/', '/engine.io'];

test('a session opens over polling', async (t) => {
  const server = await serve(t);
  for (const path of PATHS) {
    const { status, headers, body } = await request(`${server.http}${path}?EIO=4&transport=polling`);
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/plain; charset=UTF-8');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['content-length'], String(body.length));
    const { sid, ...rest } = opened(body);
    assert.match(sid, /^[\w-]{20}$/);
    assert.deepEqual(rest, { upgrades: ['websocket'], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000 });
  }
});

test('a session opens over a WebSocket', async (t) => {
  const server = await serve(t, { PING_INTERVAL: '3000', PING_TIMEOUT: '2000', MAX_PAYLOAD: '1000' });
  for (const path of PATHS) {
    const { sid, ...rest } = (await open(t, server, path)).open;
    assert.match(sid, /^[\w-]{20}$/);
    assert.deepEqual(rest, { upgrades: [], pingInterval: 3000, pingTimeout: 2000, maxPayload: 1000 });
  }
});

test('the OPEN packet has its keys in the order of the reference', async (t) => {
  const server = await serve(t);
  const { body } = await request(`${server.http}/socket.io/?EIO=4&transport=polling`);
  assert.match(body, /^0\{"sid":"[\w-]{20}","upgrades":\["websocket"\],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000\}$/);
});

test('no upgrade is offered where only polling is allowed', async (t) => {
  const server = await serve(t, { TRANSPORTS: 'polling' });
  assert.deepEqual(opened((await request(`${server.http}/socket.io/?EIO=4&transport=polling`)).body).upgrades, []);
});

const ERRORS = {
  transport: { code: 0, message: 'Transport unknown' },
  sid: { code: 1, message: 'Session ID unknown' },
  method: { code: 2, message: 'Bad handshake method' },
  bad: { code: 3, message: 'Bad request' },
  forbidden: { code: 4, message: 'Forbidden' },
  version: { code: 5, message: 'Unsupported protocol version' },
};

test('an invalid request is answered with its error', async (t) => {
  const server = await serve(t);
  for (const path of PATHS) {
    const { sid } = await Polling.open(server, path);
    const webSocket = (await open(t, server, path)).open.sid;
    const wrong = [
      ['GET', '', 400, ERRORS.transport],
      ['GET', '?EIO=4', 400, ERRORS.transport],
      ['GET', '?EIO=4&transport=', 400, ERRORS.transport],
      ['GET', '?EIO=4&transport=tcp', 400, ERRORS.transport],
      ['GET', '?EIO=4&transport=webtransport', 400, ERRORS.transport],
      ['GET', '?EIO=4&transport=constructor', 400, ERRORS.transport],
      ['POST', `?EIO=4&transport=tcp&sid=${sid}`, 400, ERRORS.transport],
      ['GET', '?EIO=4&transport=polling&sid=nobody', 400, ERRORS.sid],
      ['GET', '?EIO=4&transport=polling&sid=__proto__', 400, ERRORS.sid],
      ['POST', '?EIO=4&transport=polling&sid=nobody', 400, ERRORS.sid],
      ['POST', '?EIO=4&transport=polling', 400, ERRORS.method],
      ['PUT', '?EIO=4&transport=polling', 400, ERRORS.method],
      ['DELETE', '?EIO=4&transport=polling', 400, ERRORS.method],
      ['GET', '?EIO=4&transport=websocket', 400, ERRORS.bad],
      ['GET', `?EIO=4&transport=websocket&sid=${sid}`, 400, ERRORS.bad],
      ['GET', `?EIO=4&transport=polling&sid=${webSocket}`, 400, ERRORS.bad],
      ['POST', `?EIO=4&transport=polling&sid=${webSocket}`, 400, ERRORS.bad],
      ['GET', `?EIO=3&transport=polling&sid=${sid}`, 400, ERRORS.bad],
      ['GET', `?transport=polling&sid=${sid}`, 400, ERRORS.bad],
      ['GET', '?EIO=3&transport=polling', 400, ERRORS.version],
      ['GET', '?transport=polling', 400, ERRORS.version],
      ['GET', '?EIO=5&transport=polling', 400, ERRORS.version],
    ];
    for (const [method, query, status, error] of wrong) {
      const answer = await request(`${server.http}${path}${query}`, { method });
      assert.deepEqual([answer.status, JSON.parse(answer.body)], [status, error], `${method} ${path}${query}`);
      assert.equal(answer.headers['content-type'], 'application/json');
      assert.equal(answer.headers['x-served'], undefined);
      assert.equal(answer.headers['set-cookie'], undefined);
    }
  }
});

test('a handshake may be refused by a hook', async (t) => {
  const server = await serve(t);
  for (const path of PATHS) {
    const answer = await request(`${server.http}${path}?EIO=4&transport=polling`, { headers: { 'x-forbid': 'yes' } });
    assert.deepEqual([answer.status, JSON.parse(answer.body)], [403, ERRORS.forbidden]);
    // The hook is not called for later requests.
    const session = await Polling.open(server, path);
    await session.post(path.startsWith('/engine.io') ? '4echo' : '40');
    assert.equal((await session.get({ headers: { 'x-forbid': 'yes' } })).status, 200);
  }
});

test('an invalid WebSocket handshake is refused', async (t) => {
  const server = await serve(t);
  for (const path of PATHS) {
    const { sid } = await Polling.open(server, path);
    const wrong = [
      ['', 'Transport unknown'],
      ['?EIO=4', 'Transport unknown'],
      ['?EIO=4&transport=tcp', 'Transport unknown'],
      ['?EIO=4&transport=websocket&sid=nobody', 'Session ID unknown'],
      [`?EIO=3&transport=websocket&sid=${sid}`, 'Bad request'],
    ];
    for (const [query, body] of wrong) assert.deepEqual(await refused(`${server.ws}${path}${query}`), { status: 400, body }, query);
    const forbidden = await refused(`${server.ws}${path}?EIO=4&transport=websocket`, { headers: { 'x-forbid': 'yes' } });
    assert.deepEqual(forbidden, { status: DIFFERENCES.forbiddenWebSocket, body: 'Forbidden' });
    // The reference closes these after the upgrade. No session opens.
    for (const query of ['?EIO=3&transport=websocket', '?transport=websocket', '?EIO=4&transport=polling']) {
      await refused(`${server.ws}${path}${query}`);
    }
  }
});

test('hooks add headers to the first response and to every response', async (t) => {
  const server = await serve(t);
  for (const path of PATHS) {
    const first = await request(`${server.http}${path}?EIO=4&transport=polling`);
    assert.deepEqual(first.headers['set-cookie'], ['one=1', 'two=2; Path=/', 'three=3; HttpOnly', 'four=4; SameSite=Lax']);
    assert.equal(first.headers['x-served'], 'yes');
    const session = new Polling(server, path, opened(first.body).sid);
    const poll = await session.waiting();
    const post = await request(session.url, { method: 'POST', body: '1' });
    for (const { status, headers } of [post, await poll.answer]) {
      assert.equal(status, 200);
      assert.equal(headers['x-served'], 'yes');
      assert.equal(headers['set-cookie'], undefined);
    }

    const { response, socket } = await upgrade(`${server.http}${path}?EIO=4&transport=websocket`);
    socket.destroy();
    assert.deepEqual(response.headers['set-cookie'], DIFFERENCES.webSocketCookies.standard);
    assert.equal(response.headers['x-served'], 'yes');
  }
});

test('a sticky cookie has the id of the session', async (t) => {
  const server = await serve(t, { COOKIE: 'io' });
  for (const path of PATHS) {
    const { headers, body } = await request(`${server.http}${path}?EIO=4&transport=polling`);
    assert.deepEqual(headers['set-cookie'], [
      `io=${opened(body).sid}; Path=/; HttpOnly; SameSite=Lax`,
      'one=1',
      'two=2; Path=/',
      'three=3; HttpOnly',
      'four=4; SameSite=Lax',
    ]);
    const { response, socket } = await upgrade(`${server.http}${path}?EIO=4&transport=websocket`);
    socket.destroy();
    const cookies = response.headers['set-cookie'].join();
    assert.equal(/(^|,)io=[\w-]{20}; Path=\/; HttpOnly; SameSite=Lax/.test(cookies), DIFFERENCES.webSocketCookies.sticky);
  }
});

test('other origins may read responses only if they are allowed', async (t) => {
  const origin = 'http://app.example';
  const server = await serve(t, { CORS_ORIGIN: origin });
  const url = `${server.http}/socket.io/?EIO=4&transport=polling`;
  const { headers, body } = await request(url, { headers: { origin } });
  assert.equal(headers['access-control-allow-origin'], origin);
  assert.equal(headers['access-control-allow-credentials'], 'true');
  assert.match(headers.vary, /origin/i);
  const session = new Polling(server, '/socket.io/', opened(body).sid);
  const post = await request(session.url, { method: 'POST', body: '40', headers: { origin } });
  assert.deepEqual([post.status, post.headers['access-control-allow-origin']], [200, origin]);
  const poll = await session.get({ headers: { origin } });
  assert.deepEqual([poll.status, poll.headers['access-control-allow-origin']], [200, origin]);
  const wrong = await request(`${server.http}/socket.io/?EIO=4`, { headers: { origin } });
  assert.deepEqual([wrong.status, wrong.headers['access-control-allow-origin']], [400, origin]);

  const preflight = { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' };
  const asked = await request(session.url, { method: 'OPTIONS', headers: preflight });
  assert.ok([200, 204].includes(asked.status), `${asked.status}`);
  assert.equal(asked.headers['access-control-allow-origin'], origin);
  assert.equal(asked.headers['access-control-allow-credentials'], 'true');
  assert.match(asked.headers['access-control-allow-methods'], /POST/);
  assert.match(asked.headers['access-control-allow-headers'], /content-type|\*/i);

  const stranger = await request(url, { headers: { origin: 'http://other.example' } });
  assert.notEqual(stranger.headers['access-control-allow-origin'], 'http://other.example');
  assert.notEqual(stranger.headers['access-control-allow-origin'], '*');
});

test('without CORS no response has its headers', async (t) => {
  const server = await serve(t);
  const { headers } = await request(`${server.http}/socket.io/?EIO=4&transport=polling`, { headers: { origin: server.http } });
  for (const name of Object.keys(headers)) assert.doesNotMatch(name, /^access-control/);
});
