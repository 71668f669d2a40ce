/** The execution providers that a node can be set to offer. */
export const knownProviders = ["tensorrt", "cuda", "webgpu", "cpu"] as const;

/** The one of every runtime. */
export const cpu = "cpu";

/** The metadata of faults of loading that another execution provider may not have: what was tried. */
export const triedKey = "executionProviders";
/** The metadata of such a fault where what was tried can run a part of the model. */
export const leftNodesKey = "leftNodes";
