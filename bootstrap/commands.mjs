import { check } from "./check.mjs";
import { runChild } from "./child.mjs";
import { StepFailed, tell } from "./console.mjs";
import { prepare } from "./prepare.mjs";
import { findRedis } from "./redis.mjs";
import { root } from "./root.mjs";
import { softwareVulkan } from "./software-vulkan.mjs";
import { test } from "./test.mjs";

/** What each command does once the checkout is ready. Each answers with the exit code. */
const commands = {
  start: (args) => launch("dist/supervisor/main.js", args),
  demo: (args) => launch("dist/examples/digits/main.js", args),
  upload: (args) => runChild(process.execPath, ["--enable-source-maps", `${root}/dist/cli/main.js`, ...args]),
  // Not bin/mocha.js: it may start a process of its own, and end that one without its hooks on Ctrl-C.
  test: (args) => {
    // The tests kill Redis and start it again: one of their own, never one that somebody named.
    process.env.AMAAS_REDIS_URL = "";
    Object.assign(process.env, softwareVulkan());
    return test(args, (chosen, options) => launch("node_modules/mocha/lib/cli/cli.js", chosen, [], options));
  },
  check,
  bench: (args) => launch("dist/bench/main.js", args),
  interop: (args) => launch("test/interop/main.ts", args, ["--import", import.meta.resolve("tsx")]),
  build: async () => 0,
};

/** The last step of what a command needs, where that is not the programs. */
const needed = {
  // The check compiles on its own: where that fails, its other checkers still have something to say.
  check: "types",
  test: "tests",
};

/** Readies the checkout, then runs one command; the process exits with that command's code. */
export async function run(name, args) {
  try {
    if (!Object.hasOwn(commands, name ?? "")) {
      throw new StepFailed(
        `unknown command ${JSON.stringify(name ?? "")}, needed: ${Object.keys(commands).join(", ")}`,
      );
    }
    await prepare(needed[name]);
    process.exitCode = await commands[name](args);
  } catch (failure) {
    if (!(failure instanceof StepFailed)) throw failure;
    tell(failure.message);
    process.exitCode = failure.exitCode;
  }
}

/** Runs a program of this checkout that may need Redis, as a child that ends when this process does. */
async function launch(program, args, nodeOptions = [], options = {}) {
  const redis = await findRedis();
  const command = [`${root}/bootstrap/launch.mjs`, `${root}/${program}`, ...args];
  return runChild(process.execPath, ["--enable-source-maps", ...nodeOptions, ...command], {
    env: { ...process.env, ...redis },
    lifeline: true,
    ...options,
  });
}
