import { readFile } from "node:fs/promises";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { quantile } from "../../harness/figures.ts";

/** A loop over the runtime, without a server. */
export interface BareLoop {
  /** The ONNX file. */
  readonly path: string;
  readonly intraOpThreads: number;
  /** Whether threads that wait spin, as they do unless a session is told otherwise. */
  readonly spinning: boolean;
  readonly input: { readonly name: string; readonly type: "float32" | "int64"; readonly shape: readonly number[] };
  readonly durationMs: number;
}

const sessions = new Map<string, InferenceSession>();

/** Runs one input over and over, one run after the other, as fast as the runtime answers. */
export async function loop(options: BareLoop) {
  const { input, durationMs } = options;
  const session = await sessionOf(options);
  const count = input.shape.reduce((product, size) => product * size, 1);
  const data = input.type === "float32" ? new Float32Array(count).fill(0.5) : new BigInt64Array(count).fill(7n);
  const timesMs: number[] = [];
  const begin = performance.now();
  for (let last = begin; last - begin < durationMs; ) {
    await session.run({ [input.name]: new Tensor(input.type, data as Float32Array, input.shape) });
    const now = performance.now();
    timesMs.push(now - last);
    last = now;
  }
  const seconds = (performance.now() - begin) / 1000;
  return { calls: timesMs.length, seconds, p50Ms: quantile(timesMs, 0.5), p99Ms: quantile(timesMs, 0.99) };
}

async function sessionOf({ path, intraOpThreads, spinning }: BareLoop): Promise<InferenceSession> {
  const key = `${path} ${intraOpThreads} ${spinning}`;
  let session = sessions.get(key);
  if (session === undefined) {
    session = await InferenceSession.create(await readFile(path), {
      intraOpNumThreads: intraOpThreads,
      interOpNumThreads: 1,
      extra: { session: { intra_op: { allow_spinning: spinning ? "1" : "0" } } },
    });
    sessions.set(key, session);
  }
  return session;
}
