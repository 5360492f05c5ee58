import { connect } from "../server";

const client = connect("ws://127.0.0.1/ws");

// expected: TS2322
client.emit("upload", { name: "", content: new ArrayBuffer(1) });
