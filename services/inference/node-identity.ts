import { FolderLock } from "../../lib/folder-lock.ts";

/** That one process at a time is a node, and works on its folder. */
export function nodeLock(folder: string): FolderLock {
  return new FolderLock({ folder, holder: "node", wayOut: "give this one another AMAAS_NODE_NAME or AMAAS_DATA_DIR" });
}

/** The id of a node that was not given one: from its host name and what tells it from others on the host. */
export function derivedNodeName(hostName: string, suffix: string): string {
  const host = hostName.toLowerCase().replace(/[^a-z0-9._-]/g, "-");
  const trimmed = host.slice(0, nameCharsMax - suffix.length - 1).replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "");
  return `${trimmed || "node"}-${suffix}`;
}

/** Where others reach a node: on the host that it listens on, or on any of its addresses where it listens on all. */
export function derivedAddress(host: string, port: number, hostName: string): string {
  if (wildcards.includes(host)) return `${hostName}:${port}`;
  return host.includes(":") && !host.startsWith("[") ? `[${host}]:${port}` : `${host}:${port}`;
}

const nameCharsMax = 63;
const wildcards = ["0.0.0.0", "::", "[::]"];
