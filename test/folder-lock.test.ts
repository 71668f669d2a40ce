import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { FolderLock } from "../lib/folder-lock.ts";
import { loaderArgs } from "./repository.ts";

const self = fileURLToPath(import.meta.url);

const lockOf = (folder: string) => new FolderLock({ folder, holder: "node", wayOut: "take another" });

/** This file is also the program of a process that takes the lock, says so, and holds it until it is killed. */
if (process.argv[1] === self) {
  const lock = lockOf(process.argv[2]!);
  lock.acquire();
  process.once("disconnect", () => lock.release());
  process.send?.("acquired");
} else {
  describe("the lock of a folder", () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), "amaas-test-"));
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    it("is refused while another process holds it, and free once that was killed", async () => {
      const holder = fork(self, [folder], { execArgv: [...loaderArgs] });
      await once(holder, "message");
      const lock = lockOf(folder);
      expect(() => lock.acquire()).to.throw(`${folder} is in use by process ${holder.pid}: stop it, or take another`);
      holder.kill("SIGKILL");
      await once(holder, "exit");
      lock.acquire();
      lock.release();
    });

    it("makes the folder, and leaves no trace of its holder", () => {
      const deep = join(folder, "a", "b");
      const lock = lockOf(deep);
      lock.acquire();
      lock.release();
      lock.release();
      expect(existsSync(join(deep, "node.pid"))).to.equal(false);
      lock.acquire();
      lock.release();
    });
  });
}
