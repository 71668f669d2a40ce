import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "chai";
import { messageOf, ServiceError } from "../../lib/errors.ts";
import { ArtifactCache } from "../../services/inference/artifacts/artifact-cache.ts";
import type { ArtifactSource } from "../../services/inference/artifacts/artifact-source.ts";
import { ManualClock } from "../manual-clock.ts";
import { emptyFolder } from "./running-node.ts";

const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index % 251));
const sha256 = createHash("sha256").update(bytes).digest("hex");
const artifact = { sha256, sizeBytes: bytes.length };

describe("the artifact cache", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let offsets: number[];

  beforeEach(async () => {
    folder = await emptyFolder();
    offsets = [];
  });
  afterEach(() => folder.remove());

  /** Time passes by itself: every wait is over at once, besides those for a byte that does not come. */
  class HastyClock extends ManualClock {
    override after(delayMs: number, callback: () => void): () => void {
      const cancel = super.after(delayMs, callback);
      if (delayMs < 1000) setImmediate(() => this.advance(delayMs));
      return cancel;
    }
  }

  const cacheOf = (source: ArtifactSource, clock: ManualClock = new HastyClock()) =>
    new ArtifactCache(folder.path, {
      source: (digest, offset, signal) => {
        offsets.push(offset);
        return source(digest, offset, signal);
      },
      clock,
      random: () => 0,
      resume: { firstMs: 10, maxMs: 100 },
      attemptsMax: 3,
      idleMsMax: 5000,
    });

  /** Gives the bytes in chunks and breaks after each of these numbers of bytes, once each. */
  const breaking = (...breaks: number[]): ArtifactSource =>
    async function* (_sha256, offset) {
      const end = breaks.length > 0 ? offset + breaks.shift()! : bytes.length;
      for (let begin = offset; begin < Math.min(end, bytes.length); begin += 500) {
        yield bytes.subarray(begin, Math.min(begin + 500, end));
      }
      if (end < bytes.length) throw Object.assign(new Error("gone"), { code: 14, details: "gone" });
    };

  const failure = (promise: Promise<unknown>) =>
    promise.then(
      () => expect.fail("it was fetched"),
      (thrown) => thrown,
    );

  it("downloads what is missing, and what is here not again", async () => {
    const cache = cacheOf(breaking());
    const { path, wasCached } = await cache.fetch(artifact);
    expect([await readFile(path), wasCached]).to.deep.equal([bytes, false]);
    expect(await cache.fetch(artifact)).to.deep.equal({ path, wasCached: true });
    expect(offsets).to.deep.equal([0]);
  });

  it("goes on behind what it has after every break", async () => {
    const { path } = await cacheOf(breaking(1000, 0, 2500, 0, 0, 500)).fetch(artifact);
    expect(await readFile(path)).to.deep.equal(bytes);
    expect(offsets).to.deep.equal([0, 1000, 1000, 3500, 3500, 3500, 4000]);
  });

  it("gives up after so many breaks without a new byte, and goes on the next time", async () => {
    const cache = cacheOf(breaking(1000, 0, 0, 0));
    expect(await failure(cache.fetch(artifact))).to.include({ reason: "SERVICE_UNAVAILABLE", message: "gone" });
    const { path, wasCached } = await cache.fetch(artifact);
    expect([await readFile(path), wasCached]).to.deep.equal([bytes, true]);
    expect(offsets).to.deep.equal([0, 1000, 1000, 1000, 1000]);
  });

  it("does not try again what will not change", async () => {
    const missing: ArtifactSource = async function* () {
      yield* [];
      throw new ServiceError("ARTIFACT_NOT_FOUND", "it is not there");
    };
    expect(await failure(cacheOf(missing).fetch(artifact))).to.include({ reason: "ARTIFACT_NOT_FOUND" });
    expect(offsets).to.deep.equal([0]);
  });

  it("refuses a download that is shorter or longer than it should be, and keeps nothing of it", async () => {
    const changed = (sent: Buffer): ArtifactSource =>
      async function* () {
        yield sent;
      };
    for (const sent of [bytes.subarray(1), Buffer.concat([bytes, bytes])]) {
      const fault = await failure(cacheOf(changed(sent)).fetch(artifact));
      expect(fault).to.include({
        reason: "ARTIFACT_CORRUPT",
        message: `artifact ${sha256} has ${sent.length} bytes; needed: ${bytes.length}`,
      });
      expect(await readdir(folder.path)).to.deep.equal([]);
    }
  });

  it("takes a download that stands still for broken", async () => {
    const clock = new ManualClock();
    const still: ArtifactSource = async function* (_sha256, _offset, signal) {
      yield* [];
      const ended = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      if (offsets.length === 1) setImmediate(() => clock.advance(5000));
      else throw new ServiceError("ARTIFACT_NOT_FOUND", "asked again");
      await ended;
    };
    const fetched = failure(cacheOf(still, clock).fetch(artifact));
    while (offsets.length < 2) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(10);
    }
    expect(messageOf(await fetched)).to.equal("asked again");
  });

  it("shares one download between all who ask at once", async () => {
    const cache = cacheOf(breaking());
    const [a, b] = await Promise.all([cache.fetch(artifact), cache.fetch(artifact)]);
    expect([a, offsets]).to.deep.equal([b, [0]]);
  });

  it("does not take a file of another size for the artifact", async () => {
    await writeFile(join(folder.path, sha256), "short");
    const { path } = await cacheOf(breaking()).fetch(artifact);
    expect(await readFile(path)).to.deep.equal(bytes);
  });

  it("does not go on behind a begun file that is too long already", async () => {
    await writeFile(join(folder.path, `${sha256}.part`), Buffer.alloc(bytes.length + 1));
    const { path } = await cacheOf(breaking()).fetch(artifact);
    expect(await readFile(path)).to.deep.equal(bytes);
  });

  const endless: ArtifactSource = async function* (_sha256, _offset, signal) {
    yield bytes.subarray(0, 10);
    signal.throwIfAborted();
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
  };

  it("ends its downloads when it is closed, and begins no others", async () => {
    const cache = cacheOf(endless);
    const fetched = failure(cache.fetch(artifact));
    while (offsets.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await cache.close();
    expect(await fetched).to.include({ reason: "CANCELLED" });
    expect(await failure(cache.fetch(artifact))).to.include({ reason: "CANCELLED" });
    expect(offsets).to.deep.equal([0]);
  }).timeout(5000);

  it("removes what is no longer needed, and ends its download", async () => {
    const cache = cacheOf(endless);
    const other = "0".repeat(64);
    await writeFile(join(folder.path, other), "x");
    await writeFile(join(folder.path, `${"1".repeat(64)}.part`), "x");
    const fetched = failure(cache.fetch(artifact));
    while (offsets.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await cache.keepOnly(() => new Set([other]));
    expect(await fetched).to.include({ reason: "CANCELLED" });
    await cache.keepOnly(() => new Set([other]));
    expect(await readdir(folder.path)).to.deep.equal([other]);
  });

  it("gives no file that is just being removed", async () => {
    const cache = cacheOf(breaking());
    for (let round = 0; round < 20; round++) {
      await cache.fetch(artifact);
      let fetched: ReturnType<typeof cache.fetch> | undefined;
      await cache.keepOnly(() => {
        // As soon as it has been decided what goes.
        queueMicrotask(() => {
          fetched ??= cache.fetch(artifact);
        });
        return new Set();
      });
      const { path } = await fetched!;
      expect(await readFile(path)).to.deep.equal(bytes);
    }
  });

  it("remembers nothing of what it has removed", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const cache = cacheOf(breaking());
    const growthOf = async (count: number) => {
      collect();
      const beforeBytes = process.memoryUsage().heapUsed;
      for (let round = 0; round < count; round++) await cache.keepOnly(() => new Set());
      collect();
      return process.memoryUsage().heapUsed - beforeBytes;
    };
    await growthOf(1000);
    expect(await growthOf(10_000)).to.be.below(300_000);
  });
});
