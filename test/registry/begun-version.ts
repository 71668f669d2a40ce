import { Inbox } from "./inbox.ts";
import { type RunningRegistry, upload } from "./running-registry.ts";

/** Registers a model that is not waited for; gives the changes of it from then on. */
export async function begin({ registry }: RunningRegistry, bytes: Uint8Array, requestId = "") {
  const artifact = await upload(registry, bytes);
  const request = { parent: "models/m", version: { variants: [{ artifact }] }, allowMissingModel: true, requestId };
  const { name } = await registry.unary("CreateVersion", { ...request, noWait: true });
  const changes = new Inbox(registry.serverStream("WatchCatalogue", { resource: name }));
  const becomes = (state: string) =>
    changes.until(
      state,
      () =>
        changes.messages.map(({ after }) => after?.version).find((version) => version?.state === state) ?? undefined,
    );
  return { name, request, becomes };
}
