import { connect } from "../server";

const client = connect("ws://127.0.0.1/ws");

// expected: TS2345
client.emit("mesage", { to: "", text: "" });
