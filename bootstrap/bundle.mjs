import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { StepFailed } from "./console.mjs";
import { root } from "./root.mjs";

/** Packages that stay apart: most load a library of machine code that they look for beside themselves, the client of S3 is only for whoever uses it. */
export const apart = [
  "@aws-sdk/client-s3",
  "@aws-sdk/lib-storage",
  "@duckdb/node-api",
  "libsql",
  "msgpackr-extract",
  "onnxruntime-node",
  "pg-native",
  "sharp",
];

/** Threads of which a process starts many: each is one file, which is found and read sooner than several. */
export const whole = ["services/inference/worker/thread.ts"];

/**
 * Puts each program of the services, and each of their threads, into one file with what it imports, and what several of a service's have in common
 * into `chunks/` of that service: Node.js takes most of a start to find and link hundreds of modules. Written over what the compiler has made
 * of those entries.
 */
export async function bundleServices() {
  const { build } = await import("esbuild");
  for (const service of readdirSync(join(root, "services"))) await bundle(build, `services/${service}`);
}

async function bundle(build, folder) {
  const entries = entriesOf(folder);
  const [alone, sharing] = [true, false].map((isAlone) => entries.filter((entry) => whole.includes(entry) === isAlone));
  const written = (entryPoints, splitting, manifest) => ({
    ...{ absWorkingDir: root, entryPoints, outdir: "dist", outbase: ".", chunkNames: `${folder}/chunks/[hash]` },
    ...{ bundle: true, splitting, format: "esm", platform: "node", target: "node20", allowOverwrite: true },
    ...{ external: apart, plugins: [placesKept], sourcemap: true, sourcesContent: false, logLevel: "warning" },
    ...{ minifyWhitespace: true },
    banner: { js: placesFrom(manifest) },
  });
  try {
    if (sharing.length > 0) await build(written(sharing, true, `import.meta.resolve("#package.json")`));
    for (const entry of alone) {
      // Looked for by Node.js it takes a thread a twentieth of its start.
      const manifest = `new URL("${"../".repeat(entry.split("/").length)}package.json", import.meta.url)`;
      await build(written([entry], false, manifest));
    }
  } catch (cause) {
    throw new StepFailed("the services could not be bundled; the messages above say where", 1, { cause });
  }
}

/** Files under `services/NAME` that are started as a process or a thread: `main.ts`, and what a module addresses as lying beside itself. */
export function entriesOf(folder) {
  const files = readdirSync(join(root, folder), { recursive: true }).filter((name) => name.endsWith(".ts"));
  const entries = new Set(files.includes("main.ts") ? [`${folder}/main.ts`] : []);
  for (const file of files) {
    const text = readFileSync(join(root, folder, file), "utf8");
    for (const [, beside] of text.matchAll(/new URL\("\.\/([^"]+)", import\.meta\.url\)/g)) {
      entries.add(`${folder}/${join(dirname(file), `${beside}.ts`)}`);
    }
  }
  return [...entries];
}

/** In front of every file that is written: what modules that were files of their own need to know of where they are. `manifest` is where package.json is. */
const placesFrom = (manifest) => `import { createRequire as createRequire__ } from "node:module";
import { fileURLToPath as fileURLToPath__ } from "node:url";
const root__ = new URL(".", ${manifest});
const require = createRequire__(import.meta.url);`;

/** A source map that says nothing: those of packages would make up most of ours, which Node.js reads whole at each start. */
const noMap = `\n//# sourceMappingURL=data:application/json;base64,${btoa('{"version":3,"sources":[""],"mappings":"A"}')}`;

/** Lets each module find what lies beside it as if it still were a file of its own. */
const placesKept = {
  name: "places-kept",
  setup({ onLoad }) {
    onLoad({ filter: /\.([cm]?js|ts)$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const inPackage = path.includes("/node_modules/");
      const loader = path.endsWith(".ts") ? "ts" : "js";
      const place = relative(root, path);
      const url = `new URL(${JSON.stringify(inPackage ? place : `dist/${place.replace(/\.ts$/, ".js")}`)}, root__).href`;
      let contents = text.replaceAll("import.meta.url", url);
      if (inPackage && /\b__dirname\b/.test(text) && !/(const|let|var) __dirname\b/.test(text)) {
        const folder = `fileURLToPath__(new URL(${JSON.stringify(dirname(place))}, root__))`;
        contents = contents.replaceAll(/\b__dirname\b/g, folder);
      }
      if (inPackage) contents += noMap;
      return contents === text ? undefined : { contents, loader };
    });
  },
};
