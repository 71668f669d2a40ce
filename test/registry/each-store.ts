import { catalogueStores } from "./catalogue-stores.ts";
import { emptyFolder, type RunningRegistry, startRegistry } from "./running-registry.ts";

/** What a test has of its own; it may stop the registry and put another one in its place. */
export interface OnStore {
  running: RunningRegistry;
  /** The data directory. */
  folder: string;
  /** Where the catalogue is, for one more registry. */
  settings: Readonly<Record<string, string>>;
}

/** Describes the same on every store: each test has a registry with an empty catalogue. */
export function describeOnEachStore(title: string, describeTests: (own: OnStore) => void): void {
  for (const store of catalogueStores) {
    describe(`${title} (${store.name})`, () => {
      const own = {} as OnStore;
      let folder: Awaited<ReturnType<typeof emptyFolder>>;

      beforeEach(async function () {
        // PostgreSQL takes a while to start, once.
        this.timeout(60_000);
        folder = await emptyFolder();
        const settings = await store.settings();
        const running = await startRegistry(folder.path, settings);
        Object.assign(own, { running, folder: folder.path, settings });
      });

      afterEach(async () => {
        await own.running.stop();
        await folder.remove();
      });

      describeTests(own);
    });
  }
}
