import { appendFileSync } from "node:fs";
import { createServer } from "node:net";

/**
 * A service as the supervisor sees one: listens, tells its parent, drains on SIGTERM and when the parent is gone.
 *
 * Every event goes to the journal as one JSON line. Options: `journal` a file, `endAfterMs` and `exitCode` end it unasked,
 * `complaint` goes to standard error before anything else, `drainMs` how long it drains, `deaf` never tells its parent.
 */
export function serve(name, { journal, endAfterMs, exitCode = 1, complaint, drainMs = 0, deaf = false }) {
  const note = (event, details = {}) =>
    appendFileSync(journal, `${JSON.stringify({ name, event, pid: process.pid, ...details })}\n`);
  const env = Object.fromEntries(Object.entries(process.env).filter(([variable]) => /^(AMAAS|MALLOC)_/.test(variable)));
  note("started", { env });
  if (complaint !== undefined) {
    process.stderr.write(`${complaint}\n`);
    process.exit(exitCode);
  }
  const server = createServer((socket) => socket.end(`${process.pid}\n`));
  let draining = false;
  const drain = (why) => {
    if (draining) return;
    draining = true;
    server.close();
    note("draining", { why });
    setTimeout(() => {
      note("ended");
      process.exit(0);
    }, drainMs);
  };
  process.on("SIGTERM", () => drain("SIGTERM"));
  process.once("disconnect", () => drain("disconnect"));
  server.listen(Number(process.env[`AMAAS_${name.toUpperCase()}_PORT`]), "127.0.0.1", () => {
    note("listening");
    if (!deaf) process.send({ type: "listening", port: server.address().port });
    if (endAfterMs !== undefined) setTimeout(() => process.exit(exitCode), endAfterMs);
  });
}
