import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { createLog } from "../../lib/log.ts";
import { DatasetCache } from "../../services/trainer/dataset-cache.ts";

const onBehalf = { requestId: "r" };
const digestOf = (bytes: string) => createHash("sha256").update(bytes).digest("hex");

describe("the files of datasets", () => {
  let folder: string;
  let fetched: string[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "amaas-cache-"));
    fetched = [];
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const contents = new Map(["first", "second", "third"].map((text) => [digestOf(text), text]));
  const [first, second, third] = contents.keys();
  const cacheOf = async (bytesMax: number) => {
    const catalogue = {
      save: async (sha256: string, path: string) => {
        fetched.push(sha256);
        await writeFile(path, contents.get(sha256)!, { flag: "wx" });
      },
    };
    const cache = new DatasetCache({
      catalogue,
      folder: join(folder, "kept"),
      bytesMax,
      log: createLog("test", "silent"),
    });
    await cache.start();
    return cache;
  };
  let placed = 0;
  const place = async (cache: DatasetCache, sha256: string) => {
    const path = join(folder, `job${placed++}`);
    await cache.place(sha256, path, onBehalf);
    return path;
  };

  it("are fetched once for many jobs, also after a restart", async () => {
    const cache = await cacheOf(1000);
    for (let job = 0; job < 3; job++) expect(await readFile(await place(cache, first!), "utf8")).to.equal("first");
    expect(await readFile(await place(await cacheOf(1000), first!), "utf8")).to.equal("first");
    expect(fetched).to.deep.equal([first]);
  });

  it("stay with their jobs when others take their place, the longest unused first", async () => {
    const cache = await cacheOf(12);
    const path = await place(cache, first!);
    await place(cache, second!);
    const longAgo = new Date(2020, 1, 1);
    await utimes(join(folder, "kept", second!), longAgo, longAgo);
    await place(cache, first!);
    await place(cache, third!);
    expect((await readdir(join(folder, "kept"))).sort()).to.deep.equal([first, third].sort());
    expect(await readFile(path, "utf8")).to.equal("first");
  });

  it("are kept only where they have room at all", async () => {
    const cache = await cacheOf(0);
    await place(cache, first!);
    expect(await readFile(await place(cache, first!), "utf8")).to.equal("first");
    expect(fetched).to.deep.equal([first, first]);
    expect(await readdir(join(folder, "kept"))).to.deep.equal([]);
  });

  it("are fetched again where a kept one is damaged", async () => {
    await place(await cacheOf(1000), first!);
    await truncate(join(folder, "kept", first!), 3);
    expect(await readFile(await place(await cacheOf(1000), first!), "utf8")).to.equal("first");
    expect(fetched).to.deep.equal([first, first]);
  });

  it("cannot be written to by a job", async () => {
    expect((await stat(await place(await cacheOf(1000), first!))).mode & 0o222).to.equal(0);
  });

  it("are fetched at the same time by several jobs without harm", async () => {
    const cache = await cacheOf(1000);
    const paths = await Promise.all(Array.from({ length: 5 }, () => place(cache, first!)));
    expect(await Promise.all(paths.map((path) => readFile(path, "utf8")))).to.deep.equal(Array(5).fill("first"));
    expect(await readdir(join(folder, "kept"))).to.deep.equal([first]);
  });

  it("relay why one cannot be fetched", async () => {
    const catalogue = { save: () => Promise.reject(new ServiceError("ARTIFACT_NOT_FOUND", "gone")) };
    const cache = new DatasetCache({
      catalogue,
      folder: join(folder, "kept"),
      bytesMax: 9,
      log: createLog("test", "silent"),
    });
    await cache.start();
    const failure = await place(cache, first!).catch((thrown: ServiceError) => thrown.reason);
    expect(failure).to.equal("ARTIFACT_NOT_FOUND");
  });
});
