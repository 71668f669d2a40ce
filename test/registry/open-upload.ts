import { status } from "@grpc/grpc-js";
import type { Artifact__Output } from "../../lib/gen/amaas/registry/v1/Artifact.ts";
import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { UploadArtifactRequest } from "../../lib/gen/amaas/registry/v1/UploadArtifactRequest.ts";
import { artifactName } from "../../lib/resource-names.ts";
import type { Duplex, RpcClient } from "../../lib/rpc/client.ts";
import { faultOf, sha256Of } from "./running-registry.ts";

type Registry = RpcClient<RegistryServiceDefinition>;

/** An upload whose bytes are sent when the test says so. */
export class OpenUpload {
  readonly name: string;
  /** How it ends. */
  readonly result: Promise<Artifact__Output>;
  readonly #registry: Registry;
  readonly #bytes: Uint8Array;
  readonly #call: Duplex<UploadArtifactRequest, Artifact__Output>;
  #sent: number;

  /** Announces bytes, of which those from an offset on will follow. */
  constructor(registry: Registry, bytes: Uint8Array, offset = 0, sha256 = sha256Of(bytes)) {
    this.#registry = registry;
    this.#bytes = bytes;
    this.#sent = offset;
    this.name = artifactName(sha256);
    this.#call = registry.duplex("UploadArtifact");
    void this.#call.write({ header: { sha256, sizeBytes: bytes.length, offset } });
    this.result = onlyOne(this.#call.replies);
    this.result.catch(() => undefined);
  }

  /** Sends the next bytes; settles once the registry has them. */
  async send(count: number): Promise<void> {
    await this.#write(count);
    await committed(this.#registry, this.name, this.#sent);
  }

  /** Says that nothing follows. */
  end(): Promise<Artifact__Output> {
    this.#call.end();
    return this.result;
  }

  /** Sends all that is left, and ends. */
  async finish(): Promise<Artifact__Output> {
    while (this.#sent < this.#bytes.length) await this.#write(1024 ** 2);
    return this.end();
  }

  /** Goes away in the midst of it. */
  async leave(): Promise<void> {
    this.#call.cancel();
    const { code } = await faultOf(this.result);
    if (code !== status.CANCELLED) throw new Error(`the upload ended with ${status[code]} before its caller left`);
  }

  async #write(count: number): Promise<void> {
    const chunk = Buffer.from(this.#bytes.subarray(this.#sent, this.#sent + count));
    this.#sent += chunk.length;
    await this.#call.write({ chunk });
  }
}

async function onlyOne<Reply>(replies: AsyncIterable<Reply>): Promise<Reply> {
  for await (const reply of replies) return reply;
  throw new Error("the call ended without a reply");
}

/** Settles once so many bytes of an artifact have arrived. */
export async function committed(registry: Registry, name: string, bytes: number): Promise<void> {
  for (const endMs = Date.now() + 10_000; Date.now() < endMs; ) {
    const { committedBytes } = await registry.unary("QueryUpload", { name });
    if (committedBytes === bytes) return;
  }
  throw new Error(`${bytes} bytes of ${name} never arrived`);
}
