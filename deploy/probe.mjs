// node deploy/probe.mjs HOST:PORT: exits 0 where the service there answers SERVING (grpc.health.v1), else 1 and says why.
import { credentials, makeClientConstructor } from "@grpc/grpc-js";
import { service } from "grpc-health-check";

const deadlineMs = 2_000;

const [address] = process.argv.slice(2);
const Health = makeClientConstructor(service, "grpc.health.v1.Health");
const client = new Health(address ?? "", credentials.createInsecure());
client.check({ service: "" }, { deadline: Date.now() + deadlineMs }, (failure, response) => {
  if (response?.status !== "SERVING") {
    console.error(`${address}: ${failure?.message ?? response?.status}`);
    process.exitCode = 1;
  }
  client.close();
});
