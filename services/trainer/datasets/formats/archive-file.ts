/** A file in an archive; nothing is written to disk under its name. */
export interface ArchiveFile {
  /** Its path, with slashes, relative and without "..". */
  readonly name: string;
  /** Without compression. */
  readonly bytes: number;
  /** Its bytes; to be read to the end, if at all, before the next file is asked for. */
  open(): AsyncIterable<Uint8Array>;
}

/** What an archive may be, so that a small one cannot fill memory or time. */
export interface ArchiveBounds {
  /** Of all files together, without compression. */
  readonly expandedBytesMax: number;
}
