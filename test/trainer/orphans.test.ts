import { once } from "node:events";
import { expect } from "chai";
import { startProcess } from "../../lib/start-process.ts";

describe("a process of a job", () => {
  it("ends with its trainer, also where that is gone before it has begun", async () => {
    const main = new URL("../../services/trainer/job-process/main", import.meta.url);
    const child = startProcess(main, [], { execArgv: [], stdio: ["ignore", "ignore", "ignore", "ipc"] });
    const ended = once(child, "exit");
    child.disconnect();
    expect(await ended).to.deep.equal([null, "SIGKILL"]);
  });
});
