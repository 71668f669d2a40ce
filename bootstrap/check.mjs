import { runChild } from "./child.mjs";
import { tell } from "./console.mjs";
import { root } from "./root.mjs";

const bin = (path) => `${root}/node_modules/${path}`;

/** Every checker, cheapest first. */
const checkers = [
  { name: "format and lint", program: bin("@biomejs/biome/bin/biome"), args: ["check", "--error-on-warnings"] },
  { name: "types", program: bin("typescript/bin/tsc"), args: ["-p", "tsconfig.json"] },
  { name: "dead code", program: bin("knip/bin/knip.js"), args: ["--no-config-hints"] },
  { name: "contracts: lint", program: bin("@bufbuild/buf/bin/buf"), args: ["lint"] },
  {
    name: "contracts: breaking changes",
    program: bin("@bufbuild/buf/bin/buf"),
    args: ["breaking", "--against", "protos/baseline.binpb"],
  },
  { name: "import rules", program: bin("mocha/bin/mocha.js"), args: ["test/tidy.test.ts", "--reporter", "dot"] },
];

/** Runs every checker, also after one has failed; answers with the exit code. */
export async function check() {
  const results = [];
  for (const { name, program, args } of checkers) {
    tell(`${name} …`);
    const startMs = performance.now();
    const code = await runChild(process.execPath, [program, ...args], { cwd: root });
    results.push({ name, code, seconds: (performance.now() - startMs) / 1000 });
    if (code > 128) return code;
  }
  tell("");
  for (const { name, code, seconds } of results) {
    tell(`${code === 0 ? "ok    " : "FAILED"} ${name.padEnd(27)} ${seconds.toFixed(1)} s`);
  }
  return results.every(({ code }) => code === 0) ? 0 : 1;
}
