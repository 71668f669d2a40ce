import { statSync } from "node:fs";
import { join } from "node:path";
import { runChild } from "./child.mjs";
import { StepFailed, tell } from "./console.mjs";
import { root } from "./root.mjs";
import { digest, stamp, stampOf, unstamp } from "./stamps.mjs";

const packages = "node_modules";
const lockFile = "package-lock.json";
/** npm's own record of what is in node_modules, the last file that it writes. */
const installedFile = "node_modules/.package-lock.json";

/**
 * Whether packages must be installed, from the lock file's and the installation's state.
 *
 * `installedMs` is null where no complete installation exists. Times alone mislead after `git checkout`, which touches the lock file without
 * changing it, so the digest that our last installation stood for counts too.
 */
export function packagesAreStale({ installedMs, lockMs, lockDigest, stampedDigest }) {
  if (installedMs === null) return true;
  return installedMs < lockMs && stampedDigest !== lockDigest;
}

export function installIsStale() {
  return packagesAreStale({
    installedMs: modifiedMs(installedFile),
    lockMs: modifiedMs(lockFile) ?? 0,
    lockDigest: lockDigest(),
    stampedDigest: stampOf(packages),
  });
}

/** Installs exactly what the lock file names. */
export async function install() {
  tell("installing packages (npm ci)");
  unstamp(packages);
  const npm = process.env.npm_execpath;
  const [command, ...args] = npm?.endsWith(".js") ? [process.execPath, npm] : ["npm"];
  const options = ["ci", "--no-audit", "--no-fund"];
  const code = await runChild(command, [...args, ...options], { cwd: root }).catch((failure) => {
    throw new StepFailed(
      `npm could not be run (${failure.message}): install npm, or type \`npm ci\` yourself in ${root}`,
    );
  });
  if (code > 128) throw new StepFailed("interrupted", code);
  if (code !== 0) throw new StepFailed(`npm ci failed with code ${code}; its output above says why. Then try again.`);
  stamp(packages, lockDigest());
}

function lockDigest() {
  return digest([lockFile], () => true);
}

function modifiedMs(file) {
  return statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? null;
}
