// The reference server, tuned as its documentation advises: native masking and validation of UTF-8 (the add-ons are picked
// up where they are installed), and the first HTTP request of each connection is let go of.

import { createServer } from 'node:http';
import { Server } from 'socket.io';

const server = createServer();
const io = new Server(server);
io.engine.on('connection', (connection) => {
  connection.request = null;
});
io.on('connection', (socket) => {
  socket.on('echo', (message) => socket.emit('echo', message));
  socket.on('ack', (message, answer) => answer(message));
  socket.on('broadcast', (message) => io.emit('broadcast', message));
});
server.listen(0, '127.0.0.1', () => console.log(`node listens on http://127.0.0.1:${server.address().port}`));
