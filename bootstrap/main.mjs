// The entry of every command: `npm start`, `npm test`, `npm run bench` and so on. Nothing here or in node-version.mjs
// may need more than Node 12.17: whoever has an old Node should read a sentence, not a syntax error.
import { nodeComplaint } from "./node-version.mjs";

const complaint = nodeComplaint(process.versions.node, "20.19");
if (complaint === null) {
  void import("./commands.mjs").then((commands) => commands.run(process.argv[2], process.argv.slice(3)));
} else {
  console.error(`amaas: ${complaint}`);
  process.exitCode = 1;
}
