import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { messageOf } from "../../lib/errors.ts";
import type { DynamicBatching__Output as DynamicBatching } from "../../lib/gen/amaas/registry/v1/DynamicBatching.ts";
import { decodeMessage, encodeMessage } from "../../lib/rpc/protos.ts";
import { plainQueuePolicy, unbatched } from "../../services/inference/batching/batch-settings.ts";
import { type Assignment, aspiredVersions } from "../../services/inference/control/assignment.ts";
import { AssignmentFile } from "../../services/inference/control/assignment-file.ts";
import { emptyFolder } from "./running-node.ts";

describe("the assignment on disk", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await emptyFolder();
    path = join(folder.path, "node", "assignment.json");
  });
  afterEach(() => folder.remove());

  /** Everything that an assignment can say. */
  const assignment = (number: number) =>
    decodeMessage<Assignment>(
      "control",
      "amaas.registry.v1.ConnectNodeResponse",
      encodeMessage("control", "amaas.registry.v1.ConnectNodeResponse", {
        heartbeatIntervalMs: 500,
        versions: [
          {
            version: `models/digits/versions/${number}`,
            variant: "int8",
            executionProviders: ["cuda", "cpu"],
            modelFile: { artifact: `artifacts/${"ab".repeat(32)}`, sizeBytes: 12 },
            externalFiles: [{ location: "w/a.bin", artifact: `artifacts/${"cd".repeat(32)}`, sizeBytes: 2 ** 40 }],
            aliases: ["default"],
            memoryBytes: 2 ** 33,
            settings: {
              versionPolicy: { specific: { versions: [1, 2] } },
              residency: "RESIDENCY_ON_DEMAND",
              warmUps: [
                { kind: "KIND_RANDOM", rows: 2, inputs: [{ name: "x", shape: [2], raw: Buffer.from([0, 255]) }] },
              ],
              sequenceBatching: {
                states: [{ inputName: "h", outputName: "g", initialShape: [-1], initialRaw: Buffer.from([128]) }],
                maxSequences: 5,
                maxSequenceIdleMicroseconds: 2500,
              },
              decoupled: { lastOutput: "l", maxResponses: 6, feedbacks: [{ outputName: "o", inputName: "i" }] },
              instanceGroups: [
                { count: 2, intraOpThreads: 3 },
                { executionProvider: "cuda", count: 4 },
                { executionProvider: "cpu", count: 1 },
                { executionProvider: "webgpu", count: 3 },
              ],
              dynamicBatching: {
                maxBatchSize: 8,
                preferredBatchSizes: [2, 4],
                maxQueueDelayMicroseconds: 1500,
                preserveOrdering: true,
                priorityLevels: 3,
                defaultPriorityLevel: 2,
                defaultQueuePolicy: { defaultTimeoutMicroseconds: 10, allowTimeoutOverride: true },
                priorityQueuePolicies: { 1: { timeoutAction: "TIMEOUT_ACTION_DELAY", maxQueueSize: 3 } },
              },
              limits: { queueRequestsMax: 9, queueRowsMax: 70, queueBytesMax: 2 ** 35, defaultTimeoutMs: 250 },
              updateTime: { seconds: 12 },
            },
          },
        ],
      }),
    );

  it("is what was saved last, also by another process", async () => {
    const file = new AssignmentFile(path);
    expect(await file.load()).to.equal(undefined);
    await Promise.all([1, 2, 3].map((number) => file.save(assignment(number))));
    expect(await new AssignmentFile(path).load()).to.deep.equal(assignment(3));
    expect(await readdir(join(folder.path, "node"))).to.deep.equal(["assignment.json"]);
  });

  it("is refused where it is not one", async () => {
    const file = new AssignmentFile(path);
    await file.save(assignment(1));
    const version = '"version":"models/digits/versions/1"';
    for (const text of [
      "",
      "{",
      "{}",
      "null",
      '{"versions":5}',
      '{"versions":[{"version":"models/../versions/1"}]}',
      `{"versions":[{${version}}]}`,
      `{"versions":[{${version},"modelFile":{"artifact":"artifacts/12"}}]}`,
      `{"versions":[{${version},"modelFile":7}]}`,
    ]) {
      await writeFile(path, text);
      const read = async () => aspiredVersions((await file.load())!);
      expect(await read().then(() => "accepted", messageOf), text).not.to.equal("accepted");
    }
  });

  it("is a list of versions with all that a node needs to run them", () => {
    const preset = { ...plainQueuePolicy, defaultTimeoutMs: 1, allowTimeoutOverride: true };
    expect(aspiredVersions(assignment(3))).to.deep.equal([
      {
        model: "digits",
        version: 3,
        content: {
          variant: "int8",
          modelFile: { sha256: "ab".repeat(32), sizeBytes: 12 },
          externalFiles: [{ location: "w/a.bin", sha256: "cd".repeat(32), sizeBytes: 2 ** 40 }],
        },
        settings: {
          executionProviders: ["cuda", "cpu"],
          instanceGroups: [
            { executionProvider: "", count: 2, intraOpThreads: 3 },
            { executionProvider: "cuda", count: 4, intraOpThreads: 0 },
            { executionProvider: "cpu", count: 1, intraOpThreads: 0 },
          ],
          isolation: undefined,
          queueRequestsMax: 9,
          queueRowsMax: 70,
          queueBytesMax: 2 ** 35,
          defaultTimeoutMs: 250,
          sequences: {
            states: [{ inputName: "h", outputName: "g", initialShape: [-1], initialRaw: Buffer.from([128]) }],
            sequencesMax: 5,
            idleMs: 3,
          },
          decoupled: { lastOutput: "l", responsesMax: 6, feedbacks: [{ outputName: "o", inputName: "i" }] },
          batching: {
            maxBatchSize: 8,
            requestRowsMax: 8,
            preferredBatchSizes: [2, 4],
            maxQueueDelayMs: 2,
            preserveOrdering: true,
            defaultPriorityLevel: 2,
            queuePolicies: [{ ...plainQueuePolicy, timeoutAction: "DELAY", maxQueueSize: 3 }, preset, preset],
            findsBatchSize: false,
          },
          warmUps: [
            {
              kind: "random",
              rowCount: 2,
              runCount: 1,
              inputs: [{ name: "x", shape: [2], bytes: Buffer.from([0, 255]) }],
            },
          ],
        },
        aliases: ["default"],
        memoryBytes: 2 ** 33,
        isOnDemand: true,
        versionPolicy: { kind: "specific", versions: [1, 2] },
      },
    ]);
  });

  it("joins requests without priorities, 64 rows at most until a better number is found, where it says only that", () => {
    const [version] = assignment(1).versions;
    const type = "amaas.registry.v1.DynamicBatching";
    const dynamicBatching = decodeMessage<DynamicBatching>("control", type, encodeMessage("control", type, {}));
    const settings = { ...version.settings!, dynamicBatching };
    const [{ settings: seen }] = aspiredVersions({ ...assignment(1), versions: [{ ...version, settings }] });
    expect(seen.batching).to.deep.equal({ ...unbatched, maxBatchSize: 64, findsBatchSize: true });
  });
});
