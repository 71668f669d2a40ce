import { expect } from "chai";
import { repositoryIndex } from "../../services/gateway/repository-index.ts";
import type { ModelRoute } from "../../services/gateway/route-facts.ts";
import { tableOf } from "../../services/gateway/route-table.ts";

const route = (model: string, versions: Readonly<Record<number, readonly [replicas: string[], reason: string]>>) => {
  const entries = Object.entries(versions).map(([version, [replicas, reason]]) => [
    Number(version),
    { replicas, reason },
  ]);
  return { model, versions: new Map(entries as never), aliases: new Map(), traffic: undefined } as ModelRoute;
};

describe("a gateway's index of the repository", () => {
  it("has every version of the catalogue, by model and number, and why it is ready nowhere", () => {
    const table = tableOf([
      route("b", { 1: [["node:1"], ""] }),
      route("a", { 10: [[], "no node has memory for it"], 2: [["node:1", "node:2"], ""], 3: [[], ""] }),
    ]);
    expect(repositoryIndex(table)).to.deep.equal([
      { name: "a", version: "2", state: "READY", reason: "" },
      { name: "a", version: "3", state: "UNAVAILABLE", reason: "it is not meant to be held" },
      { name: "a", version: "10", state: "UNAVAILABLE", reason: "no node has memory for it" },
      { name: "b", version: "1", state: "READY", reason: "" },
    ]);
  });
});
