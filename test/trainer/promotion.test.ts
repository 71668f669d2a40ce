import { expect } from "chai";
import { type Reason, ServiceError } from "../../lib/errors.ts";
import type { Catalogue } from "../../services/trainer/catalogue.ts";
import type { Gate } from "../../services/trainer/jobs/gate.ts";
import { checkDatasets } from "../../services/trainer/work/check-datasets.ts";
import { promote } from "../../services/trainer/work/promotion.ts";

const sha256 = "b".repeat(64);
const gate: Gate = { metric: "f1", bound: { kind: "at_least", value: 0.5 }, dataset: `artifacts/${sha256}` };

describe("an alias that somebody else moves while its gate is measured", () => {
  const rounds = (movesOfOthers: number) => {
    let etag = 0;
    const compared: (readonly string[])[] = [];
    const catalogue = {
      resolveAlias: async () => ({ versions: [`models/m/versions/${etag + 10}`], etag: String(etag) }),
      moveAlias: async (_alias: string, _version: string, seen: string) => {
        if (seen !== String(etag)) throw new ServiceError("ETAG_MISMATCH", "it has changed");
      },
    } as unknown as Catalogue;
    const values = {
      of: async () => 0.8,
      ofRivals: async (versions: readonly string[]) => {
        compared.push(versions);
        if (etag < movesOfOthers) etag++;
        return versions.map((version) => ({ version, value: 0.5 }));
      },
    };
    const better: Gate = { ...gate, bound: { kind: "better_than_alias" } };
    const candidate = {
      model: "m",
      alias: "canary",
      version: "models/m/versions/1",
      gate: better,
      metrics: {},
      values,
    };
    return promote(catalogue, candidate, { requestId: "" }).then((promotion) => ({
      promotion,
      compared: compared.flat(),
    }));
  };

  it("is judged again by where it leads then, and no move of others is lost", async () => {
    const { promotion, compared } = await rounds(2);
    expect(promotion).to.include({ moved: true, reason: "" });
    expect(compared).to.deep.equal([10, 11, 12].map((number) => `models/m/versions/${number}`));
  });

  it("is left to those who do not stop moving it, and the job says so", async () => {
    const { promotion, compared } = await rounds(Number.POSITIVE_INFINITY);
    expect(promotion).to.include({ moved: false, reason: "MOVED_MEANWHILE" });
    expect(promotion.message).to.equal("it was moved by others 5 times while it was decided whether it may be");
    expect(compared).to.have.length(5);
  });
});

describe("an alias that somebody else makes while its gate is measured", () => {
  it("is judged again by where it leads then", async () => {
    let made: string | undefined;
    const catalogue = {
      resolveAlias: async () => ({ versions: made === undefined ? [] : ["models/m/versions/9"], etag: made }),
      moveAlias: async (_alias: string, _version: string, seen: string | undefined) => {
        if (seen !== made) throw new ServiceError("ETAG_MISMATCH", "it exists");
      },
    } as unknown as Catalogue;
    const compared: (readonly string[])[] = [];
    const values = {
      of: async () => 0.4,
      ofRivals: async (versions: readonly string[]) => {
        compared.push(versions);
        made = "e1";
        return versions.map((version) => ({ version, value: 0.5 }));
      },
    };
    const better: Gate = { ...gate, bound: { kind: "better_than_alias" } };
    const candidate = { model: "m", alias: "new", version: "models/m/versions/1", gate: better, metrics: {}, values };
    expect(await promote(catalogue, candidate, { requestId: "" })).to.include({
      moved: false,
      reason: "GATE_NOT_PASSED",
    });
    expect(compared).to.deep.equal([[], ["models/m/versions/9"]]);
  });
});

describe("a gate that cannot be measured", () => {
  const moved: string[] = [];
  const catalogue = {
    resolveAlias: async () => ({ versions: [], etag: undefined }),
    moveAlias: async (alias: string) => void moved.push(alias),
  } as unknown as Catalogue;
  const promoted = (failure: Error, signal = new AbortController().signal) => {
    const fails = () => Promise.reject(failure);
    const values = { of: fails, ofRivals: fails };
    const candidate = { model: "m", alias: "canary", version: "models/m/versions/1", gate, metrics: {}, values };
    return promote(catalogue, candidate, { requestId: "", signal });
  };
  const thrown = (...parts: Parameters<typeof promoted>) =>
    promoted(...parts).then(
      () => undefined,
      (failure: Error) => failure,
    );

  const lasting: readonly Reason[] = ["DATASET_INVALID", "OUT_OF_MEMORY", "RUN_TIME_EXCEEDED", "ARTIFACT_NOT_FOUND"];
  for (const reason of lasting) {
    it(`holds its alias, and the job succeeds: ${reason}`, async () => {
      expect(await promoted(new ServiceError(reason, "line 3 is bad"))).to.include({
        moved: false,
        reason: "GATE_NOT_PASSED",
        message: "the gate cannot be measured: line 3 is bad",
      });
      expect(moved).to.deep.equal([]);
    });
  }

  it("is measured again where somebody is away for now, and not where the job is told to stop", async () => {
    const away = new ServiceError("SERVICE_UNAVAILABLE", "the registry is away");
    expect(await thrown(away)).to.equal(away);
    const stopped = new ServiceError("CANCELLED", "stop");
    expect(await thrown(stopped, AbortSignal.abort())).to.equal(stopped);
    const broken = new TypeError("a mistake of ours");
    expect(await thrown(broken)).to.equal(broken);
  });

  it("for want of its dataset, is refused with the job", async () => {
    const seen: string[] = [];
    const checkDataset = async (digest: string) => void seen.push(digest);
    const datasetSha256 = "a".repeat(64);
    await checkDatasets({ checkDataset }, { datasetSha256, gate }, { requestId: "" });
    await checkDatasets({ checkDataset }, { datasetSha256, gate: undefined }, { requestId: "" });
    expect(seen).to.deep.equal([datasetSha256, sha256, datasetSha256]);
  });
});
