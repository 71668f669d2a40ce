/** Where one model's versions are held. */
export interface ModelRoute {
  readonly model: string;
  /** Every version of the catalogue, by number. */
  readonly versions: ReadonlyMap<number, VersionRoute>;
  /** Where aliases lead, by alias id. */
  readonly aliases: ReadonlyMap<string, AliasRoute>;
  /** How calls to it are routed; undefined where nobody has set anything. */
  readonly traffic: Traffic | undefined;
}

/** Where one version is held. */
export interface VersionRoute {
  /** The addresses of the nodes where it is ready, "host:port". */
  readonly replicas: readonly string[];
  /** Why it is ready nowhere; may be empty. */
  readonly reason: string;
}

/** Where an alias leads. */
export interface AliasRoute {
  readonly targets: readonly AliasTarget[];
  readonly mirrors: readonly AliasMirror[];
}

/** A version that gets a share of an alias's requests: its weight, at least 1, divided by the sum of all weights. */
export interface AliasTarget {
  readonly version: number;
  readonly weight: number;
}

/** A version that is to get copies of a share of an alias's requests, above 0 and up to 1. */
export interface AliasMirror {
  readonly version: number;
  readonly share: number;
}

/** How calls to a model are routed. */
export interface Traffic {
  /** The deadline of calls that have none; 0 for the gateway's own. */
  readonly defaultTimeoutMs: number;
  /** The metadata key whose value decides which of an alias's targets a call goes to; empty for by chance. */
  readonly stickyKey: string;
  /** Whether callers may ask by the metadata amaas-version for another version than their request names. */
  readonly versionOverride: boolean;
  /** When a call is sent once more, to another replica; undefined for never. */
  readonly hedging: Hedging | undefined;
  /** What each principal may ask for; undefined for no limits. */
  readonly perPrincipal: RateLimits | undefined;
  /** What all may ask for together; undefined for no limits. */
  readonly total: RateLimits | undefined;
}

/** When a call is sent once more. */
export interface Hedging {
  /** After the latency that this share of the model's calls stay below, from 0.5 to 0.999. */
  readonly quantile: number;
  /** And not before. */
  readonly delayMsMin: number;
}

/** What may be asked of a model; each 0 for no limit. */
export interface RateLimits {
  readonly requestsPerSecond: number;
  readonly concurrentRequests: number;
  readonly rowsPerSecond: number;
  readonly bytesPerSecond: number;
}
