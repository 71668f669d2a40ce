import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { loadPlaced, type Placement } from "../../services/inference/replicas/placement.ts";
import { leftNodesKey, triedKey } from "../../services/inference/worker/execution-providers.ts";

/** What loading does on a placement that is written as "cuda" or "cuda+cpu": it works unless it is said. */
type Faults = Readonly<Record<string, "part" | "broken" | "short" | "away">>;

const written = ({ executionProvider, fallbackProviders }: Placement) =>
  [executionProvider, ...fallbackProviders].join("+");

const faultOf = (kind: Faults[string], where: string): ServiceError => {
  const tried = { [triedKey]: where };
  switch (kind) {
    case "part":
      return new ServiceError("ARTIFACT_INVALID", "only a part", { metadata: { ...tried, [leftNodesKey]: "true" } });
    case "broken":
      return new ServiceError("ARTIFACT_INVALID", "no driver", { metadata: tried });
    case "short":
      return new ServiceError("INTERNAL", "no memory", { metadata: tried });
    case "away":
      return new ServiceError("SERVICE_UNAVAILABLE", "the registry is away");
  }
};

/** Where a model comes to run, or the fault; and everything that was tried. */
const outcomeOf = async (preferred: string[], offered: string[], faults: Faults) => {
  const tried: string[] = [];
  const load = async (placement: Placement) => {
    const where = written(placement);
    tried.push(where);
    if (faults[where] !== undefined) throw faultOf(faults[where], where);
  };
  const outcome = await loadPlaced(preferred, offered, load).then(
    ({ placement, refusals }) => ({ placed: written(placement), refusals }),
    ({ reason, message }: ServiceError) => ({ reason, message }),
  );
  return { ...outcome, tried };
};

describe("a model runs on", () => {
  const all = ["tensorrt", "cuda", "webgpu", "cpu"];
  const cases: [string, string[], string[], Faults, string, string[]][] = [
    ["the first that it prefers", ["webgpu", "cpu"], all, {}, "webgpu", ["webgpu"]],
    ["the first that is offered of those", ["cuda", "webgpu", "cpu"], ["cpu", "webgpu"], {}, "webgpu", ["webgpu"]],
    ["the first that the node offers without a preference", [], ["cuda", "cpu"], {}, "cuda", ["cuda"]],
    ["the next where the first does not work", ["cuda", "cpu"], all, { cuda: "broken" }, "cpu", ["cuda", "cpu"]],
    ["the next where the first is short of memory", ["cuda", "cpu"], all, { cuda: "short" }, "cpu", ["cuda", "cpu"]],
    [
      "the first with the others for what it cannot run",
      ["webgpu", "cpu"],
      all,
      { webgpu: "part" },
      "webgpu+cpu",
      ["webgpu", "webgpu+cpu"],
    ],
    [
      "the first with only those after it for what it cannot run",
      ["cpu", "tensorrt", "cuda"],
      all,
      { cpu: "broken", tensorrt: "part" },
      "tensorrt+cuda",
      ["cpu", "tensorrt", "tensorrt+cuda"],
    ],
    [
      "the next where it cannot be shared either",
      ["tensorrt", "cuda", "cpu"],
      all,
      { tensorrt: "part", "tensorrt+cuda+cpu": "broken", cuda: "part" },
      "cuda+cpu",
      ["tensorrt", "tensorrt+cuda+cpu", "cuda", "cuda+cpu"],
    ],
  ];
  for (const [what, preferred, offered, faults, placed, tried] of cases) {
    it(what, async () => {
      expect(await outcomeOf(preferred, offered, faults)).to.deep.include({ placed, tried });
    });
  }

  it("a fallback together with the reasons", async () => {
    const { refusals } = (await outcomeOf(["cuda", "webgpu", "cpu"], all, { cuda: "broken", webgpu: "part" })) as {
      readonly refusals: readonly string[];
    };
    expect(refusals).to.deep.equal(["cuda: no driver", "webgpu: only a part"]);
  });
});

describe("a model fails to load", () => {
  const cases: [string, string[], string[], Faults, string, string][] = [
    [
      "where none that it may run on is offered",
      ["cuda"],
      ["cpu"],
      {},
      "ARTIFACT_INVALID",
      "the execution providers of the version are cuda; this node offers cpu",
    ],
    [
      "where the only one it may run on can run just a part",
      ["webgpu"],
      ["webgpu", "cpu"],
      { webgpu: "part" },
      "ARTIFACT_INVALID",
      "only a part",
    ],
    [
      "with all reasons where none can run it",
      ["webgpu", "cpu"],
      ["webgpu", "cpu"],
      { webgpu: "part", "webgpu+cpu": "broken", cpu: "broken" },
      "ARTIFACT_INVALID",
      "no execution provider can run the model: webgpu: only a part; webgpu with cpu: no driver; cpu: no driver",
    ],
    [
      "for now where one was short of memory",
      ["cuda", "cpu"],
      ["cuda", "cpu"],
      { cuda: "short", cpu: "broken" },
      "INTERNAL",
      "no execution provider can run the model: cuda: no memory; cpu: no driver",
    ],
    [
      "at once where it is not about the provider",
      ["cuda", "cpu"],
      ["cuda", "cpu"],
      { cuda: "away" },
      "SERVICE_UNAVAILABLE",
      "the registry is away",
    ],
  ];
  for (const [what, preferred, offered, faults, reason, message] of cases) {
    it(what, async () => {
      expect(await outcomeOf(preferred, offered, faults)).to.deep.include({ reason, message });
    });
  }
});
