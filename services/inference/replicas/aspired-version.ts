/** One version that the node should hold. */
export interface AspiredVersion {
  /** The id of the model. */
  readonly model: string;
  /** The number. */
  readonly version: number;
  /** The SHA-256 of the ONNX file, in lower-case hexadecimal digits. */
  readonly sha256: string;
  /** The size of the ONNX file in bytes. */
  readonly sizeBytes: number;
  /** The ids of the aliases that point at the version. */
  readonly aliases: readonly string[];
}

/** Whether two descriptions mean the same version with the same bytes. */
export function isSameVersion(
  a: Pick<AspiredVersion, "model" | "version" | "sha256">,
  b: Pick<AspiredVersion, "model" | "version" | "sha256">,
): boolean {
  return a.model === b.model && a.version === b.version && a.sha256 === b.sha256;
}
