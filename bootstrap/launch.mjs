// Runs a program (`node launch.mjs PROGRAM ARGUMENT…`) that ends when its parent does, however the parent ended.
import { pathToFileURL } from "node:url";

process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
process.channel?.unref();
process.argv.splice(1, 1);
await import(pathToFileURL(process.argv[1]).href);
