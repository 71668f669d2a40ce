import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { runChild } from "./child.mjs";
import { StepFailed, tell } from "./console.mjs";
import { decisive, redisPlan } from "./redis-plan.mjs";

/** Where Homebrew puts programs, also where a shell that was opened before does not look. */
const besidesPath = process.platform === "darwin" ? ["/opt/homebrew/bin", "/usr/local/bin"] : [];

/** The settings by which the suite finds its Redis; installs one where none is there and that is possible. */
export async function findRedis() {
  let plan = currentPlan();
  if (plan.kind === "install") {
    await install(plan);
    plan = currentPlan();
    if (plan.kind === "install")
      throw new StepFailed(
        "the Redis package was installed, but neither redis-server nor valkey-server is on the PATH",
      );
  }
  if (plan.kind === "stop") throw new StepFailed(plan.message);
  return plan.kind === "found" ? { AMAAS_REDIS_SERVER: plan.server } : {};
}

async function install({ commands, afterwards }) {
  tell(`no Redis found, installing the package: ${commands.at(-1).join(" ")}`);
  const output = { stdio: ["ignore", 2, 2] };
  for (const [command, ...args] of commands) {
    const code = await runChild(command, args, output);
    if (code > 128) throw new StepFailed("interrupted", code);
    if (code !== 0)
      throw new StepFailed(`${command} ${args.join(" ")} failed with code ${code}; its output above says why`);
  }
  for (const [command, ...args] of afterwards) await runChild(command, args, { stdio: "ignore" });
}

function currentPlan() {
  const programs = Object.fromEntries(decisive.map((name) => [name, programOnPath(name)]));
  return redisPlan({
    url: process.env.AMAAS_REDIS_URL,
    server: process.env.AMAAS_REDIS_SERVER,
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    programs,
    maySudo: () => succeeds(programs.sudo, "-n", "true"),
    hasSystemd: existsSync("/run/systemd/system"),
  });
}

function programOnPath(name) {
  for (const folder of [...(process.env.PATH ?? "").split(delimiter), ...besidesPath]) {
    const file = join(folder || ".", name);
    if (isProgram(file)) return file;
  }
  return null;
}

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function succeeds(command, ...args) {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
