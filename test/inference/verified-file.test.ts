import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { ServiceError } from "../../lib/errors.ts";
import { readVerified } from "../../services/inference/worker/verified-file.ts";
import { emptyFolder } from "./running-node.ts";

describe("a file that a thread reads", () => {
  const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index % 251));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let path: string;

  before(async () => {
    folder = await emptyFolder();
    path = join(folder.path, "file");
  });
  beforeEach(() => writeFile(path, bytes));
  after(() => folder.remove());

  const fault = (sizeBytes: number): ServiceError => {
    try {
      readVerified({ path, sha256, sizeBytes });
    } catch (thrown) {
      return thrown as ServiceError;
    }
    throw new Error("the file was read");
  };

  it("is given as it was hashed", () => {
    expect(Buffer.from(readVerified({ path, sha256, sizeBytes: bytes.length }))).to.deep.equal(bytes);
  });

  it("is refused where its bytes have another digest, with the one needed", async () => {
    for (const other of [Buffer.alloc(bytes.length), bytes.subarray(1), Buffer.alloc(0)]) {
      await writeFile(path, other);
      const { reason, message, metadata } = fault(bytes.length);
      expect([reason, metadata]).to.deep.equal(["ARTIFACT_DIGEST_MISMATCH", { sha256 }]);
      expect(message).to.match(
        new RegExp(`^the artifact's ${other.length} bytes have SHA-256 [0-9a-f]{64}; needed: 10000`),
      );
    }
  });

  it("is refused where no buffer can hold it, before a byte is read", () => {
    expect(fault(2 ** 52)).to.include({ reason: "ARTIFACT_INVALID" });
  });
});
