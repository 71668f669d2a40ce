import { describeOnEachStore } from "./each-store.ts";
import { addingModel } from "./onnx-files.ts";
import { RouteWatcher } from "./route-watcher.ts";
import { point, publish } from "./running-registry.ts";

describeOnEachStore("the route of a model", (own) => {
  it("has its versions as they are, whichever of them change, and after the model was deleted", async function () {
    this.timeout(120_000);
    const { registry, control } = own.running;
    const watcher = new RouteWatcher(control);
    const versions = (...numbers: number[]) => Object.fromEntries(numbers.map((number) => [`m/${number}`, []]));
    const name = (number: number) => `models/m/versions/${number}`;
    for (const addend of [1, 2, 3, 4]) await publish(registry, "m", addingModel(addend));
    await watcher.are(versions(1, 2, 3, 4));
    await point(registry, "m", "default", 4);
    await registry.unary("DeprecateVersion", { name: name(2), reason: "old" });
    await watcher.steps.until("the alias", () => watcher.routes?.["m@default"] === 4);
    await registry.unary("DeleteVersion", { name: name(2) });
    await watcher.are({ ...versions(1, 3, 4), "m@default": 4 });
    await registry.unary("DeprecateVersion", { name: name(1), reason: "old" });
    await registry.unary("DeleteVersion", { name: name(1) });
    await publish(registry, "m", addingModel(5));
    await watcher.are({ ...versions(3, 4, 5), "m@default": 4 });
    await registry.unary("DeleteModel", { name: "models/m", force: true });
    await watcher.are({});
    await registry.unary("UndeleteModel", { name: "models/m" });
    await watcher.are({ ...versions(3, 4, 5), "m@default": 4 });
    await publish(registry, "m", addingModel(6));
    await watcher.are({ ...versions(3, 4, 5, 6), "m@default": 4 });
    watcher.leave();
  });
});
