import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "chai";

/** The PATH holds a package manager that notes its calls, and "installs" a server by linking one. */
describe("on a Linux without Redis the bootstrap", () => {
  let folder;
  beforeEach(function () {
    if (process.platform !== "linux") this.skip();
    folder = mkdtempSync(join(tmpdir(), "amaas-test-"));
    symlinkSync("/usr/bin/env", join(folder, "env"));
    script("sudo", 'shift; exec "$@"');
  });
  afterEach(() => folder && rmSync(folder, { recursive: true }));

  function script(name, text) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
  }

  function packageManager(installation) {
    const note = `echo "$DEBIAN_FRONTEND $*" >> '${join(folder, "calls")}'`;
    script("apt-get", `${note}\n[ "$1" = update ] || ${installation}`);
  }

  function answer() {
    const program = `
      import { findRedis } from ${JSON.stringify(pathToFileURL("bootstrap/redis.mjs").href)};
      console.log(JSON.stringify(await findRedis().catch((failure) => failure.message)));`;
    const args = ["--input-type=module", "--eval", program];
    return JSON.parse(spawnSync(process.execPath, args, { env: { PATH: folder }, encoding: "utf8" }).stdout);
  }

  it("installs the package without a question and uses it", () => {
    const server = join(folder, "redis-server");
    packageManager(`/bin/ln -s /bin/true '${server}'`);
    expect(answer()).to.deep.equal({ AMAAS_REDIS_SERVER: server });
    expect(readFileSync(join(folder, "calls"), "utf8")).to.equal(
      "noninteractive update -q\nnoninteractive install -y -q --no-install-recommends redis-server\n",
    );
  });

  it("says which command failed, and how", () => {
    packageManager("exit 100");
    expect(answer()).to.match(/apt-get install .*redis-server failed with code 100/);
  });

  it("does not try again where the package brought no server", () => {
    packageManager("true");
    expect(answer()).to.include("neither redis-server nor valkey-server is on the PATH");
    expect(readFileSync(join(folder, "calls"), "utf8").split("\n")).to.have.length(3);
  });
});
