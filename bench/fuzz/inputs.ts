import { Random } from "../../lib/random.ts";
import { faultNames, faultyRequest } from "./infer-requests.ts";
import { type FuzzedMethod, inferMethods, otherMethods } from "./methods.ts";
import { mutated, mutationNames } from "./mutations.ts";
import { framed } from "./wire.ts";

/** One call of the fuzzer. */
export interface FuzzInput {
  /** What is wrong with it. */
  readonly what: string;
  readonly path: string;
  /** Headers in the place of, or besides, those that a gRPC call has. */
  readonly headers: Readonly<Record<string, string>>;
  /** All that is sent, message prefixes included. */
  readonly body: Buffer;
  readonly messageCount: number;
  /** Whether the first answer is enough. */
  readonly isEndless: boolean;
}

/** A call that depends on nothing but a seed and its number. */
export function inputAt(seed: number, index: number): FuzzInput {
  const random = new Random(seed, `input ${index}`);
  const methods = random.below(10) < 6 ? inferMethods : otherMethods;
  const method = methods[random.below(methods.length)]!;
  const count = method.takesStream ? 1 + random.below(4) : 1;
  const messages = Array.from({ length: count }, () => spoiled(method, random));
  const whats = [...new Set(messages.map(({ what }) => what))];
  const headers = random.below(10) === 0 ? oddHeaders[random.below(oddHeaders.length)]! : {};
  const bodies = messages.map(({ bytes }) => framed(bytes));
  if (random.below(10) === 0) {
    const name = framingNames[random.below(framingNames.length)]!;
    whats.push(name);
    bodies[bodies.length - 1] = framings[name]!(messages.at(-1)!.bytes, random);
  }
  return {
    what: [...whats, ...Object.entries(headers).map(([key, value]) => `${key}: ${value.slice(0, 40)}`)].join(", "),
    path: method.path,
    headers,
    body: Buffer.concat(bodies),
    messageCount: count,
    isEndless: method.isEndless,
  };
}

function spoiled(method: FuzzedMethod, random: Random): { readonly what: string; readonly bytes: Buffer } {
  const isInfer = inferMethods.includes(method);
  const kind = random.below(20);
  if (kind === 0) return { what: "nothing wrong", bytes: method.message(random) };
  if (isInfer && kind < 10) {
    const what = faultNames[random.below(faultNames.length)]!;
    return { what, bytes: faultyRequest(what, random) };
  }
  const what = mutationNames[random.below(mutationNames.length)]!;
  return { what, bytes: mutated(method.message(random), what, random) };
}

/** Ways of putting a message between prefixes that are wrong. */
const framings: Readonly<Record<string, (message: Buffer, random: Random) => Buffer>> = {
  "a prefix of 2 GiB": (message) => framed(message, 2 ** 31),
  "a prefix of 4 GiB": (message) => framed(message, 2 ** 32 - 1),
  "a prefix that is a little too long": (message, random) => framed(message, message.length + 1 + random.below(9)),
  "a prefix that is too short": (message, random) => framed(message, random.below(message.length + 1)),
  "a compressed message that is none": (message) => framed(message, message.length, 1),
  "an unknown compression": (message) => framed(message, message.length, 255),
  "no message": () => Buffer.alloc(0),
  "half of a prefix": (_, random) => Buffer.alloc(1 + random.below(4)),
  "one message more": (message) => Buffer.concat([framed(message), framed(message)]),
  "bytes behind the message": (message) => Buffer.concat([framed(message), Buffer.from([0, 0, 0])]),
};
const framingNames = Object.keys(framings);

const oddHeaders: readonly Readonly<Record<string, string>>[] = [
  ...["1n", "0m", "99999999H", "999999999S", "abc", "-1S", "", "S"].map((time) => ({ "grpc-timeout": time })),
  ...["x", "-1", "1e3", "99999999999999999999", "2"].map((version) => ({ "amaas-version": version })),
  ...["text/plain", "application/grpc+json", "application/json", "application/grpc-web"].map((type) => ({
    "content-type": type,
  })),
  ...["gzip", "deflate", "br", "nothing"].map((encoding) => ({ "grpc-encoding": encoding })),
  { "grpc-accept-encoding": "nothing, , br" },
  { "odd-bin": "@@@@" },
  { "grpc-trace-bin": "" },
  { "x-request-id": "r".repeat(5000) },
  { "amaas-principal": "\u00ff\u00fe" },
  { triton_grpc_error: "true" },
  { "long-text": "t".repeat(12_000) },
  { ":method": "GET" },
  { ":path": "/" },
  { ":path": "/inference.GRPCInferenceService/NoSuchMethod" },
  { ":path": "/no.Service/ModelInfer" },
];
