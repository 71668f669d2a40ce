import type { AspiredFile } from "../../../lib/gen/amaas/registry/v1/AspiredFile.ts";
import type { AspiredVersion } from "../../../lib/gen/amaas/registry/v1/AspiredVersion.ts";
import type { ConnectNodeResponse } from "../../../lib/gen/amaas/registry/v1/ConnectNodeResponse.ts";
import { artifactName } from "../../../lib/resource-names.ts";
import { Encoded } from "../../../lib/rpc/encoded.ts";
import { encodeMessage } from "../../../lib/rpc/protos.ts";
import { memoryOf } from "../control/fit.ts";
import type { Assigned } from "../control/model-plan.ts";
import type { FileEntry } from "../store/entries.ts";

/** What nodes should hold, as the contract has it; each version is encoded once, however often all of a node are told again. */
export class AssignmentMessages {
  readonly #versions = new WeakMap<Assigned, Buffer>();
  readonly #interval: Buffer;

  constructor(heartbeatIntervalMs: number) {
    this.#interval = encodedPart({ heartbeatIntervalMs });
  }

  of(assignment: readonly Assigned[]): Encoded<ConnectNodeResponse> {
    // Encoded messages that follow each other are one message: the entries of their repeated fields follow each other too.
    return new Encoded(Buffer.concat([...assignment.map((assigned) => this.#version(assigned)), this.#interval]));
  }

  #version(assigned: Assigned): Buffer {
    let bytes = this.#versions.get(assigned);
    if (bytes === undefined) {
      bytes = encodedPart({ versions: [aspiredVersion(assigned)] });
      this.#versions.set(assigned, bytes);
    }
    return bytes;
  }
}

function encodedPart(message: ConnectNodeResponse): Buffer {
  return encodeMessage("control", "amaas.registry.v1.ConnectNodeResponse", message);
}

function aspiredVersion({ version, fit, aliases, settings }: Assigned): AspiredVersion {
  const { variant, executionProviders } = fit;
  return {
    version,
    variant: variant.id,
    executionProviders: [...executionProviders],
    modelFile: aspiredFile(variant.modelFile),
    externalFiles: variant.externalFiles.map(aspiredFile),
    aliases: [...aliases],
    settings,
    memoryBytes: memoryOf(variant, settings ?? {}),
  };
}

function aspiredFile({ location, sha256, sizeBytes }: FileEntry): AspiredFile {
  return { location, artifact: artifactName(sha256), sizeBytes };
}
