// Prints packets with the reference's encodings, to compare other encoders with them.
//
//     node codec.mjs [SEED [COUNT]]
//
// The same seed gives the same lines. Each line is a JSON object, in which binary data is
// {"$binary": BASE64}.
//
// {"kind": "engine", "packets": [{"type": "message", "data": …}, …], "frames": […], "payload": "…"}
//   Engine.IO packets; the WebSocket message of each (`encodePacket` of engine.io-parser, text or
//   binary); and the polling body of all (`encodePayload`).
// {"kind": "socket", "packet": {"type": 2, "nsp": "/", "id": 1, "data": […]}, "encoded": […]}
//   A Socket.IO packet and its messages (`Encoder` of socket.io-parser): one text, followed by the
//   attachments. `type` is that before encoding: an EVENT or ACK with binary data is encoded as
//   BINARY_EVENT or BINARY_ACK. `id` and `data` may be missing.
// {"kind": "msgpack", "packet": …, "encoded": {"$binary": …}}
//   The same with socket.io-msgpack-parser. The order of keys is not specified, so decode it.
//
// The keys of objects are sorted by their UTF-8, and all encoders write the numbers alike.

import { encodePacket, encodePayload } from 'engine.io-parser';
import { Encoder, PacketType } from 'socket.io-parser';
import msgpack from 'socket.io-msgpack-parser';

const [seed = 1, count = 1000] = process.argv.slice(2).map(Number);

// The pseudorandom number generator Mulberry32.
let state = seed >>> 0;
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

const below = (limit) => Math.floor(random() * limit);
const pick = (list) => list[below(list.length)];
const list = (limit, make) => Array.from({ length: below(limit + 1) }, make);
const chance = (share) => random() < share;

const PIECES = [
  ...'abcxyz 0123456789-,/[]{}:',
  ...'"\\\b\f\n\r\t',
  '\u0000',
  '\u001e',
  '\u001f',
  '\u007f',
  'ü',
  'ß',
  '\u2028',
  '\u2029',
  '漢',
  '🎉',
  '</script>',
  '_placeholder',
];

const text = (limit = 12) => list(limit, () => pick(PIECES)).join('');
const bytes = () => Buffer.from(list(pick([3, 20, 300]), () => below(256)));

function number() {
  const magnitude = pick([1, 32, 128, 256, 65_536, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]);
  const whole = below(magnitude) * pick([1, -1]) || 0;
  return chance(0.8) ? whole : (below(1_000_000) * pick([1, -1])) / 8 || 0;
}

function object(depth, binary) {
  // JavaScript writes keys that look like an index first, and does not store a key named __proto__.
  const keys = new Set(list(5, () => `k${text(5)}`));
  const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return Object.fromEntries(sorted.map((key) => [key, value(depth - 1, binary)]));
}

function value(depth, binary) {
  if (binary && chance(0.25)) return bytes();
  if (depth > 0 && chance(0.5)) return chance(0.5) ? object(depth, binary) : list(4, () => value(depth - 1, binary));
  return pick([() => null, () => chance(0.5), number, () => text(), () => text()])();
}

// The limit of attachments in the decoders from npm.
const MAX_ATTACHMENTS = 10;

function attachments(value) {
  if (Buffer.isBuffer(value)) return 1;
  if (value === null || typeof value !== 'object') return 0;
  return Object.values(value).reduce((sum, inner) => sum + attachments(inner), 0);
}

const NAMESPACES = ['/', '/', '/', '/admin', '/room-42', '/a/b', '/ünï 🎉', '/with"quote', '/1'];

function socketPacket() {
  const type = pick([PacketType.CONNECT, PacketType.DISCONNECT, PacketType.CONNECT_ERROR, ...Array(6).fill(PacketType.EVENT), ...Array(4).fill(PacketType.ACK)]);
  const packet = { type, nsp: pick(NAMESPACES) };
  const id = () => pick([below(10), below(1000), 2 ** 32, Number.MAX_SAFE_INTEGER]);
  const binary = chance(0.5);
  switch (type) {
    case PacketType.CONNECT:
      if (chance(0.7)) packet.data = object(3, false);
      break;
    case PacketType.CONNECT_ERROR:
      packet.data = { message: text(), ...(chance(0.5) ? { data: value(3, false) } : {}) };
      break;
    case PacketType.EVENT:
      if (chance(0.5)) packet.id = id();
      packet.data = [`e${text(8)}`, ...list(4, () => value(3, binary))];
      break;
    case PacketType.ACK:
      packet.id = id();
      packet.data = list(4, () => value(3, binary));
  }
  return attachments(packet.data ?? null) > MAX_ATTACHMENTS ? socketPacket() : packet;
}

function enginePacket() {
  const type = pick(['open', 'close', 'ping', 'pong', 'upgrade', 'noop', ...Array(10).fill('message')]);
  if (type === 'message') return { type, data: chance(0.3) ? bytes() : text(20) };
  const data = { open: '{"sid":"lv_VI97HAXpY6yYWAAAC"}', ping: pick(['', 'probe']), pong: pick(['', 'probe']) }[type];
  return data ? { type, data } : { type };
}

// The packet in the output format.
function plain(value) {
  if (Buffer.isBuffer(value)) return { $binary: value.toString('base64') };
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

const called = (encode) => new Promise((resolve) => encode(resolve));

for (let i = 0; i < count; i += 1) {
  const packets = [enginePacket(), ...list(4, enginePacket)];
  const frames = await Promise.all(packets.map((packet) => called((done) => encodePacket(packet, true, done))));
  const payload = await called((done) => encodePayload(packets, done));
  console.log(JSON.stringify(plain({ kind: 'engine', packets, frames, payload })));

  const packet = socketPacket();
  // The encoders may modify the packet.
  const printed = plain(packet);
  console.log(JSON.stringify({ kind: 'socket', packet: printed, encoded: plain(new Encoder().encode(packet)) }));
  console.log(JSON.stringify({ kind: 'msgpack', packet: printed, encoded: plain(new msgpack.Encoder().encode(packet)[0]) }));
}
