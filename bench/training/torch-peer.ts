import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";
import { PythonPackages } from "../harness/python.ts";
import type { Workplace } from "../harness/scenario.ts";
import type { BenchNetwork } from "./networks.ts";

const programs = fileURLToPath(new URL("bench/training/peer/", new URL("./", import.meta.resolve("#package.json"))));

/** What a step takes, on average over some. */
export interface StepCost {
  readonly seconds: number;
  /** Of the processor, over all threads. */
  readonly cpuSeconds: number;
}

/** The Python that has PyTorch: that of AMAAS_BENCH_PYTHON, or one of the bench's own, made at the first run. */
export async function pythonWithTorch(place: Workplace): Promise<string> {
  const given = place.env.AMAAS_BENCH_PYTHON;
  if (given) return given;
  const packages = new PythonPackages(place, "bench-torch");
  await packages.install(join(programs, "requirements.txt"));
  return packages.program("python");
}

/** PyTorch in a process of its own, training one network on the processor; it ends when the scenario does. */
export class TorchPeer {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #ended: Promise<never>;
  readonly #parameterCount: number;

  constructor(place: Workplace, python: string, network: BenchNetwork, threads: number, mode: "eager" | "compiled") {
    const { peer, batchRows: batch, input, target } = network;
    this.#parameterCount = networkOf(network.spec).parameterCount;
    const args = [join(programs, "train.py"), JSON.stringify({ ...peer, batch, input, target }), `${threads}`, mode];
    this.#child = spawn(python, args, { cwd: place.folder, env: place.env, stdio: ["pipe", "pipe", 2] });
    this.#lines = createInterface(this.#child.stdout!);
    this.#ended = Promise.race([once(this.#child, "exit"), once(this.#child, "error")]).then(([how]) => {
      throw new Error(`${python} train.py ended with ${how}; needed: a Python with PyTorch`);
    });
    // It ends after the scenario too.
    this.#ended.catch(() => undefined);
    place.atEnd(() => this.stop());
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Takes so many steps. */
  async steps(count: number): Promise<StepCost> {
    this.#child.stdin!.write(`${count}\n`);
    const [line] = await Promise.race([once(this.#lines, "line"), this.#ended]);
    const { seconds, cpuSeconds, parameters } = JSON.parse(line);
    if (parameters !== this.#parameterCount) {
      throw new Error(`the network of train.py has ${parameters} parameters; needed: ${this.#parameterCount}, as here`);
    }
    return { seconds: seconds / count, cpuSeconds: cpuSeconds / count };
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}
