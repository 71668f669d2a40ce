/** Programs that serve the Redis protocol with everything that the job queue needs, best first. */
const redisServers = ["redis-server", "valkey-server"];

const orElse =
  "or set AMAAS_REDIS_URL to a Redis or Valkey of yours (redis://host:6379, rediss://host:6380, unix:///path/redis.sock)";

/** What to type where we may not install anything ourselves, by the package manager that is on the PATH. */
const byHand = {
  "apt-get": "sudo apt-get update && sudo apt-get install -y redis-server",
  brew: "brew install redis",
  dnf: "sudo dnf install -y valkey",
  yum: "sudo yum install -y redis",
  zypper: "sudo zypper install -y redis",
  pacman: "sudo pacman -S --noconfirm valkey",
  apk: "sudo apk add redis",
};

/** The programs whose presence decides. */
export const decisive = [...redisServers, ...Object.keys(byHand), "sudo", "systemctl", "service"];

/**
 * How this machine comes to a Redis: one of
 * - `given`: AMAAS_REDIS_URL names one;
 * - `found`: `server` is the program to start;
 * - `install`: run `commands` in order, then look again; `afterwards` undo what the package starts on its own, and may fail;
 * - `stop`: tell the user `message`.
 *
 * `programs` gives the path of every program of `decisive` that is on the PATH; `maySudo` is asked only where it matters.
 */
export function redisPlan({ url, server, platform, isRoot, programs, maySudo, hasSystemd }) {
  if (url) return { kind: "given" };
  if (server) return { kind: "found", server };
  const known = redisServers.find((name) => programs[name]);
  if (known !== undefined) return { kind: "found", server: programs[known] };
  if (platform === "darwin" && programs.brew)
    return { kind: "install", commands: [[programs.brew, "install", "redis"]], afterwards: [] };
  if (platform === "linux" && programs["apt-get"] && (isRoot || (programs.sudo && maySudo()))) {
    const asRoot = isRoot ? ["env"] : [programs.sudo, "-n", "env"];
    const apt = [...asRoot, "DEBIAN_FRONTEND=noninteractive", programs["apt-get"]];
    return {
      kind: "install",
      commands: [
        [...apt, "update", "-q"],
        [...apt, "install", "-y", "-q", "--no-install-recommends", "redis-server"],
      ],
      afterwards: serviceStops(programs, hasSystemd).map((command) => [...asRoot, ...command]),
    };
  }
  return { kind: "stop", message: advice(platform, isRoot, programs) };
}

/** The package starts a system-wide Redis that nobody asked for: ours is private. */
function serviceStops(programs, hasSystemd) {
  if (hasSystemd && programs.systemctl) return [[programs.systemctl, "disable", "--now", "redis-server"]];
  if (programs.service) return [[programs.service, "redis-server", "stop"]];
  return [];
}

function advice(platform, isRoot, programs) {
  const manager = Object.keys(byHand).find((name) => programs[name]);
  if (manager === undefined) {
    const first =
      platform === "darwin"
        ? "install Homebrew (https://brew.sh), then type: brew install redis"
        : "install redis-server or valkey-server (6.2 or newer)";
    return `no Redis found. ${first};\n       ${orElse}`;
  }
  const command = isRoot ? byHand[manager].replaceAll("sudo ", "") : byHand[manager];
  return `no Redis found. Type: ${command}\n       ${orElse}`;
}
