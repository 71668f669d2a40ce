import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { type RemoteFault, remoteFaultOf } from "../../lib/rpc/status.ts";
import { describeOnEachStore } from "./each-store.ts";
import { addingModel } from "./onnx-files.ts";
import { point, publish } from "./running-registry.ts";

const roundCount = 20;

describeOnEachStore("writers that race", (own) => {
  /** Who won, and what the others were told. */
  async function race<Reply>(calls: readonly Promise<Reply>[]): Promise<{ won: Reply[]; lost: RemoteFault[] }> {
    const outcomes = await Promise.allSettled(calls);
    return {
      won: outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : [])),
      lost: outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [remoteFaultOf(outcome.reason)] : [])),
    };
  }

  it("for one alias with the same etag: one wins, the others are ABORTED and told the current etag", async () => {
    const { registry } = own.running;
    for (const addend of [1, 2, 3]) await publish(registry, "m", addingModel(addend));
    let { etag, targets } = await point(registry, "m", "default", 1);
    const move = (version: number) => {
      const alias = { name: "models/m/aliases/default", targets: [{ version }], etag };
      return registry.unary("UpdateAlias", { alias });
    };
    for (let round = 0; round < roundCount; round++) {
      // Where it leads already, nobody would move it.
      const [a, b] = [1, 2, 3].filter((version) => version !== targets[0]!.version) as [number, number];
      const { won, lost } = await race([move(a), move(b), move(a)]);
      expect(won).to.have.length(1);
      for (const fault of lost) expect(fault).to.include({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
      expect(lost.map(({ metadata }) => metadata.etag)).to.deep.equal([won[0]?.etag, won[0]?.etag]);
      expect(won[0]?.revision).to.equal(round + 2);
      ({ etag, targets } = won[0]!);
    }
    const alias = await registry.unary("GetAlias", { name: "models/m/aliases/default" });
    expect(alias.etag).to.equal(etag);
  });

  it("for one model id: one makes it, the others are told that it exists", async () => {
    for (let round = 0; round < roundCount; round++) {
      const create = () => own.running.registry.unary("CreateModel", { modelId: `m${round}` });
      const { won, lost } = await race([create(), create(), create()]);
      expect(won).to.have.length(1);
      for (const fault of lost) expect(fault).to.include({ code: status.ALREADY_EXISTS, reason: "MODEL_EXISTS" });
    }
  });

  it("for one model with the same etag: one changes it", async () => {
    let { etag } = await own.running.registry.unary("CreateModel", { modelId: "m" });
    for (let round = 0; round < roundCount; round++) {
      const rename = (owner: string) =>
        own.running.registry.unary("UpdateModel", { model: { name: "models/m", owner, etag } });
      const { won, lost } = await race([rename("a"), rename("b"), rename("c")]);
      expect(won).to.have.length(1);
      for (const fault of lost) expect(fault.metadata.etag).to.equal(won[0]?.etag);
      etag = won[0]!.etag;
    }
  });

  it("register versions: each gets a number of its own, without gaps", async () => {
    const { registry } = own.running;
    const { variants } = await publish(registry, "m", addingModel(1));
    const request = { parent: "models/m", version: { variants: [{ artifact: variants[0]!.artifact }] } };
    const { won } = await race(Array.from({ length: roundCount }, () => registry.unary("CreateVersion", request)));
    const numbers = won.map(({ name }) => Number(name.split("/").at(-1))).sort((a, b) => a - b);
    expect(numbers).to.deep.equal(Array.from({ length: roundCount }, (_, index) => index + 2));
  });

  it("register versions with one request id: all get the same version", async () => {
    const { registry } = own.running;
    const { variants } = await publish(registry, "m", addingModel(1));
    const version = { variants: [{ artifact: variants[0]!.artifact }] };
    const request = { parent: "models/m", version, requestId: "r" };
    const { won } = await race(Array.from({ length: 5 }, () => registry.unary("CreateVersion", request)));
    expect(won.map(({ name }) => name)).to.deep.equal(Array(5).fill("models/m/versions/2"));
  });

  it("with readers: each version that is read is one that there was, whole", async () => {
    const { registry } = own.running;
    const { name, variants, etag } = await publish(registry, "m", addingModel(1));
    const { artifact } = variants[0]!;
    const written = new Map([[etag, 1]]);
    const read: { readonly etag: string; readonly count: number }[] = [];
    let isOver = false;
    const readers = Array.from({ length: 4 }, async (_, index) => {
      while (!isOver) {
        const version =
          index % 2 === 0
            ? await registry.unary("GetVersion", { name })
            : (await registry.unary("ListVersions", { parent: "models/m" })).versions[0]!;
        read.push({ etag: version.etag, count: version.variants.length });
      }
    });
    for (let count = 2; count <= 16; count++) {
      const variant = { id: `v${count}`, artifact };
      written.set((await registry.unary("AddVariant", { name, variant })).etag, count);
    }
    isOver = true;
    await Promise.all(readers);
    for (const { etag, count } of read) expect(count).to.equal(written.get(etag));
  });
});
