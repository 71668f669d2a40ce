import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { modelName } from "../../lib/resource-names.ts";
import { publish } from "../system/publishing.ts";
import { RunningSuite } from "../system/running-suite.ts";
import { served } from "../system/served.ts";
import { models, samples, settings } from "./models.ts";

// The entry of `npm run interop`: clients of other projects, as they are on PyPI, against the whole suite.
const folder = fileURLToPath(new URL("test/interop/", import.meta.resolve("#package.json")));
const environment = fileURLToPath(new URL("dist/interop-venv/", import.meta.resolve("#package.json")));
const runMsMax = 600_000;
const python = join(environment, "bin", "python");

await prepare();
const suite = new RunningSuite();
const httpPort = await freePort();
try {
  await suite.start({
    AMAAS_INFERENCE_MODEL_CONTROL: "explicit",
    AMAAS_INFERENCE_LOAD_MODELS: "*",
    // Some of Triton's own programs insist on it.
    AMAAS_SERVER_NAME: "triton",
    AMAAS_GATEWAY_HTTP_PORT: String(httpPort),
  });
  for (const [name, bytes] of Object.entries(models)) {
    await suite.registry.unary("CreateModel", { modelId: name });
    const wanted = settings[name];
    if (wanted !== undefined) {
      const named = { ...wanted, name: `${modelName(name)}/servingSettings` };
      await suite.registry.unary("UpdateServingSettings", { settings: named });
    }
    await publish(suite.registry, name, bytes, samples[name]);
  }
  for (const name of Object.keys(models)) await served(suite.inference, name);
  const gateway = suite.gateway;
  const node = suite.members.get("inference")!.address;
  const failed: string[] = [];
  for (const [program, address, what] of [
    ["triton.py", gateway, "tritonclient through the gateway"],
    ["triton.py", node, "tritonclient at a node"],
    ["control.py", node, "tritonclient, model control and settings at a node"],
    ["triton_http.py", `127.0.0.1:${httpPort}`, "tritonclient through the gateway by HTTP"],
    ["kserve_rest.py", `127.0.0.1:${httpPort}`, "kserve through the gateway by HTTP"],
    ["kserve_client.py", gateway, "kserve through the gateway"],
    ["kserve_client.py", node, "kserve at a node"],
  ] as const) {
    console.log(`\n${what} (${program} ${address})`);
    if ((await run(python, [join(folder, "clients", program), address])) !== 0) failed.push(what);
  }
  for (const example of process.argv.slice(2)) {
    console.log(`\n${example}`);
    if ((await run(python, [example, "-u", node])) !== 0) failed.push(example);
  }
  console.log(failed.length === 0 ? "\nall clients work" : `\nfailed: ${failed.join(", ")}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
} finally {
  await suite.remove();
}

/** Installs the clients into an environment of their own, once. */
async function prepare(): Promise<void> {
  if (!existsSync(python) && (await run("python3", ["-m", "venv", environment])) !== 0) {
    throw new Error("python3 cannot make a virtual environment; needed: Python 3.9 or newer with venv");
  }
  const requirements = join(folder, "clients", "requirements.txt");
  if ((await run(python, ["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", requirements])) !== 0) {
    throw new Error(`the packages in ${requirements} could not be installed`);
  }
}

/** Settles with the exit code. */
function run(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"], timeout: runMsMax });
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

/** A port that nobody listens on, as the system gives one. */
async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await once(server.close(), "close");
  return port;
}
