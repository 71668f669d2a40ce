/** Gives the bytes of an artifact from an offset on, in chunks. Fails with the error of the call. */
export type ArtifactSource = (sha256: string, offset: number, signal: AbortSignal) => AsyncIterable<Uint8Array>;
