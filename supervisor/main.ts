import { relative } from "node:path";
import { SettingError } from "../lib/env.ts";
import { messageOf } from "../lib/errors.ts";
import { FolderTaken } from "../lib/folder-lock.ts";
import { exitOnBadSetting } from "../lib/process.ts";
import { Board } from "./board.ts";
import { ChildFailed } from "./child.ts";
import { type SuiteConfig, suiteConfig } from "./config.ts";
import { reachableHost } from "./ports.ts";
import { type Addresses, Suite } from "./suite.ts";

const board = new Board(process.stdout);

/** Runs the suite until a signal, or until a service finds its settings malformed. */
async function main(): Promise<number> {
  let config: SuiteConfig;
  try {
    config = suiteConfig(process.env);
  } catch (failure) {
    return report(failure);
  }
  let end: (exitCode: number) => void = () => undefined;
  const ended = new Promise<number>((settle) => {
    end = settle;
  });
  const suite = new Suite(config, {
    onChange: (name, state) => board.show(name, state),
    onWaiting: (reason) => board.say(reason),
    onTrouble: (reason) => board.say(reason),
    onFailure: (name, { reason, exitCode }) => {
      if (exitCode === exitOnBadSetting) end(report(new ChildFailed(`${name}: ${reason}`, exitCode)));
    },
  });
  let signals = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      signals += 1;
      if (signals === 1) board.say("stopping; once more stops at once");
      else suite.kill();
      end(0);
    });
  }
  suite.start().then(
    (addresses) => board.say(welcome(addresses, config)),
    (failure) => end(signals > 0 ? 0 : report(failure)),
  );
  const exitCode = await ended;
  try {
    await suite.stop();
    return exitCode;
  } catch (failure) {
    return report(failure);
  }
}

function welcome({ gateway }: Addresses, { dataFolder, host, sidePorts }: SuiteConfig): string {
  const short = relative("", dataFolder);
  const folder = short.startsWith("..") ? dataFolder : short || ".";
  const http = sidePorts.find(({ variable, port }) => variable === "AMAAS_GATEWAY_HTTP_PORT" && port !== 0);
  const ways = http === undefined ? gateway : `${gateway}, HTTP at ${reachableHost(host)}:${http.port}`;
  return `amaas is ready: gRPC at ${ways}; state and logs in ${folder}; Ctrl-C stops it`;
}

/** Says what is wrong, without a stack where the user can act on it; answers with the exit code. */
function report(failure: unknown): number {
  const expected = failure instanceof SettingError || failure instanceof ChildFailed || failure instanceof FolderTaken;
  const text = expected || !(failure instanceof Error) ? messageOf(failure) : (failure.stack ?? failure.message);
  process.stderr.write(`amaas: ${text}\n`);
  const isSetting =
    failure instanceof SettingError || (failure instanceof ChildFailed && failure.exitCode === exitOnBadSetting);
  return isSetting ? exitOnBadSetting : 1;
}

process.exitCode = await main();
