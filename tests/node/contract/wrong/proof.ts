import { connect } from "../server";

connect("ws://127.0.0.1/ws", {
  // expected: TS2322
  auth: async () => ({ secret: "good" }),
});
