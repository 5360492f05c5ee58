import { connect } from "../server";

const client = connect("ws://127.0.0.1/ws");

// expected: TS2554
client.emit("sum", 1, 2, 3);
