import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { S3Client } from "@aws-sdk/client-s3";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import {
  type ByteStore,
  BytesGone,
  chunkBytes,
  listedMax,
  type Room,
  type StoredBytes,
  sha256Of,
} from "./byte-store.ts";

/** A bucket of an S3-compatible server, and how to talk to it. */
export interface S3Config {
  readonly bucket: string;
  /** What every key begins with: empty, or a path that ends in "/". */
  readonly prefix: string;
  /** Where the server answers; undefined for Amazon's own. */
  readonly endpoint: string | undefined;
  /** Undefined for what the environment says. */
  readonly region: string | undefined;
  /** Larger files are sent in parts of so many bytes. */
  readonly partBytes: number;
  /** Parts of one file that are under way, and in memory, at the same time. */
  readonly partsInFlightMax: number;
  /** How long a connection may take, and how long nothing may happen on one, in milliseconds. */
  readonly timeoutMs: number;
  /** How often a request is tried. */
  readonly attemptsMax: number;
}

type Sdk = typeof import("@aws-sdk/client-s3") & typeof import("@aws-sdk/lib-storage");

/** Bytes as objects of a bucket. Credentials are those that the SDK finds: `AWS_ACCESS_KEY_ID`, a role, a file. */
export class S3Bytes implements ByteStore {
  readonly #config: S3Config;
  #sdk!: Sdk;
  #client!: S3Client;

  constructor(config: S3Config) {
    this.#config = config;
  }

  async start(): Promise<void> {
    const { endpoint, region, timeoutMs, attemptsMax } = this.#config;
    const [client, storage] = await Promise.all([import("@aws-sdk/client-s3"), import("@aws-sdk/lib-storage")]);
    this.#sdk = { ...client, ...storage };
    this.#client = new client.S3Client({
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
      ...(region === undefined ? {} : { region }),
      // Other servers than Amazon's do not know the checksums that the SDK adds by itself.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      maxAttempts: attemptsMax,
      requestHandler: {
        connectionTimeout: timeoutMs,
        socketTimeout: timeoutMs,
        httpAgent: { keepAlive: true, maxSockets: socketsMax },
        httpsAgent: { keepAlive: true, maxSockets: socketsMax },
      },
    });
  }

  async put(path: string, location: string, signal: AbortSignal): Promise<void> {
    const { partBytes, partsInFlightMax } = this.#config;
    const { size } = await stat(path);
    const body = createReadStream(path);
    const upload = new this.#sdk.Upload({
      client: this.#client,
      params: { ...this.#object(location), Body: body },
      partSize: Math.max(partBytes, Math.ceil(size / partsMax)),
      queueSize: partsInFlightMax,
    });
    const abort = () => void upload.abort();
    const ending = AbortSignal.any([signal, AbortSignal.timeout(putMsMax)]);
    ending.addEventListener("abort", abort);
    try {
      ending.throwIfAborted();
      await upload.done();
    } catch (failure) {
      throw signal.aborted ? signal.reason : faultOf(failure);
    } finally {
      ending.removeEventListener("abort", abort);
      body.destroy();
    }
  }

  async sizeOf(location: string): Promise<number | undefined> {
    try {
      const head = await this.#client.send(new this.#sdk.HeadObjectCommand(this.#object(location)));
      return head.ContentLength;
    } catch (failure) {
      const fault = await this.#faultOfObject(failure);
      if (fault instanceof BytesGone) return undefined;
      throw fault;
    }
  }

  async *read(location: string, offset: number, signal: AbortSignal, room: Room): AsyncGenerator<Buffer> {
    let position = offset;
    for (let failures = 0; ; ) {
      try {
        for await (const chunk of this.#attempt(location, position, signal, room)) {
          yield chunk;
          position += chunk.length;
          failures = 0;
        }
        return;
      } catch (failure) {
        signal.throwIfAborted();
        const fault = await this.#faultOfObject(failure);
        const isPassing = fault instanceof ServiceError && fault.reason === "SERVICE_UNAVAILABLE";
        // A connection that broke is opened again where it broke; the SDK has tried whatever came before its first byte.
        if (!isPassing || position === offset || ++failures >= this.#config.attemptsMax) throw fault;
      }
    }
  }

  async link(): Promise<boolean> {
    return false;
  }

  async *list(): AsyncGenerator<readonly StoredBytes[]> {
    const { bucket, prefix } = this.#config;
    for (let token: string | undefined; ; ) {
      const request = { Bucket: bucket, Prefix: prefix, MaxKeys: listedMax, ContinuationToken: token };
      const page = await this.#client.send(new this.#sdk.ListObjectsV2Command(request)).catch(throwFault);
      yield (page.Contents ?? []).flatMap(({ Key = "", LastModified }) => {
        const location = Key.slice(prefix.length);
        const sha256 = sha256Of(location);
        return sha256 === undefined || !LastModified ? [] : [{ location, sha256, timeMs: LastModified.getTime() }];
      });
      token = page.NextContinuationToken;
      if (!page.IsTruncated || token === undefined) return;
    }
  }

  async remove(location: string): Promise<void> {
    await this.#client.send(new this.#sdk.DeleteObjectCommand(this.#object(location))).catch(throwFault);
  }

  async removeUnfinished(beforeMs: number): Promise<number> {
    const { bucket, prefix } = this.#config;
    const request = { Bucket: bucket, Prefix: prefix, MaxUploads: listedMax };
    // Where a server has no such listing, its own rules have to remove what is unfinished.
    const page = await this.#client
      .send(new this.#sdk.ListMultipartUploadsCommand(request))
      .catch(undefinedWhereUnknown);
    const unfinished = (page?.Uploads ?? []).filter(({ Key = "", Initiated }) => {
      return sha256Of(Key.slice(prefix.length)) !== undefined && Initiated && Initiated.getTime() < beforeMs;
    });
    for (const { Key, UploadId } of unfinished) {
      const upload = { Bucket: bucket, Key, UploadId };
      await this.#client.send(new this.#sdk.AbortMultipartUploadCommand(upload)).catch(throwFault);
    }
    return unfinished.length;
  }

  close(): void {
    this.#client.destroy();
  }

  /** One request; its small pieces are put together. */
  async *#attempt(location: string, position: number, signal: AbortSignal, room: Room): AsyncGenerator<Buffer> {
    const range = position === 0 ? {} : { Range: `bytes=${position}-` };
    const command = new this.#sdk.GetObjectCommand({ ...this.#object(location), ...range });
    const { Body } = await this.#client.send(command, { abortSignal: signal });
    let chunk = room();
    let length = 0;
    for await (const piece of Body as AsyncIterable<Buffer>) {
      for (let begin = 0; begin < piece.length; ) {
        const copied = piece.copy(chunk, length, begin, begin + chunkBytes - length);
        begin += copied;
        length += copied;
        if (length < chunkBytes) continue;
        yield chunk;
        chunk = room();
        length = 0;
      }
    }
    if (length > 0) yield chunk.subarray(0, length);
  }

  /** A "not found" without a body, such as the answer to HEAD, may be about the bucket: nothing is said of the object then. */
  async #faultOfObject(failure: unknown): Promise<unknown> {
    const { name } = failure as S3Failure;
    if (name === "NoSuchKey") return new BytesGone(name, { cause: failure });
    if (name !== "NotFound") return faultOf(failure);
    const { bucket } = this.#config;
    try {
      await this.#client.send(new this.#sdk.HeadBucketCommand({ Bucket: bucket }));
      return new BytesGone(name, { cause: failure });
    } catch (ofBucket) {
      return (ofBucket as S3Failure).name === "NotFound"
        ? refused(`there is no bucket ${bucket}`, ofBucket)
        : faultOf(ofBucket);
    }
  }

  #object(location: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#config.bucket, Key: this.#config.prefix + location };
  }
}

/** Most parts of one object. */
const partsMax = 10_000;

/** How long a file may take to be stored, in milliseconds; less than what the catalogue waits for it. */
const putMsMax = 30 * 60_000;

/** More connections than calls, so that nobody waits for one. */
const socketsMax = 1024;

function throwFault(failure: unknown): never {
  throw faultOf(failure);
}

/** The connection's own words: refused, lost, idle for too long. */
const connectionCode = /^(E[A-Z_]+|UND_ERR_\w+)$/;

/** What a failed request means to us: the server is away, or it refuses us, or our own trouble. */
function faultOf(failure: unknown): unknown {
  const { name = "", code, $metadata } = failure as S3Failure;
  const status = $metadata?.httpStatusCode ?? 0;
  if (refusalStatuses.has(status) || refusalNames.has(name)) return refused(`${name}: ${messageOf(failure)}`, failure);
  const isAway =
    status >= 500 ? name !== "NotImplemented" : status === 429 || (status < 300 && isConnection(name, code));
  if (!isAway) return failure;
  const message = `the store of artifacts does not answer: ${messageOf(failure)}`;
  return new ServiceError("SERVICE_UNAVAILABLE", message, { retryDelayMs: 1000, cause: failure });
}

/** Another region, no or wrong credentials, no access. */
const refusalStatuses: ReadonlySet<number> = new Set([301, 401, 403]);
const refusalNames: ReadonlySet<string> = new Set([
  "NoSuchBucket",
  "AuthorizationHeaderMalformed",
  "CredentialsProviderError",
  "ExpiredToken",
  "InvalidToken",
]);

/** Whoever runs the registry can mend it, and nothing is known of the bytes until then. */
function refused(why: string, cause: unknown): ServiceError {
  const needed = "a bucket that is there and credentials that may read, write, delete and list";
  const message = `the store of artifacts refuses the registry: ${why}; needed: ${needed}, see AMAAS_ARTIFACT_STORE`;
  return new ServiceError("SERVICE_UNAVAILABLE", message, { retryDelayMs: 10_000, cause });
}

interface S3Failure {
  readonly name?: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

function isConnection(name = "", code = ""): boolean {
  return connectionCode.test(code) || /^(TimeoutError|AbortError)$/.test(name);
}

function undefinedWhereUnknown(failure: unknown): undefined {
  const { name } = failure as S3Failure;
  if (name !== "NotImplemented" && name !== "MethodNotAllowed") throwFault(failure);
}
