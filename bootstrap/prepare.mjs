import { build, buildIsStale } from "./build.mjs";
import { install, installIsStale } from "./install.mjs";
import { locked } from "./lock.mjs";
import { generate, generatedIsStale } from "./protos.mjs";

/** The steps in order; each result rests on the ones before it. */
const steps = [
  { isStale: installIsStale, redo: install },
  { isStale: generatedIsStale, redo: generate },
  { isStale: buildIsStale, redo: build },
];

/** Brings packages, generated types and compiled programs up to date; at once where all of them are. */
export async function prepare() {
  if (!steps.some(({ isStale }) => isStale())) return;
  await locked(async () => {
    // Whoever held the lock before may have done it all.
    for (const { isStale, redo } of steps) if (isStale()) await redo();
  });
}
