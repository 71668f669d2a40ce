import { setTimeout as sleep } from "node:timers/promises";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import type { ModelInferResponse__Output as Response } from "../../lib/gen/inference/ModelInferResponse.ts";
import type { ModelStreamInferResponse__Output as StreamResponse } from "../../lib/gen/inference/ModelStreamInferResponse.ts";
import { decodeMessage, encodeMessage } from "../../lib/rpc/protos.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";

/** What became of one request. */
export interface Answer {
  readonly kind: "call" | "stream";
  readonly beganMs: number;
  readonly endedMs: number;
  /** The version that the answer says. */
  readonly version: number;
  /** What the version's model has added to 0. */
  readonly value: number;
}

/** Asks for the default version of a model that adds something to `x`, FP32 [1, 2], over and over, from the start to `stop`. */
export class ConstantLoad {
  readonly answers: Answer[] = [];
  /** Of calls. */
  readonly failures: string[] = [];
  /** Ends of streams that nobody here has asked for. */
  readonly brokenStreams: string[] = [];
  readonly #model: string;
  readonly #client: Client;
  #isStopping = false;
  readonly #running: Promise<void>[];

  /** Calls and streams at the same time; each pauses some milliseconds after an answer. */
  constructor(
    address: string,
    model: string,
    { calls, streams }: { readonly calls: number; readonly streams: number },
  ) {
    this.#model = model;
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 100,
    });
    this.#running = [
      ...Array.from({ length: calls }, () => this.#callOn()),
      ...Array.from({ length: streams }, (_, index) => this.#streamOn(index)),
    ];
  }

  /** Settles when all that was asked is answered. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#running);
    this.#client.close();
  }

  /** One more call; its answer counts among all. */
  async call(): Promise<Answer> {
    const beganMs = performance.now();
    const reply = await new Promise<Buffer>((resolve, reject) => {
      const done = (failure: ServiceError | null, bytes?: Buffer) => (failure ? reject(failure) : resolve(bytes!));
      const options = { deadline: Date.now() + timeoutMs };
      this.#client.makeUnaryRequest(`${service}/ModelInfer`, same, same, this.#request(""), patient(), options, done);
    });
    const answer = answerOf(
      "call",
      beganMs,
      decodeMessage<Response>("inference", "inference.ModelInferResponse", reply),
    );
    this.answers.push(answer);
    return answer;
  }

  async #callOn(): Promise<void> {
    while (!this.#isStopping) {
      await this.call().catch((failure) => this.failures.push(String(failure)));
      await sleep(pauseMs);
    }
  }

  async #streamOn(index: number): Promise<void> {
    for (let asked = 0; !this.#isStopping; ) asked = await this.#streamOnce(index, asked);
  }

  /** Asks one request after the other, as long as the stream lasts; answers which is the next one. */
  async #streamOnce(index: number, first: number): Promise<number> {
    const call = this.#client.makeBidiStreamRequest(`${service}/ModelStreamInfer`, same, same, patient());
    let asked = first;
    let beganMs = 0;
    const ask = () => {
      beganMs = performance.now();
      call.write(this.#request(`${index}-${asked}`));
    };
    ask();
    try {
      for await (const bytes of call as AsyncIterable<Buffer>) {
        const { errorMessage, inferResponse } = decodeMessage<StreamResponse>("inference", streamResponse, bytes);
        if (errorMessage !== "") this.failures.push(`in a stream: ${errorMessage}`);
        else if (inferResponse!.id !== `${index}-${asked}`) this.failures.push(`the answer to ${inferResponse!.id}`);
        else this.answers.push(answerOf("stream", beganMs, inferResponse!));
        asked++;
        await sleep(pauseMs);
        if (this.#isStopping) call.end();
        else ask();
      }
    } catch (failure) {
      const { reason, message } = remoteFaultOf(failure);
      this.brokenStreams.push(`${reason}: ${message}`);
    }
    return asked;
  }

  #request(id: string): Buffer {
    return encodeMessage("inference", "inference.ModelInferRequest", {
      modelName: this.#model,
      id,
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], contents: { fp32Contents: [0, 0] } }],
    });
  }
}

const service = "/inference.GRPCInferenceService";
const streamResponse = "inference.ModelStreamInferResponse";
const timeoutMs = 20_000;
const pauseMs = 15;

const same = (bytes: Buffer) => bytes;

/** Waits for a gateway that is being started. */
function patient(): Metadata {
  return new Metadata({ waitForReady: true });
}

function answerOf(kind: Answer["kind"], beganMs: number, { modelVersion, rawOutputContents }: Response): Answer {
  const value = rawOutputContents[0]!.readFloatLE();
  return { kind, beganMs, endedMs: performance.now(), version: Number(modelVersion), value };
}
