// Typed requests of the server to the client from npm.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { LIMIT, ask, matrix } from './conformance.mjs';

matrix(({ connect }) => {
  test('a request is answered with the declared type, binary data included', async (t) => {
    const socket = await connect(t);
    socket.on('riddle', ({ text, picture }, answer) => {
      const word = `${text}, ${picture}`;
      if (text === 'plain') return answer({ word, surplus: [1] }, 'surplus');
      answer({ word, sketch: Buffer.from(picture).reverse() });
    });
    assert.deepEqual(await ask(socket, 'request', LIMIT, 'plain'), [{ solved: { word: 'plain, plain' } }]);
    const [{ solved }] = await ask(socket, 'request', LIMIT, 'abc');
    assert.deepEqual({ ...solved, sketch: Buffer.from(solved.sketch) }, { word: 'abc, abc', sketch: Buffer.from('cba') });
  });

  test('errors, answers and invalid acks are told apart', async (t) => {
    const socket = await connect(t);
    const error = { code: 'busy', message: 'not now' };
    const answers = {
      failed: [{ error }],
      more: [{ error: { ...error, path: 'a.b', data: [1] } }],
      nothing: [],
      null: [null],
      other: ['busy'],
      wrong: [{ word: 3 }],
      'no code': [{ error: { message: 'not now' } }],
      'a field beside it': [{ error, more: 1 }],
      'an argument beside it': [{ error }, 1],
      'a solution with an error': [{ word: 'x', error }],
    };
    socket.on('riddle', ({ text }, answer) => answer(...answers[text]));
    const outcomes = {};
    for (const text of Object.keys(answers)) [outcomes[text]] = await ask(socket, 'request', LIMIT, text);
    const invalid = { missing: 'invalid' };
    assert.deepEqual(outcomes, {
      failed: { failed: error },
      more: { failed: error },
      nothing: invalid,
      null: invalid,
      other: invalid,
      wrong: invalid,
      'no code': invalid,
      'a field beside it': invalid,
      'an argument beside it': invalid,
      'a solution with an error': { solved: { word: 'x' } },
    });
  });

  test('a request without an ack times out', async (t) => {
    const socket = await connect(t);
    const answers = [];
    socket.on('riddle', (_, answer) => answers.push(answer));
    assert.deepEqual(await ask(socket, 'request', 20, 'first'), [{ missing: 'timeout' }]);
    // A late ack does not answer the next request.
    answers[0]({ word: 'late' });
    const second = ask(socket, 'request', LIMIT, 'second');
    while (answers.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    answers[1]({ word: 'in time' });
    assert.deepEqual(await second, [{ solved: { word: 'in time' } }]);
  });

  test('a late ack of a lost connection does not answer a request of the next one', async (t) => {
    const socket = await connect(t);
    const answers = [];
    socket.on('riddle', ({ text }, answer) => {
      // The client from npm sends the ack of the first riddle over its new connection.
      if (text === 'second') answers[0]({ word: 'late' });
      answers.push(answer);
      if (text === 'second') answer({ word: 'in time' });
    });
    socket.emit('request', LIMIT, 'first');
    while (answers.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
    socket.disconnect();
    socket.connect();
    assert.deepEqual(await ask(socket, 'request', LIMIT, 'second'), [{ solved: { word: 'in time' } }]);
  });

  test('a request to a room collects acks by socket and lists the missing ones', async (t) => {
    const sockets = await Promise.all(Array.from({ length: 4 }, () => connect(t)));
    const room = randomUUID();
    for (const socket of sockets) await ask(socket, 'join', room);
    const [solves, fails, errs] = sockets;
    solves.on('riddle', ({ text }, answer) => answer({ word: text }));
    fails.on('riddle', (_, answer) => answer({ error: { code: 'busy', message: 'not now' } }));
    errs.on('riddle', (_, answer) => answer(3));
    const [outcomes] = await ask(solves, 'survey', { to: [room] }, 300, 'who?');
    const expected = [
      { solved: { word: 'who?' } },
      { failed: { code: 'busy', message: 'not now' } },
      { missing: 'invalid' },
      { missing: 'timeout' },
    ];
    const byId = sockets.map(({ id }, i) => [id, expected[i]]).sort(([one], [other]) => (one < other ? -1 : 1));
    assert.deepEqual(outcomes, byId);
    assert.deepEqual(await ask(solves, 'survey', { to: [randomUUID()] }, LIMIT, 'anybody?'), [[]]);
  });
});
