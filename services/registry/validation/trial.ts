import { readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import { hasBfloat16, widened, withoutBfloat16 } from "../../../lib/onnx/bfloat16.ts";
import { checkCarried } from "../../../lib/onnx/carriers.ts";
import { checkExternalFiles } from "../../../lib/onnx/external-data.ts";
import { checkExternalRanges } from "../../../lib/onnx/external-ranges.ts";
import { readModel, writeModel } from "../../../lib/onnx/model.ts";
import { newestOpset } from "../../../lib/onnx/newest-opset.ts";
import { isShortage } from "../../../lib/onnx/shortage.ts";
import type { Tensor } from "../../../lib/tensor.ts";
import type { Outcome } from "../store/validations.ts";
import { type FileFacts, factsOf, ownDomain } from "./model-facts.ts";
import type { ValidatorTask } from "./protocol.ts";
import { openSession } from "./runtime.ts";
import { trialInputs } from "./trial-inputs.ts";

/** What a trial comes to: an outcome that follows from the content alone, or why there is none. */
export type TrialResult =
  | { readonly kind: "outcome"; readonly outcome: Outcome }
  /** The model asked for more than it may have. */
  | { readonly kind: "exceeded"; readonly detail: string }
  /** The machine was short of something, or could not read a file, which says nothing about the model. */
  | { readonly kind: "prevented"; readonly detail: string };

/**
 * Reads an ONNX file, loads it, and runs it once. Blocks the process, for ever where the model does. `memoryBytesMax` is what the
 * process may hold. What it throws is a defect of ours.
 */
export async function tryOut(task: ValidatorTask, memoryBytesMax: number): Promise<TrialResult> {
  try {
    return { kind: "outcome", outcome: await outcomeOf(task, memoryBytesMax) };
  } catch (failure) {
    const detail = messageOf(failure);
    if (failure instanceof Exceeding) return { kind: "exceeded", detail };
    if (failure instanceof Shortage || isShortage(detail) || isOfSystem(failure)) return { kind: "prevented", detail };
    throw failure;
  }
}

/** The machine was short of something. */
class Shortage extends Error {
  override readonly name = "Shortage";
}

/** The model asked for more than it may have. */
class Exceeding extends Error {
  override readonly name = "Exceeding";
}

/** Whether the operating system refused something: a model has no way of asking it for anything. */
function isOfSystem(failure: unknown): boolean {
  return failure instanceof Error && "syscall" in failure;
}

async function outcomeOf(task: ValidatorTask, memoryBytesMax: number): Promise<Outcome> {
  try {
    const facts = await readFacts(task);
    await checkOpsets(facts);
    const inputs = trialInputs(facts.signature, task.sample);
    const { signature, operators, opsets, parameterCount } = facts;
    const runnable = hasBfloat16(signature) ? await widenedTask(task) : task;
    const memoryBytes = Math.max(await runOnce(runnable, inputs.map(widened), memoryBytesMax), await sizeOf(task));
    return { kind: "accepted", facts: { signature, operators, opsets, parameterCount, memoryBytes } };
  } catch (failure) {
    if (!(failure instanceof ServiceError)) throw failure;
    return { kind: "rejected", reason: shortened(failure.message) };
  }
}

/** Holds the file for as long as it takes to read it. */
async function readFacts(task: ValidatorTask): Promise<FileFacts> {
  const { path, locations } = task;
  const { size } = await stat(path);
  if (size > onnxBytesMax) throw invalid(`its ONNX file has ${size} bytes; needed: at most ${onnxBytesMax}`);
  const model = readModel(await readFile(path));
  checkExternalFiles(model, locations);
  const facts = factsOf(model);
  const surplus = locations.find((location) => !facts.locations.includes(location));
  if (surplus !== undefined) {
    throw invalid(`external_files have ${JSON.stringify(surplus)}, where the ONNX file keeps nothing`);
  }
  checkExternalRanges(model, await externalBytes(task));
  checkCarried(facts.signature);
  return facts;
}

/** The same with FP32 in the place of BF16, as nodes run it; beside the other files, so that the runtime finds them. */
async function widenedTask(task: ValidatorTask): Promise<ValidatorTask> {
  const path = `${task.path}.widened`;
  await writeFile(path, writeModel(withoutBfloat16(readModel(await readFile(task.path)))));
  return { ...task, path };
}

/** A protobuf message is smaller than 2 GiB. Larger models keep weights outside of it. */
const onnxBytesMax = 2 ** 31 - 1;

async function checkOpsets({ opsets }: FileFacts): Promise<void> {
  for (const [domain, version] of Object.entries(opsets)) {
    const newest = await newestOf(domain);
    if (version > newest) {
      throw invalid(
        `its operator set ${domain} is ${version}; needed: at most ${newest}, the newest that is supported`,
      );
    }
  }
}

const newestByDomain = new Map<string, number>();

async function newestOf(domain: string): Promise<number> {
  const known = newestByDomain.get(domain);
  if (known !== undefined) return known;
  const newest = await newestOpset(domain === ownDomain ? "" : domain, async (model) => {
    try {
      await (await openSession(model)).release();
      return true;
    } catch (failure) {
      if (isShortage(messageOf(failure))) throw failure;
      return false;
    }
  });
  newestByDomain.set(domain, newest);
  return newest;
}

/** Answers by how many bytes the process has grown. */
async function runOnce(task: ValidatorTask, inputs: readonly Tensor[], memoryBytesMax: number): Promise<number> {
  const folder = dirname(task.path);
  const fault = (failure: unknown, what: string) => {
    // Where the files lie for the trial is nothing that a reason should tell.
    const text = messageOf(failure).replaceAll(task.path, "the ONNX file").replaceAll(`${folder}/`, "").trim();
    return faultOf(text, what, memoryBytesMax);
  };
  // What was needed to read the file is none of the model's memory.
  await setImmediate();
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  const session = await openSession(task.path).catch((failure: unknown) => {
    throw fault(failure, "the runtime cannot load it");
  });
  try {
    const loaded = process.memoryUsage.rss();
    const on = task.sample === null ? "zeros, with 1 for every symbolic size (a sample may do better)" : "the sample";
    await session.run(inputs).catch((failure: unknown) => {
      throw fault(failure, `it cannot be run on ${on}`);
    });
    return Math.max(loaded, process.memoryUsage.rss()) - before;
  } finally {
    await session.release();
  }
}

async function sizeOf(task: ValidatorTask): Promise<number> {
  let bytes = (await stat(task.path)).size;
  for (const fileBytes of (await externalBytes(task)).values()) bytes += fileBytes;
  return bytes;
}

/** The sizes of the external files, by their locations. */
async function externalBytes({ path, locations }: ValidatorTask): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const location of locations) sizes.set(location, (await stat(join(dirname(path), location))).size);
  return sizes;
}

/** The runtime fails in one way for everything; its text tells whose fault it was. */
function faultOf(text: string, what: string, memoryBytesMax: number): Error {
  const requested = Number(/requested buffer of size (\d+)/.exec(text)?.[1] ?? 0);
  if (isShortage(text)) return requested > memoryBytesMax ? new Exceeding(`${what}: ${text}`) : new Shortage(text);
  const operator = operatorIn(text);
  return invalid(`${what}: ${operator === undefined ? "" : `operator ${operator} is not supported: `}${text}`);
}

/** The operator that the runtime does not have, or not for these types. */
function operatorIn(text: string): string | undefined {
  const match =
    /No Op registered for (\S+) with/.exec(text) ??
    /(\S+:\w+)\(-?\d+\) is not a registered function/.exec(text) ??
    /Could not find an implementation for (\S+)\(/.exec(text);
  return match?.[1]?.replace(":", "/");
}

function invalid(message: string): ServiceError {
  return new ServiceError("ARTIFACT_INVALID", message);
}

/** Names in a file may hold NUL, which no database keeps. */
function shortened(reason: string): string {
  const text = reason.replaceAll("\0", "�");
  return text.length > reasonCharactersMax ? `${text.slice(0, reasonCharactersMax)}…` : text;
}

const reasonCharactersMax = 2000;
