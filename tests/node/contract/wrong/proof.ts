import { connect } from "../server";

// expected: TS2322
connect("ws://127.0.0.1/ws", { auth: async () => ({ secret: "good" }) });
