import { spawn } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import { expect } from "chai";
import type { Log } from "../lib/log.ts";
import { runStopSteps, StepOverdue } from "../lib/stop-steps.ts";
import { loaderArgs } from "./repository.ts";

const never = new Promise<never>(() => undefined);

describe("the steps of a stop", () => {
  let overdue: unknown[];
  const log = { error: (fields: { readonly step: string }) => overdue.push(fields.step) } as unknown as Log;
  const failuresOf = (stop: Promise<void>): Promise<readonly unknown[]> =>
    stop.then(
      () => [],
      (failure: AggregateError) => failure.errors,
    );

  beforeEach(() => {
    overdue = [];
  });

  it("run in their order, one after the other, also behind those that fail", async () => {
    const ran: string[] = [];
    const unable = new Error("unable");
    const steps: [string, () => unknown][] = [
      ["first", () => new Promise<void>((resolve) => setImmediate(() => resolve(void ran.push("first"))))],
      ["second", () => Promise.reject(unable)],
      ["third", () => ran.push("third")],
    ];
    expect(await failuresOf(runStopSteps(steps, { msMax: 10_000, log }))).to.deep.equal([unable]);
    expect(ran).to.deep.equal(["first", "third"]);
    expect(overdue).to.deep.equal([]);
  });

  it("are named and left behind where they do not end in time, those after them begun all the same", async () => {
    const ran: string[] = [];
    const steps: [string, () => unknown][] = [
      ["server", () => ran.push("server")],
      ["sessions", () => never],
      ["client", () => ran.push("client")],
      ["metrics", () => never],
    ];
    const failures = await failuresOf(runStopSteps(steps, { msMax: 20, log }));
    expect(ran).to.deep.equal(["server", "client"]);
    expect(overdue).to.deep.equal(["sessions", "metrics"]);
    expect(failures.map((failure) => failure instanceof StepOverdue && failure.message)).to.deep.equal(
      ["sessions", "metrics"].map((name) => `stopping ${name} did not end: the shutdown may take 20 ms`),
    );
  });

  it("that were left behind do not keep the process", async () => {
    const child = spawn(process.execPath, [...loaderArgs, "--input-type=module", "--eval", stuckService], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let said = "";
    child.stderr!.on("data", (bytes: Buffer) => {
      said += bytes.toString();
    });
    const exited = once(child, "exit");
    await once(child, "message");
    child.kill("SIGTERM");
    expect(await exited).to.deep.equal([null, "SIGKILL"]);
    expect(said).to.contain("the shutdown left work behind");
  });
});

/** A service one of whose steps does not end. */
const moduleUrl = (path: string) => new URL(`${path}${extname(import.meta.url)}`, import.meta.url);

const stuckService = `
  import { createLog } from "${moduleUrl("../lib/log")}";
  import { runProcess } from "${moduleUrl("../lib/process")}";
  import { runStopSteps } from "${moduleUrl("../lib/stop-steps")}";
  const timer = setInterval(() => undefined, 1000);
  const log = createLog("stuck", "silent");
  await runProcess(process, () => ({
    start: async () => ({ port: 1 }),
    stop: () => runStopSteps([["sessions", () => new Promise(() => undefined)]], { msMax: 20, log }),
  }));
`;
