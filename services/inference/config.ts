import { availableParallelism } from "node:os";
import type { Settings } from "../../lib/env.ts";
import { idPattern, idPatternText } from "../../lib/resource-names.ts";
import { readServerName, readServiceConfig, readZone, type ServiceConfig } from "../../lib/service-config.ts";
import type { QueueBounds } from "./batching/occupancy.ts";
import { type ControlMode, controlModes } from "./control/model-control.ts";
import { type OverflowStatus, overflowStatuses } from "./handlers/overflow.ts";
import { type Isolation, isolations } from "./isolation/isolation.ts";
import type { SequenceBounds } from "./sequences/sequence-settings.ts";
import { cpu, knownProviders } from "./worker/execution-providers.ts";

/** The inference service's settings; its README says what each is for. */
export interface InferenceConfig extends ServiceConfig {
  readonly port: number;
  /** Where metrics are served, by HTTP. */
  readonly metricsPort: number;
  readonly registryAddress: string;
  /** Where gateways reach the node; undefined for the host and port that it listens on. */
  readonly advertisedAddress: string | undefined;
  /** The id of the node; undefined to derive it from host name and port. */
  readonly nodeName: string | undefined;
  /** Where it stands, such as a zone of a cloud; empty where nobody says. */
  readonly zone: string;
  /** The name that ServerMetadata tells. */
  readonly serverName: string;
  /** Sessions per replica. */
  readonly instanceCount: number;
  /** Threads of the runtime inside one operator, per session; 0 where they are found. */
  readonly intraOpThreads: number;
  /** Those to offer if they work, best first. */
  readonly executionProviders: readonly string[];
  /** By how much the threads of sessions are nicer than the event loop's. */
  readonly niceness: number;
  /** Cores that all sessions may use together. */
  readonly coreCount: number;
  /** How long a run waits for cores at most, in milliseconds; then it shares them with others. */
  readonly coreWaitMsMax: number;
  /** The status of requests that find a queue full. */
  readonly overflowStatus: OverflowStatus;
  /** Bounds of the queue of each replica. */
  readonly queue: QueueBounds;
  /** Bounds of all queues together. */
  readonly nodeQueue: QueueBounds;
  /** Who says what the node holds. */
  readonly modelControl: ControlMode;
  /** The models that are loaded at the start where clients may load them; "*" for all. */
  readonly modelsLoadedAtStart: readonly string[];
  /** Bounds of the sequences of each replica. */
  readonly sequences: SequenceBounds;
  /** What the states of all sequences together may take, in bytes. */
  readonly stateBytesMax: number;
  /** Versions that may load at the same time. */
  readonly loadsMax: number;
  /** How long a request waits until the version is loaded that it is for, in milliseconds. */
  readonly loadWaitMsMax: number;
  /** What sessions run in where the version is not set otherwise. */
  readonly isolation: Isolation;
  /** How long a session may take to load, in milliseconds; then it is lost. */
  readonly loadMsMax: number;
  /** The same for each of its runs. */
  readonly runMsMax: number;
  /** How long the runs of a session may take together before it is ready, in milliseconds. */
  readonly warmUpMsMax: number;
  /** How long a version whose sessions died too often is not loaded again, in milliseconds. */
  readonly quarantineMs: number;
  /** Memory for versions that are loaded, in bytes; 0 sets no bound. */
  readonly memoryBudgetBytes: number;
  /** Calls that a node makes to itself at its start; 0 for none. */
  readonly rehearsalCalls: number;
  /** What all trace files may take together, in bytes. */
  readonly traceBytesMax: number;
}

/** Reads and checks every setting of the inference service. */
export function readInferenceConfig(settings: Settings): InferenceConfig {
  const whole = (name: string, preset: number, min: number, max: number) =>
    settings.integer(`AMAAS_INFERENCE_${name}`, { default: preset, min, max });
  const instanceCount = whole("INSTANCES", 1, 1, 64);
  const coreCount = whole("CORES", availableParallelism(), 1, 1024);
  return {
    ...readServiceConfig(settings),
    port: settings.port("AMAAS_INFERENCE_PORT", 8301),
    metricsPort: settings.port("AMAAS_INFERENCE_METRICS_PORT", 8302),
    registryAddress: settings.address("AMAAS_REGISTRY_ADDRESS", "127.0.0.1:8101"),
    advertisedAddress: settings.address("AMAAS_INFERENCE_ADVERTISED_ADDRESS", "") || undefined,
    nodeName:
      settings.text("AMAAS_NODE_NAME", {
        default: "",
        pattern: idPattern,
        needed: idPatternText,
      }) || undefined,
    zone: readZone(settings),
    serverName: readServerName(settings),
    instanceCount,
    executionProviders: settings.choices("AMAAS_INFERENCE_EXECUTION_PROVIDERS", knownProviders, [cpu]),
    intraOpThreads: whole("INTRA_OP_THREADS", 0, 0, 256),
    niceness: whole("NICENESS", 10, 0, 19),
    coreCount,
    coreWaitMsMax: whole("CORE_WAIT_MS_MAX", 20, 0, 60_000),
    overflowStatus: settings.choice("AMAAS_INFERENCE_OVERFLOW_STATUS", overflowStatuses, "RESOURCE_EXHAUSTED"),
    queue: {
      requestsMax: whole("QUEUE_REQUESTS_MAX", 512, 1, 1_000_000),
      rowsMax: whole("QUEUE_ROWS_MAX", 1_000_000_000, 1, 1_000_000_000),
      bytesMax: whole("QUEUE_BYTES_MAX", 256 * 1024 ** 2, 1024, 64 * 1024 ** 3),
    },
    nodeQueue: {
      requestsMax: whole("NODE_QUEUE_REQUESTS_MAX", 8192, 1, 10_000_000),
      rowsMax: whole("NODE_QUEUE_ROWS_MAX", 10_000_000_000, 1, 10_000_000_000),
      bytesMax: whole("NODE_QUEUE_BYTES_MAX", 1024 ** 3, 1024, 1024 ** 4),
    },
    modelControl: settings.choice("AMAAS_INFERENCE_MODEL_CONTROL", controlModes, "registry"),
    modelsLoadedAtStart: readModels(settings),
    sequences: {
      sequencesMax: whole("SEQUENCES_MAX", 1024, 1, 1_000_000),
      waitingMax: whole("SEQUENCE_WAITING_MAX", 64, 0, 100_000),
      idleMs: whole("SEQUENCE_IDLE_MS", 60_000, 1, 86_400_000),
    },
    stateBytesMax: whole("STATE_BYTES_MAX", 1024 ** 3, 0, 1024 ** 4),
    loadsMax: whole("LOADS_MAX", 2, 1, 64),
    loadWaitMsMax: whole("LOAD_WAIT_MS_MAX", 60_000, 0, 3_600_000),
    isolation: settings.choice("AMAAS_INFERENCE_ISOLATION", isolations, "thread"),
    loadMsMax: whole("LOAD_MS_MAX", 600_000, 1, 86_400_000),
    runMsMax: whole("RUN_MS_MAX", 600_000, 1, 86_400_000),
    warmUpMsMax: whole("WARM_UP_MS_MAX", 60_000, 1, 3_600_000),
    quarantineMs: whole("QUARANTINE_MS", 600_000, 1000, 86_400_000),
    memoryBudgetBytes: whole("MEMORY_BUDGET_BYTES", 0, 0, 1024 ** 5),
    rehearsalCalls: whole("REHEARSAL_CALLS", 40_000, 0, 1_000_000),
    traceBytesMax: whole("TRACE_BYTES_MAX", 256 * 1024 ** 2, 1024, 1024 ** 4),
  };
}

function readModels(settings: Settings): readonly string[] {
  const text = settings.text("AMAAS_INFERENCE_LOAD_MODELS", {
    default: "",
    pattern: /^(\*|[a-z0-9._-]+(,[a-z0-9._-]+)*)$/,
    needed: "names of models separated by commas, or * for all",
  });
  return text === "" ? [] : text.split(",");
}
