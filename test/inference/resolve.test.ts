import { expect } from "chai";
import type { ServiceError } from "../../lib/errors.ts";
import { createLog } from "../../lib/log.ts";
import { modelReference } from "../../services/inference/handlers/model-reference.ts";
import type { AspiredVersion } from "../../services/inference/replicas/aspired-version.ts";
import type { InstancePool } from "../../services/inference/replicas/instance-pool.ts";
import { modelTable, stateOf } from "../../services/inference/replicas/model-table.ts";
import { Replica } from "../../services/inference/replicas/replica.ts";
import { readyVersion, resolveVersion } from "../../services/inference/replicas/resolve.ts";
import { ManualClock } from "../manual-clock.ts";
import { aspiredVersion } from "./aspired.ts";
import { bareRunner } from "./bare-runner.ts";

const version = (model: string, number: number, ...aliases: string[]) => aspiredVersion(model, number, { aliases });

/** A replica that was loaded, or that failed to with a reason. */
const replicaOf = async (aspired: AspiredVersion, failure?: string): Promise<Replica> => {
  const pool = {
    start: async () => {
      if (failure !== undefined) throw new Error(failure);
      return { inputs: [], outputs: [] };
    },
    gone: async () => undefined,
  } as unknown as InstancePool;
  const replica = new Replica(aspired, {
    offeredProviders: Promise.resolve(["cpu"]),
    openPool: () => pool,
    openRunner: bareRunner,
    onSequencesEnd: () => undefined,
    retry: { firstMs: 1, maxMs: 1 },
    retryWhenShort: { firstMs: 1, maxMs: 1 },
    clock: new ManualClock(),
    quarantineMs: 1,
    onChange: () => undefined,
    random: () => 0,
    log: createLog("test", "silent"),
  });
  await replica.load();
  return replica;
};

const fault = (act: () => unknown): ServiceError => {
  try {
    act();
  } catch (thrown) {
    return thrown as ServiceError;
  }
  return expect.fail("it was found");
};

describe("the version that a call means", () => {
  const aspired = [
    version("digits", 1),
    version("digits", 2, "canary"),
    version("digits", 3),
    version("words", 7, "default"),
  ];
  const table = async () => {
    const replicas = [await replicaOf(aspired[0]), await replicaOf(aspired[1]), await replicaOf(aspired[3])];
    return modelTable(aspired, new Map(), replicas);
  };

  it("is a number, an alias, the alias default, or the highest that is ready", async () => {
    const models = await table();
    expect(resolveVersion(models, "digits", "1").version).to.equal(1);
    expect(resolveVersion(models, "digits", "canary").version).to.equal(2);
    expect(resolveVersion(models, "digits", "").version).to.equal(2);
    expect(resolveVersion(models, "words", "").version).to.equal(7);
    expect(readyVersion(models, "words", "default").version).to.equal(7);
  });

  it("is the highest where none is ready", () => {
    const models = modelTable(aspired.slice(0, 3), new Map(), []);
    expect(resolveVersion(models, "digits", "").version).to.equal(3);
  });

  it("stays known after it is no longer assigned, as long as it is held", async () => {
    const models = modelTable([version("digits", 2)], new Map(), [await replicaOf(version("digits", 1))]);
    expect(readyVersion(models, "digits", "1").version).to.equal(1);
    expect(readyVersion(models, "digits", "").version).to.equal(1);
  });

  it("is the ready one of two while it is exchanged, and the new one where neither is", async () => {
    const [old, next] = [version("digits", 1), aspiredVersion("digits", 1, { variant: "int8" })];
    const ready = await replicaOf(old);
    const failed = await replicaOf(next, "no memory");
    expect(resolveVersion(modelTable([next], new Map(), [ready, failed]), "digits", "1")).to.include({
      variant: "default",
      replica: ready,
    });
    const broken = modelTable([next], new Map(), [await replicaOf(old, "gone"), failed]);
    expect(resolveVersion(broken, "digits", "1")).to.include({ variant: "int8", replica: failed });
    expect(resolveVersion(modelTable([next], new Map(), []), "digits", "1")).to.include({
      variant: "int8",
      replica: undefined,
    });
  });

  it("of an unknown model is NOT_FOUND and names the models", async () => {
    const models = await table();
    expect(fault(() => resolveVersion(models, "nope", ""))).to.include({
      reason: "MODEL_NOT_FOUND",
      message: "Request for unknown model: 'nope' is not found; models here: 'digits', 'words'",
    });
    expect(fault(() => resolveVersion(new Map(), "x", "")).message).to.contain("models here: none");
  });

  for (const reference of ["4", "stable", "0", "01", "-1", "99999999999999999999"]) {
    it(`is NOT_FOUND for ${reference} and names versions and aliases`, async () => {
      const models = await table();
      expect(fault(() => resolveVersion(models, "digits", reference))).to.include({
        reason: "VERSION_NOT_FOUND",
        message:
          `Request for unknown model: 'digits' version '${reference}' is not found` +
          (reference === "stable" ? ": failed to get model version from specified version string 'stable'" : "") +
          "; versions here: 1, 2, 3; aliases: 'canary'",
      });
    });
  }

  it("is UNAVAILABLE with the reason while it loads or after it failed", async () => {
    const failed = await replicaOf(version("digits", 2), "no memory");
    const models = modelTable(aspired, new Map(), [failed]);
    expect(fault(() => readyVersion(models, "digits", "1"))).to.include({
      reason: "MODEL_NOT_READY",
      status: "UNAVAILABLE",
      message: "model 'digits' version 1 is not ready: it is loading",
    });
    expect(fault(() => readyVersion(models, "digits", "2")).message).to.equal(
      "model 'digits' version 2 is not ready: it could not be loaded: no memory",
    );
    expect(stateOf(resolveVersion(models, "digits", "3"))).to.deep.equal({ kind: "loading" });
  });

  it("is the gateway's choice where the metadata has one", () => {
    const headers: Record<string, string> = {};
    const named = { model: "digits@canary", version: "canary" };
    expect(modelReference(named, { headers })).to.deep.equal(named);
    headers["amaas-version"] = "12";
    expect(modelReference(named, { headers })).to.deep.equal({ ...named, version: "12" });
    headers["amaas-model"] = "digits";
    expect(modelReference(named, { headers })).to.deep.equal({ model: "digits", version: "12" });
    headers["amaas-version"] = "canary";
    expect(() => modelReference(named, { headers })).to.throw("amaas-version is 'canary'; needed: a version number");
  });
});
