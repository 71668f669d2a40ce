import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { apart, entriesOf, whole } from "../../bootstrap/bundle.mjs";
import { root } from "../../bootstrap/root.mjs";

const services = readdirSync(join(root, "services"));

describe("the bundle of a service", () => {
  it("has its program, and every process and thread that this starts", () => {
    const entries = services.flatMap((service) => entriesOf(`services/${service}`));
    expect(entries).to.include.members(services.map((service) => `services/${service}/main.ts`));
    expect(entries).to.include.members([
      "services/inference/worker/thread.ts",
      "services/registry/validation/main.ts",
      "services/trainer/job-process/task-thread.ts",
    ]);
  });

  it("has threads of which there are many as one file each", () => {
    for (const entry of whole) {
      expect(entriesOf(entry.split("/").slice(0, 2).join("/"))).to.include(entry);
      const imported = importedBy(join(root, "dist", entry.replace(/\.ts$/, ".js")));
      expect(imported.filter((name) => name.startsWith("."))).to.deep.equal([]);
      expect(imported).to.include("node:worker_threads");
    }
  });

  for (const service of services) {
    it(`needs nothing but itself, Node.js and packages that stay apart: ${service}`, () => {
      const folder = join(root, "dist/services", service);
      const open = entriesOf(`services/${service}`).map((entry) => join(root, "dist", entry.replace(/\.ts$/, ".js")));
      const seen = new Set(open);
      for (let file = open.pop(); file !== undefined; file = open.pop()) {
        for (const imported of importedBy(file)) {
          if (!imported.startsWith(".")) {
            expect([...builtinModules, ...apart], `${file} imports it`).to.include(imported.replace(/^node:/, ""));
            continue;
          }
          const path = join(dirname(file), imported);
          expect(path.startsWith(join(folder, "chunks")) || entriesHave(service, path), `${file}: ${path}`).to.equal(
            true,
          );
          expect(existsSync(path), path).to.equal(true);
          if (!seen.has(path)) open.push(path);
          seen.add(path);
        }
      }
    });
  }
});

function entriesHave(service, path) {
  return entriesOf(`services/${service}`).some((entry) => join(root, "dist", entry.replace(/\.ts$/, ".js")) === path);
}

/** Of a bundled file, whose imports stand at its start. */
function importedBy(file) {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(/(?:^|[;}\n])(?:import|export)(?:[\w$*{},\s]+from)?\s*"([^"]+)"/g)].map(([, name]) => name);
}
