import { posix } from "node:path";
import { expect } from "chai";
import { cycleIn } from "./tidy/cycles.ts";
import { filesEndingIn, foldersIn, importsIn, isThere, sourceOf, textOf } from "./tidy/sources.ts";

const sources = filesEndingIn(".ts", ".mjs", ".cjs").map(sourceOf);
const programs = sources.filter(({ path }) => !path.startsWith("test/"));

/** Which files may import a package; every other one reaches it through them. */
const doors: Readonly<Record<string, readonly RegExp[]>> = {
  "@aws-sdk/client-s3": [/^services\/registry\/artifacts\/s3-bytes\.ts$/],
  "@aws-sdk/lib-storage": [/^services\/registry\/artifacts\/s3-bytes\.ts$/],
  "@duckdb/node-api": [
    /^services\/trainer\/datasets\//,
    /^services\/trainer\/work\//,
    /^bench\/jobs\/(data|reading)\.ts$/,
  ],
  "@grpc/grpc-js": [
    /^lib\/rpc\//,
    /^services\/gateway\/(answers\.ts$|call\/|forward\/)/,
    /^deploy\/probe\.mjs$/,
    /^bench\/(registry|inference|gateway)\/load\//,
  ],
  "@grpc/proto-loader": [/^lib\/rpc\//],
  "@grpc/reflection": [/^lib\/rpc\//],
  bullmq: [/^services\/trainer\/queue\//],
  ioredis: [/^services\/trainer\/queue\//, /^services\/gateway\/limits\/redis-connection\.ts$/],
  kysely: [/^services\/registry\/store\//],
  libsql: [/^services\/registry\/store\//, /^lib\/folder-lock\.ts$/],
  "prom-client": [/^lib\/metrics\/metrics\.ts$/],
  pino: [/^lib\/log\.ts$/],
  sharp: [/^services\/trainer\/datasets\/formats\/image-pixels\.ts$/],
  "tar-stream": [/^services\/trainer\/datasets\/formats\/tar-files\.ts$/, /^cli\/packed-folder\.ts$/],
  yauzl: [/^services\/trainer\/datasets\/formats\/zip-file\.ts$/],
};

/** Packages that exactly one file of each of these rooms imports. */
const singleDoors = {
  "onnxruntime-node": ["services/inference/", "services/registry/", "services/trainer/", "bench/inference/"],
};

/** Code that only computes: no I/O, no timers, no gRPC; time arrives as a `Clock`. */
const pure = [
  /^lib\/onnx\//,
  /^lib\/(errors|nearest-names|random|rendezvous|resource-names|split|tensor|tensor-numbers)\.ts$/,
  /^services\/trainer\/(card|graph|metrics)\//,
  /^services\/gateway\/(message-fields|model-health|model-ref|name-map|pick-target|repository-index|routing|routed-model|route-facts|route-message|route-table|sequence)[^/]*\.ts$/,
  /^services\/gateway\/(admission|balance)\//,
  /^services\/gateway\/limits\/(?!redis-)/,
  /^services\/gateway\/mirrors\/(compare-outputs|copy-queue|mirror-figures)\.ts$/,
  /^services\/registry\/compatibility\//,
  /^services\/registry\/validation\/(model-bounds|model-facts|sample|trial-inputs)\.ts$/,
  /^services\/registry\/control\/(fit|fleet-capabilities|fleet-index|free-memory|hearing-time|model-plan|node-assignments|node-state)\.ts$/,
  /^services\/registry\/control\/(node-routes|node-text|placement|planner|reasons|route-feed|routes|serving-policy)\.ts$/,
  /^services\/inference\/(batching|decoupled|sequences|statistics|tensors)\//,
  /^services\/inference\/replicas\/(policy|resolve|model-table)\.ts$/,
  /^services\/inference\/tracing\/(request-trace|trace-settings|trace-table)\.ts$/,
  /^supervisor\/restart-policy\.ts$/,
];
const harmlessModules = new Set(["node:assert", "node:buffer", "node:util"]);

/** Processes of their own: they alone read the environment and handle signals. */
const entries =
  /(^|\/)(main|demo|regression)\.ts$|^services\/inference\/worker\/process\.ts$|^bootstrap\/|^deploy\/|^test\//;

const linesMax = 300;
/** Tables and other data may be longer. */
const longFiles = new Set<string>([]);

describe("the repository is tidy:", () => {
  it("a service never imports another service", () => {
    const offences = programs.flatMap(({ path, imports }) => {
      const own = serviceOf(path);
      return imports.filter((to) => own !== null && serviceOf(to) !== null && serviceOf(to) !== own).map(arrow(path));
    });
    expect(offences).to.deep.equal([]);
  });

  it("rooms call down, never up", () => {
    const allowed: Readonly<Record<string, readonly string[]>> = {
      lib: ["lib"],
      supervisor: ["supervisor", "lib"],
      services: ["services", "lib"],
      client: ["client", "lib"],
      cli: ["cli", "client", "lib"],
      // The textbook case runs the trainer's engine alone, without its service.
      examples: [
        "examples",
        "client",
        "supervisor",
        "services/trainer/engine",
        "services/trainer/datasets/rows",
        "lib",
      ],
      // A decision of the gateway, a step of a training and what a node counts of a call are too short to be seen from outside.
      bench: [
        "bench",
        "examples",
        "client",
        "supervisor",
        "services/gateway",
        "services/inference",
        "services/trainer",
        "lib",
      ],
      bootstrap: ["bootstrap"],
      deploy: [],
    };
    const offences = programs.flatMap(({ path, imports }) => {
      const rooms = allowed[roomOf(path)];
      const isAllowed = (to: string) => rooms === undefined || rooms.some((room) => to.startsWith(`${room}/`));
      return imports.filter((to) => isOurs(to) && !isAllowed(to)).map(arrow(path));
    });
    expect(offences).to.deep.equal([]);
  });

  for (const [name, files] of Object.entries(doors)) {
    it(`${name} has its door`, () => {
      const importers = programs.filter(({ imports }) => imports.includes(name)).map(({ path }) => path);
      expect(importers.filter((path) => !files.some((file) => file.test(path)))).to.deep.equal([]);
    });
  }

  for (const [name, rooms] of Object.entries(singleDoors)) {
    it(`${name} is imported by at most one file of ${rooms.join(" and of ")}, and nowhere else`, () => {
      const importers = programs.filter(({ imports }) => imports.includes(name)).map(({ path }) => path);
      const inRooms = rooms.map((room) => importers.filter((path) => path.startsWith(room)));
      expect(inRooms.filter((files) => files.length > 1)).to.deep.equal([]);
      expect(importers.filter((path) => !inRooms.flat().includes(path))).to.deep.equal([]);
    });
  }

  it("only process entries read the environment and handle signals", () => {
    const offences = programs.filter(
      ({ path, text }) => !entries.test(path) && /\bprocess\.(env|on|once)\b/.test(code(text)),
    );
    expect(offences.map(({ path }) => path)).to.deep.equal([]);
  });

  it("pure files import no I/O and no timers, and use no global ones", () => {
    const offences = sources
      .filter(({ path }) => isPure(path))
      .flatMap(({ path, text, imports }) => {
        const impure = imports.filter(
          (to) => (to.startsWith("node:") && !harmlessModules.has(to)) || to.startsWith("@grpc/"),
        );
        const globals = code(text).match(
          /\b(setTimeout|setInterval|setImmediate|fetch|Date\.now|Math\.random|performance\.now)\b/g,
        );
        return [...impure, ...(globals ?? [])].map(arrow(path));
      });
    expect(offences).to.deep.equal([]);
  });

  it("imports make no cycle", () => {
    const graph = new Map(sources.map(({ path, imports }) => [path, imports.filter(isOurs)]));
    expect(cycleIn(graph)).to.equal(null);
  });

  it(`no file is longer than ${linesMax} lines`, () => {
    const offences = sources.filter(({ path, text }) => !longFiles.has(path) && text.split("\n").length - 1 > linesMax);
    expect(offences.map(({ path, text }) => `${path}: ${text.split("\n").length - 1}`)).to.deep.equal([]);
  });

  it("every name says what a file holds", () => {
    const offences = sources.filter(({ path }) =>
      path.split(/[/.-]/).some((word) => /^(utils?|helpers?|common|misc)$/.test(word)),
    );
    expect(offences.map(({ path }) => path)).to.deep.equal([]);
  });

  it("no file only re-exports", () => {
    const statement = /^export\s+(type\s+)?(\*(\s+as\s+\w+)?|\{[^}]*\})\s+from\s+["'][^"']+["'];?$/gm;
    const offences = programs.filter(
      ({ text }) => statement.test(text) && code(text).replaceAll(statement, "").trim() === "",
    );
    expect(offences.map(({ path }) => path)).to.deep.equal([]);
  });

  it("every room has a README", () => {
    const rooms = ["lib", "supervisor", "cli", "bootstrap", "deploy", "protos", "test", "bench"]
      .concat(foldersIn("services").map((name) => `services/${name}`))
      .concat(foldersIn("examples").map((name) => `examples/${name}`));
    expect(rooms.filter((room) => !isThere(`${room}/README.md`))).to.deep.equal([]);
  });

  it("every link in a document leads to a file", () => {
    const offences = filesEndingIn(".md").flatMap((path) =>
      linksIn(textOf(path))
        .filter((to) => !exists(path, to))
        .map(arrow(path)),
    );
    expect(offences).to.deep.equal([]);
  });

  it("nothing is left for later in the code, and no test runs alone", () => {
    const left = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "X" + "XX"].join("|")})\\b|\\b(describe|it)\\.only\\(`);
    expect(sources.filter(({ text }) => left.test(text)).map(({ path }) => path)).to.deep.equal([]);
  });
});

describe("the tidy rules see", () => {
  it("imports of every form, and none in comments", () => {
    const text = [
      'import { a } from "./a.ts";',
      'import type {\n  B,\n} from "b";',
      'export * from "./c.ts";',
      'import "d";',
      'const e = await import("e");',
      ' * import { f } from "f";',
      '// import("g")',
    ].join("\n");
    expect(importsIn(text)).to.have.members(["./a.ts", "b", "./c.ts", "d", "e"]);
  });

  it("a cycle however long, and none in a diamond", () => {
    const diamond = { a: ["b", "c"], b: ["d"], c: ["d"], d: [] };
    expect(cycleIn(new Map(Object.entries(diamond)))).to.equal(null);
    expect(cycleIn(new Map(Object.entries({ ...diamond, d: ["b"] })))).to.deep.equal(["b", "d", "b"]);
  });
});

function roomOf(path: string): string {
  return path.split("/")[0]!;
}

function serviceOf(path: string): string | null {
  return /^services\/([^/]+)\//.exec(path)?.[1] ?? null;
}

/** Whether an import leads to a file of ours outside the generated ones. */
function isOurs(to: string): boolean {
  return /\.(ts|mjs|cjs)$/.test(to) && !to.startsWith("lib/gen/");
}

function isPure(path: string): boolean {
  return pure.some((room) => room.test(path));
}

function arrow(from: string): (to: string) => string {
  return (to) => `${from} → ${to}`;
}

/** A program without its comments. */
function code(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "");
}

/** The relative links of a Markdown text, without their anchors. */
function linksIn(text: string): string[] {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!.replace(/#.*$/, ""));
  return links.filter((link) => link !== "" && !/^[a-z]+:/.test(link));
}

function exists(from: string, link: string): boolean {
  return isThere(posix.join(posix.dirname(from), link));
}
