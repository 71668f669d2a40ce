import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Workplace } from "./scenario.ts";

const runMsMax = 900_000;

/** An environment of Python with packages of the versions that are listed. */
export class PythonPackages {
  readonly #folder: string;
  readonly #place: Workplace;

  /** It stays for later runs, beside the folder of the scenario, under a name of its own. */
  constructor(place: Workplace, name: string) {
    this.#folder = join(place.folder, "..", name);
    this.#place = place;
  }

  /** The path of a program in it. */
  program(name: string): string {
    return join(this.#folder, "bin", name);
  }

  /** Installs what a file lists, unless it is there. Throws where there is no Python or no network. */
  async install(path: string): Promise<void> {
    const list = basename(path);
    const text = await readFile(path, "utf8");
    const installed = join(this.#folder, list);
    if ((await readFile(installed, "utf8").catch(() => undefined)) === text) return;
    this.#place.tell(`installing ${text.trim().split("\n").join(", ")} …`);
    await this.#run("python3", ["-m", "venv", this.#folder], "Python 3.9 or newer with venv");
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", path];
    await this.#run(this.program("python"), pip, `the packages of ${list}, and a network to install them`);
    await writeFile(installed, text);
  }

  async #run(program: string, args: readonly string[], needed: string): Promise<void> {
    const child = spawn(program, args, { env: this.#place.env, stdio: ["ignore", 2, 2], timeout: runMsMax });
    this.#place.atEnd(() => child.kill("SIGTERM"));
    const [code] = await once(child, "exit").catch((failure: Error) => [failure.message]);
    if (code !== 0) throw new Error(`${program} ${args.slice(0, 3).join(" ")} failed: ${code}; needed: ${needed}`);
  }
}
