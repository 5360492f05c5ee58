// The reference server, tuned as its documentation advises: native add-ons for masking and UTF-8
// validation, which are used if installed, and no reference to the first HTTP request of each
// connection.

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
