import { connect } from "../server";

const client = connect("ws://127.0.0.1/ws");

// expected: TS2322
const receipt: { length: string } = await client.request("message", { to: "", text: "" });
export { receipt };
