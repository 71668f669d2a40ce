import { Settings } from "../lib/env.ts";
import { remoteFaultOf } from "../lib/rpc/status.ts";
import { upload } from "./upload.ts";

try {
  const [path, ...others] = process.argv.slice(2);
  if (path === undefined || others.length > 0) throw new Error("needed: the path of one file or folder");
  const address = new Settings(process.env).address("AMAAS_GATEWAY_ADDRESS", "127.0.0.1:8001");
  process.stdout.write(`${await upload(path, address)}\n`);
} catch (failure) {
  process.stderr.write(`upload failed: ${remoteFaultOf(failure).message}\n`);
  process.exitCode = 1;
}
