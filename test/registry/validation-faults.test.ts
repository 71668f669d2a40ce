import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { ManualClock } from "../manual-clock.ts";
import { begin } from "./begun-version.ts";
import { Inbox } from "./inbox.ts";
import { addingModel, linearModel } from "./onnx-files.ts";
import { ownRegistry } from "./own-registry.ts";
import { endlessModel, hungryModel, slowModel } from "./raw-models.ts";
import { spawnRegistry } from "./registry-process.ts";
import { callMsMax, clientsOf, faultOf, publish, sha256Of, upload } from "./running-registry.ts";
import { busyValidator, nextValidator, processGone, validatorsOf } from "./validator-processes.ts";

describe("validation survives", () => {
  const own = ownRegistry();

  afterEach(async () => {
    expect(await validatorsOf()).to.deep.equal([]);
  });

  it("models that do not end, and the next one is validated", async () => {
    // So long that the next one is tried in time where the machine has other work too.
    const { registry } = await own.start({ AMAAS_VALIDATION_TIMEOUT_MS: "4000" });
    const fault = await faultOf(publish(registry, "m", endlessModel()));
    expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "ARTIFACT_INVALID" });
    expect(fault.message).to.contain("it took longer than 4 s");
    expect(await validatorsOf()).to.deep.equal([]);
    const after = await begin(own.running, linearModel());
    await after.becomes("VERSION_STATE_READY");
  });

  it("models that fill the memory, and the next one is validated", async () => {
    const { registry } = await own.start({ AMAAS_VALIDATION_MEMORY_BYTES_MAX: String(512 * 1024 ** 2) });
    const filling = await faultOf(publish(registry, "m", hungryModel(2n ** 27n - 1n)));
    expect(filling.message).to.contain(`it needed more than ${512 * 1024 ** 2} bytes of memory`);
    const asking = await faultOf(publish(registry, "m", hungryModel(2n ** 42n)));
    expect(asking.message).to.contain("requested buffer of size 17592186044416");
    expect(await publish(registry, "m", linearModel())).to.include({ state: "VERSION_STATE_READY" });
    // What a registry with more memory would not say of the same model is not kept.
    const again = await begin(own.running, hungryModel(2n ** 42n));
    await again.becomes("VERSION_STATE_VALIDATING");
    await again.becomes("VERSION_STATE_REJECTED");
  });

  for (const [when, victim] of [
    ["as soon as it has started", nextValidator],
    ["in the midst of a model", busyValidator],
  ] as const) {
    it(`a validator that is killed ${when}: the model is tried again`, async () => {
      const { becomes } = await begin(await own.start(), slowModel());
      process.kill(await victim(), "SIGKILL");
      expect(await becomes("VERSION_STATE_READY")).to.include({ stateReason: "" });
    });
  }

  it("a validator that is killed while it has nothing to do, which the next model does not notice", async () => {
    const { registry } = await own.start();
    await publish(registry, "m", linearModel());
    const [idle] = await validatorsOf();
    process.kill(idle!, "SIGKILL");
    await processGone(idle!);
    expect(await publish(registry, "m", addingModel(4))).to.include({ state: "VERSION_STATE_READY" });
  });

  it("times without work: the process is given back, and started again when it is needed", async () => {
    const clock = new ManualClock();
    const { registry } = await own.start({}, clock);
    await publish(registry, "m", linearModel());
    const [idle] = await validatorsOf();
    clock.advance(61_000);
    // Where the catalogue cannot be read just then, it is looked at again a second later, before and after.
    const second = () => clock.advance(1000);
    await processGone(idle!, second);
    const time = setInterval(second, 200);
    try {
      expect(await publish(registry, "m", addingModel(5))).to.include({ state: "VERSION_STATE_READY" });
    } finally {
      clearInterval(time);
    }
  });

  it("a validator that dies of a model each time: the model is rejected", async () => {
    const { becomes } = await begin(await own.start(), endlessModel());
    const first = await busyValidator();
    process.kill(first, "SIGSEGV");
    process.kill(await busyValidator([first]), "SIGSEGV");
    expect((await becomes("VERSION_STATE_REJECTED")).stateReason).to.equal("the runtime crashed: SIGSEGV");
    await publish(own.running.registry, "m", linearModel());
  });

  it("a system that kills the validator whenever it has the model, a bounded number of times", async () => {
    const { becomes } = await begin(await own.start({ AMAAS_VALIDATION_ATTEMPTS_MAX: "2" }), endlessModel());
    const killed: number[] = [];
    // Each attempt is made with two processes.
    while (killed.length < 4) {
      killed.push(await busyValidator(killed));
      process.kill(killed.at(-1)!, "SIGKILL");
    }
    const reason = "the machine could not try it, 2 times; the last time: SIGKILL";
    expect((await becomes("VERSION_STATE_REJECTED")).stateReason).to.equal(reason);
  });

  it("kill -9 before a validator has started: none of that counts as an attempt at the model", async function () {
    this.timeout(60_000);
    const settings = { AMAAS_VALIDATION_ATTEMPTS_MAX: "1" };
    for (let round = 0; round < 4; round++) {
      const dying = await spawnRegistry(own.folder, settings);
      const clients = clientsOf(dying.address);
      const request = {
        parent: "models/m",
        version: { variants: [{ artifact: await upload(clients.registry, linearModel()) }] },
      };
      await clients.registry.unary("CreateVersion", {
        ...request,
        allowMissingModel: true,
        requestId: "r",
        noWait: true,
      });
      await nextValidator([], dying.pid);
      clients.close();
      await dying.kill();
    }
    const { registry } = await own.start(settings);
    const changes = new Inbox(registry.serverStream("WatchCatalogue", { resource: "models/m/versions/1" }));
    const settled = await changes.until("the outcome", () =>
      changes.messages
        .map(({ after }) => after?.version)
        .find((version) => version?.state !== "VERSION_STATE_VALIDATING"),
    );
    expect(settled).to.include({ state: "VERSION_STATE_READY", stateReason: "" });
  });

  it("a stop in the midst, and goes on after the start", async () => {
    const { request } = await begin(await own.start(), endlessModel(), "r");
    const validator = await nextValidator();
    const waiting = faultOf(own.running.registry.unary("CreateVersion", request, { timeoutMs: callMsMax }));
    await own.running.registry.unary("GetVersion", { name: "models/m/versions/1" });
    const stopped = own.running.stop();
    const fault = await waiting;
    expect(fault).to.include({ code: status.UNAVAILABLE, reason: "DRAINING" });
    expect(fault.metadata).to.deep.equal({ version: "models/m/versions/1" });
    await stopped;
    await processGone(validator);
    const { registry } = await own.start({ AMAAS_VALIDATION_TIMEOUT_MS: "1500" });
    expect(await registry.unary("GetVersion", { name: "models/m/versions/1" })).to.include({
      state: "VERSION_STATE_VALIDATING",
    });
    expect(await readdir(join(own.folder, "registry", "validation"))).to.have.length.at.most(1);
    const again = await faultOf(registry.unary("CreateVersion", request, { timeoutMs: callMsMax }));
    expect(again.message).to.contain("it took longer than 1.5 s");
  });

  it("changed bytes: nobody blames the model, and it is validated once they are uploaded again", async () => {
    const { registry } = await own.start();
    const bytes = linearModel();
    const artifact = await upload(registry, bytes);
    const path = await pathOf(bytes);
    await writeFile(path, Buffer.alloc(bytes.length));
    const request = {
      parent: "models/m",
      version: { variants: [{ artifact }] },
      allowMissingModel: true,
      requestId: "r",
    };
    const fault = await faultOf(registry.unary("CreateVersion", request, { timeoutMs: callMsMax }));
    expect(fault).to.include({ code: status.DATA_LOSS, reason: "ARTIFACT_CORRUPT" });
    expect(fault.metadata).to.deep.equal({ sha256: sha256Of(bytes), version: "models/m/versions/1" });
    expect(await faultOf(registry.unary("CreateVersion", request))).to.deep.equal(fault);
    const other = await faultOf(registry.unary("CreateVersion", { ...request, requestId: "s" }));
    expect(other).to.include({ code: status.DATA_LOSS, reason: "ARTIFACT_CORRUPT" });
    await upload(registry, bytes);
    const made = await registry.unary("CreateVersion", request, { timeoutMs: callMsMax });
    expect(made).to.include({ name: "models/m/versions/1", state: "VERSION_STATE_READY" });
  });

  it("bytes that cannot be read now: nobody blames anybody, and it is tried again", async () => {
    const { registry } = await own.start();
    const bytes = linearModel();
    await upload(registry, bytes);
    const path = await pathOf(bytes);
    await rename(path, `${path}.aside`);
    await mkdir(path);
    const { becomes } = await begin(own.running, bytes);
    await rm(path, { recursive: true });
    await rename(`${path}.aside`, path);
    await becomes("VERSION_STATE_READY");
  });

  it("a machine that is short of memory, a bounded number of times", async function () {
    // Where the system promises everybody everything, no machine is ever short.
    if ((await readFile("/proc/sys/vm/overcommit_memory", "utf8")).trim() === "1") this.skip();
    const settings = { AMAAS_VALIDATION_MEMORY_BYTES_MAX: String(1024 ** 4), AMAAS_VALIDATION_ATTEMPTS_MAX: "2" };
    const { registry } = await own.start(settings);
    const fault = await faultOf(publish(registry, "m", hungryModel(2n ** 37n)));
    expect(fault.message).to.contain("the machine could not try it, 2 times; the last time: ");
  });

  /** Where the registry keeps the bytes of an artifact. */
  async function pathOf(bytes: Uint8Array): Promise<string> {
    const sha256 = sha256Of(bytes);
    const shelf = join(own.folder, "registry", "artifacts", sha256.slice(0, 2));
    const name = (await readdir(shelf)).find((entry) => entry.startsWith(sha256));
    return join(shelf, name!);
  }
});
