import { setTimeout as sleep } from "node:timers/promises";
import type { GRPCInferenceServiceDefinition } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import type { Digit } from "./dataset.ts";

/** What the model says of a digit. */
export interface Prediction {
  readonly digit: number;
  /** In [0, 1]. */
  readonly probability: number;
}

/** Predictions in the order of the digits, and how long they took. */
export interface Measured {
  readonly predictions: readonly Prediction[];
  /** Milliseconds of each call, ascending. */
  readonly latenciesMs: readonly number[];
  readonly callsPerSecond: number;
}

/** Calls at the same time. */
export const concurrency = 8;

/** The model "digits" behind a gateway. */
export class Predictor {
  readonly #client: RpcClient<GRPCInferenceServiceDefinition>;
  readonly #version: string;

  constructor(gateway: string, version: string) {
    this.#client = new RpcClient("inference.GRPCInferenceService", gateway);
    this.#version = version;
  }

  /** Waits until the version is loaded and routed, at most this many milliseconds. */
  async ready(timeoutMs: number): Promise<void> {
    const deadlineMs = Date.now() + timeoutMs;
    const request = { name: "digits", version: this.#version };
    let seen = "it is still loading";
    while (Date.now() < deadlineMs) {
      try {
        if ((await this.#client.unary("ModelReady", request, { deadlineMs })).ready) return;
      } catch (failure) {
        seen = String(failure);
      }
      await sleep(20);
    }
    throw new Error(`digits ${this.#version} is not served after ${timeoutMs} ms: ${seen}`);
  }

  /** Predicts every digit, one call each. */
  async measure(digits: readonly Digit[]): Promise<Measured> {
    const predictions: Prediction[] = [];
    const latenciesMs: number[] = [];
    let next = 0;
    const begin = performance.now();
    const caller = async () => {
      for (let index = next++; index < digits.length; index = next++) {
        const called = performance.now();
        predictions[index] = await this.predict(digits[index]);
        latenciesMs.push(performance.now() - called);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, caller));
    const callsPerSecond = digits.length / ((performance.now() - begin) / 1000);
    return { predictions, latenciesMs: latenciesMs.sort((a, b) => a - b), callsPerSecond };
  }

  /** Predicts one digit. */
  async predict({ pixels }: Digit): Promise<Prediction> {
    const input = Float32Array.from(pixels);
    const reply = await this.#client.unary(
      "ModelInfer",
      {
        modelName: "digits",
        modelVersion: this.#version,
        inputs: [{ name: "input", datatype: "FP32", shape: [1, input.length] }],
        rawInputContents: [Buffer.from(input.buffer)],
      },
      { timeoutMs: 10_000 },
    );
    const raw = reply.rawOutputContents[0];
    const probabilities = Array.from({ length: raw.length / 4 }, (_, i) => raw.readFloatLE(i * 4));
    const probability = Math.max(...probabilities);
    return { digit: probabilities.indexOf(probability), probability };
  }

  close(): void {
    this.#client.close();
  }
}
