import { expect } from "chai";
import { InitialModels } from "../../services/trainer/initial-models.ts";

const files = { model: "folder/initial.onnx", files: new Map<string, string>() };
const spec = { initialVersion: "models/a/versions/1" };

const folders: ConstructorParameters<typeof InitialModels>[1] = { during: (_, work) => work("folder") };

/** What `during` needs of a registry, with a count of what is lent. */
function lending(countMax: number) {
  const seen = { now: 0, most: 0, read: 0 };
  const saveModelFiles = async () => {
    seen.read++;
    return files;
  };
  const models = new InitialModels({ saveModelFiles }, folders, { countMax, waitingMax: 5 });
  const hold = (until: Promise<unknown>, signal?: AbortSignal) =>
    models.during(spec, { requestId: "r", ...(signal && { signal }) }, async () => {
      seen.most = Math.max(seen.most, ++seen.now);
      await until;
      seen.now--;
    });
  return { seen, models, hold };
}

const turns = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

describe("the versions that jobs begin with", () => {
  it("are held a few at a time, and those who wait have them in turn", async () => {
    const { seen, hold } = lending(2);
    const ends: (() => void)[] = [];
    const held = Array.from({ length: 7 }, () => hold(new Promise<void>((end) => ends.push(end))));
    for (const end of ends) {
      await turns();
      expect(seen.now).to.be.at.most(2);
      end();
    }
    await Promise.all(held);
    expect(seen).to.deep.equal({ now: 0, most: 2, read: 7 });
  });

  it("are not waited for by a call that has been given up, whose turn others have", async () => {
    const { seen, hold } = lending(1);
    let end = () => {};
    const first = hold(new Promise<void>((resolve) => (end = resolve)));
    const giveUp = new AbortController();
    const given = hold(Promise.resolve(), giveUp.signal).catch((failure: Error) => failure.message);
    const third = hold(Promise.resolve());
    giveUp.abort(new Error("given up"));
    expect(await given).to.equal("given up");
    end();
    await Promise.all([first, third]);
    expect(seen).to.deep.equal({ now: 0, most: 1, read: 2 });
  });

  it("are let go of where the check fails, and refused where too many wait", async () => {
    const { models, hold } = lending(1);
    const failing = models.during(spec, { requestId: "r" }, () => Promise.reject(new Error("no model")));
    expect(await failing.catch((failure: Error) => failure.message)).to.equal("no model");
    let end = () => {};
    const until = new Promise<void>((resolve) => (end = resolve));
    const held = Array.from({ length: 6 }, () => hold(until));
    const refused = await hold(until).catch((failure: unknown) => failure);
    expect(refused).to.include({ reason: "QUEUE_FULL" });
    expect((refused as Error).message).to.contain("AMAAS_TRAINER_INITIAL_VERSIONS_MAX");
    end();
    await Promise.all(held);
  });

  it("are not needed where a job has none", async () => {
    const { models, seen } = lending(1);
    const none = models.during({ initialVersion: "" }, { requestId: "r" }, async (initial) => initial);
    expect(await none).to.equal(undefined);
    expect(seen.read).to.equal(0);
  });
});
