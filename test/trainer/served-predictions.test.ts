import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { expect } from "chai";
import { freePorts } from "../free-ports.ts";
import { emptyFolder, type RunningNode, startNode } from "../inference/running-node.ts";
import { RunningTrainer } from "./running-trainer.ts";
import { thirdsSpec } from "./thirds.ts";

describe("a batch inference by a real node", function () {
  this.timeout(120_000);
  const running = new RunningTrainer();
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;
  let duckdb: DuckDBConnection;

  before(async () => {
    folder = await emptyFolder();
    const [port] = await freePorts(1);
    running.settings = { AMAAS_GATEWAY_ADDRESS: `127.0.0.1:${port}` };
    await running.start();
    node = await startNode(folder.path, running.registryAddress, { port: port! });
    duckdb = await (await DuckDBInstance.create(":memory:")).connect();
  });
  after(async () => {
    duckdb?.closeSync();
    await node?.stop();
    await running.remove();
    await folder?.remove();
  });

  const fileOf = (name: string) => join(folder.path, name);
  const rowsOf = async (sql: string) => (await duckdb.runAndReadAll(sql)).getRows();
  const saved = async (artifact: string, name: string) => {
    const chunks: Buffer[] = [];
    for await (const { chunk } of running.registry.serverStream("DownloadArtifact", { name: artifact })) {
      chunks.push(chunk);
    }
    await writeFile(fileOf(name), Buffer.concat(chunks));
  };

  it("gives what the node answers, and every other column as it is in the file, type and all", async () => {
    const rowCount = 5000;
    await duckdb.run(`
      CREATE TABLE given AS SELECT 9007199254740993 + i AS id, (i * 0.07)::FLOAT AS a, (i % 11)::DOUBLE AS b,
        CAST(i AS DECIMAL(38, 20)) / 7 AS price, i % 3 = 0 AS fresh, DATE '2026-01-01' + i::INTEGER AS day,
        TIMESTAMP_NS '2026-01-01 00:00:00.123456789' AS moment, TIMESTAMPTZ '2026-01-01 00:00:00+02' AS sent,
        CASE WHEN i % 5 = 0 THEN NULL WHEN i % 5 = 1 THEN '' ELSE 'text ' || i END AS note,
        CASE WHEN i % 7 = 0 THEN NULL ELSE 1e300 / i END AS large, uuid() AS ticket,
        CASE WHEN i % 4 = 0 THEN NULL ELSE [1 / i, 'nan'::DOUBLE, NULL] END AS shares,
        ['a,b', 'it''s', ' [x] ', 'NULL', NULL, '', '"q"', 'back\\slash', 'größer', chr((i % 127)::INTEGER + 1)] AS tags,
        from_hex(printf('%02X5C78', i % 256)) AS bytes,
        {'size': [i, NULL], 'parts': {'name': 'x, ''y'': {' || i || '}'}} AS made, MAP {'k=' || i: i % 2 = 0} AS flags
      FROM range(1, ${rowCount} + 1) AS rows(i)`);
    await duckdb.run(`COPY given TO '${fileOf("given.parquet")}' (FORMAT parquet)`);
    const named = ["id", "price", "fresh", "day", "moment", "sent", "note", "large", "ticket"];
    // What no model can be given needs no role.
    const copied = [...named, "shares", "tags", "bytes", "made", "flags"];
    const { version } = await running.ended(await running.submit(await thirdsSpec(running)));
    const predict = {
      target: version,
      dataset: await running.uploadDataset(await readFile(fileOf("given.parquet"))),
      data: { columns: named.map((name) => ({ name, role: "ROLE_IGNORED" as const })) },
    };
    const { name } = await running.trainer.unary("CreateJob", { job: { predict } });
    const job = await running.ended(name);
    expect(job, JSON.stringify(job.error)).to.include({ state: "STATE_SUCCEEDED" });
    await saved(job.output, "answers.parquet");

    const answers = `read_parquet('${fileOf("answers.parquet")}')`;
    const typesOf = async (table: string) =>
      (await rowsOf(`SELECT column_name, column_type FROM (DESCRIBE SELECT ${copied.join(", ")} FROM ${table})`)).map(
        String,
      );
    expect(await typesOf(answers)).to.deep.equal(await typesOf("given"));
    // Row by row: both have the order of the file.
    const same = copied.map((column) => `bool_and(x.${column} IS NOT DISTINCT FROM y.${column})`);
    const [equal] = await rowsOf(`SELECT count(*), ${same.join(", ")} FROM given x POSITIONAL JOIN ${answers} y`);
    expect(equal).to.deep.equal([BigInt(rowCount), ...copied.map(() => true)]);

    const features = Float32Array.from((await rowsOf("SELECT a, b FROM given")).flat() as number[]);
    const direct = await node.client.unary("ModelInfer", {
      modelName: "thirds",
      modelVersion: version.split("/").at(-1)!,
      inputs: [{ name: "input", datatype: "FP32", shape: [rowCount, 2] }],
      rawInputContents: [Buffer.from(features.buffer)],
    });
    const expected = new Float32Array(new Uint8Array(direct.rawOutputContents[0]!).buffer);
    const answered = await rowsOf(`SELECT output_0, output_1, output_2 FROM ${answers}`);
    expect(Float32Array.from(answered.flat() as number[])).to.deep.equal(expected);
  });
});
