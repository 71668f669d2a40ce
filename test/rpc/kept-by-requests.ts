import { once } from "node:events";
import { connect, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { lightenBindings } from "../../lib/rpc/light-bindings.ts";

// Tells, as a program of its own, how many bytes of each request of HTTP/2 outlive a collection of young objects.
const collect = (globalThis as { gc?: (options?: { readonly type: "minor" }) => void }).gc!;
lightenBindings();
const server = createServer((_, response) => response.end());
server.listen(0, "127.0.0.1");
await once(server, "listening");
const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
const ask = async (count: number) => {
  for (let done = 0; done < count; done++) await once(session.request({ ":path": "/" }).resume(), "close");
};
await ask(100);
collect();
const count = 400;
await ask(count);
for (let time = 0; time < 4; time++) collect({ type: "minor" });
const { heapUsed } = process.memoryUsage();
collect();
console.log((heapUsed - process.memoryUsage().heapUsed) / count);
session.close();
server.close();
