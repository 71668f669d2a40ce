import { build, buildIsStale, buildTests, testsAreStale } from "./build.mjs";
import { install, installIsStale } from "./install.mjs";
import { locked } from "./lock.mjs";
import { generate, generatedIsStale } from "./protos.mjs";

/** The steps in order; each result rests on the ones before it. */
const steps = {
  packages: { isStale: installIsStale, redo: install },
  types: { isStale: generatedIsStale, redo: generate },
  programs: { isStale: buildIsStale, redo: build },
  tests: { isStale: testsAreStale, redo: buildTests },
};
const order = Object.keys(steps);

/**
 * Brings packages, generated types and compiled programs up to date; at once where all of them are.
 *
 * `upTo` names the last step to take.
 */
export async function prepare(upTo = "programs") {
  const wanted = order.slice(0, order.indexOf(upTo) + 1).map((name) => steps[name]);
  if (!wanted.some(({ isStale }) => isStale())) return;
  await locked(async () => {
    // Whoever held the lock before may have done it all.
    for (const { isStale, redo } of wanted) if (isStale()) await redo();
  });
}
