import { expect } from "chai";
import { redisPlan } from "../../bootstrap/redis-plan.mjs";

const bare = {
  url: undefined,
  server: undefined,
  platform: "linux",
  isRoot: false,
  programs: {},
  maySudo: () => false,
  hasSystemd: false,
};
const apt = {
  "apt-get": "/usr/bin/apt-get",
  sudo: "/usr/bin/sudo",
  service: "/usr/sbin/service",
  systemctl: "/usr/bin/systemctl",
};

describe("the way to a Redis", () => {
  it("is AMAAS_REDIS_URL where it is set, whatever is installed", () => {
    expect(redisPlan({ ...bare, url: "redis://there", programs: { "redis-server": "/r" } })).to.deep.equal({
      kind: "given",
    });
  });

  it("is AMAAS_REDIS_SERVER before the PATH, and redis-server before valkey-server", () => {
    const programs = { "redis-server": "/r", "valkey-server": "/v" };
    expect(redisPlan({ ...bare, programs, server: "/mine" })).to.deep.equal({ kind: "found", server: "/mine" });
    expect(redisPlan({ ...bare, programs })).to.deep.equal({ kind: "found", server: "/r" });
    expect(redisPlan({ ...bare, programs: { "valkey-server": "/v" } })).to.deep.equal({ kind: "found", server: "/v" });
  });

  it("is the package on Debian for root, without sudo and without a question", () => {
    const plan = redisPlan({ ...bare, isRoot: true, programs: apt });
    expect(plan.kind).to.equal("install");
    expect(plan.commands.map((command) => command.join(" "))).to.deep.equal([
      "env DEBIAN_FRONTEND=noninteractive /usr/bin/apt-get update -q",
      "env DEBIAN_FRONTEND=noninteractive /usr/bin/apt-get install -y -q --no-install-recommends redis-server",
    ]);
  });

  it("is the package through a sudo that asks for no password", () => {
    const plan = redisPlan({ ...bare, programs: apt, maySudo: () => true });
    expect(plan.kind).to.equal("install");
    expect(plan.commands.every((command) => command.slice(0, 3).join(" ") === "/usr/bin/sudo -n env")).to.equal(true);
  });

  it("stops the service that the package starts, by systemd where it runs", () => {
    const plan = (hasSystemd) => redisPlan({ ...bare, isRoot: true, programs: apt, hasSystemd }).afterwards;
    expect(plan(true)).to.deep.equal([["env", "/usr/bin/systemctl", "disable", "--now", "redis-server"]]);
    expect(plan(false)).to.deep.equal([["env", "/usr/sbin/service", "redis-server", "stop"]]);
  });

  it("is Homebrew on macOS", () => {
    const plan = redisPlan({ ...bare, platform: "darwin", programs: { brew: "/opt/homebrew/bin/brew" } });
    expect(plan).to.deep.equal({
      kind: "install",
      commands: [["/opt/homebrew/bin/brew", "install", "redis"]],
      afterwards: [],
    });
  });

  it("is otherwise the command to type, by the package manager that is there", () => {
    const messageFor = (facts) => redisPlan({ ...bare, ...facts }).message;
    expect(messageFor({ programs: apt })).to.include("sudo apt-get update && sudo apt-get install -y redis-server");
    expect(messageFor({ programs: { dnf: "/usr/bin/dnf" } })).to.include("sudo dnf install -y valkey");
    expect(messageFor({ programs: { pacman: "/usr/bin/pacman" } })).to.include("sudo pacman -S --noconfirm valkey");
    expect(messageFor({ programs: { apk: "/sbin/apk" }, isRoot: true })).to.match(/Type: apk add redis\n/);
    expect(messageFor({ platform: "darwin" })).to.include("https://brew.sh");
    expect(messageFor({ platform: "freebsd" })).to.include("install redis-server or valkey-server");
  });

  it("always names the setting for a Redis of one's own", () => {
    for (const programs of [{}, apt, { dnf: "/usr/bin/dnf" }]) {
      expect(redisPlan({ ...bare, programs }).message).to.include("AMAAS_REDIS_URL");
    }
  });
});
