import { existsSync } from "node:fs";
import { expect } from "chai";
import { mallocSettings } from "../../lib/malloc-settings.ts";
import { portSettings, type ServiceName, serviceNames } from "../../supervisor/config.ts";
import { type Tree, yamlOf } from "./manifests.ts";
import { settingNames } from "./settings.ts";

const file = yamlOf("deploy/compose.yaml");
const services: [string, Tree][] = Object.entries(file.services);
const ours = serviceNames.map((name): [ServiceName, Tree] => [name, file.services[name]]);
const defaultDrainSeconds = 10;

describe("the compose file", () => {
  it("runs the four services and a Redis that keeps its data", () => {
    expect(services.map(([name]) => name)).to.have.members(["redis", ...serviceNames]);
    const command = file.services.redis.command.join(" ");
    for (const words of ["--appendonly yes", "--appendfsync always", "noeviction"]) expect(command).to.include(words);
  });

  it("builds each image from its service", () => {
    for (const [name, { build, image }] of ours) {
      expect(existsSync(build.dockerfile), build.dockerfile).to.equal(true);
      expect(build.args, name).to.deep.equal({ SERVICE: name });
      expect(image).to.match(new RegExp(`^amaas-${name}:`));
    }
  });

  it("probes each service on its port with what the image holds", () => {
    for (const [name, { healthcheck }] of ours) {
      const [, program, script, address] = healthcheck.test;
      expect([program, existsSync(script)], name).to.deep.equal(["node", true]);
      expect(address, name).to.equal(`127.0.0.1:${portSettings[name].preset}`);
    }
  });

  it("sets only what the services read, and addresses services that it runs", () => {
    const known = settingNames();
    for (const [name, { environment = {} }] of ours) {
      for (const [variable, value] of Object.entries<string>(environment)) {
        expect(known.has(variable) || variable in mallocSettings, `${name} ${variable}`).to.equal(true);
        if (!/_(ADDRESS|URL)$/.test(variable)) continue;
        const [host, port] = value.replace(/^redis:\/\//, "").split(":") as [string, string];
        const expected = host === "redis" ? 6379 : portSettings[host as ServiceName]?.preset;
        expect(Number(port), `${name} ${variable}`).to.equal(expected);
      }
    }
  });

  it("names the node, so that a new container finds its cache on the volume again", () => {
    expect(file.services.inference.environment.AMAAS_NODE_NAME).to.equal("inference");
  });

  it("tells the allocator of a node what the suite tells it", () => {
    expect(file.services.inference.environment).to.include(mallocSettings);
  });

  it("declares every volume that it mounts and waits only for what is probed", () => {
    for (const [name, { volumes, depends_on = {} }] of services) {
      const mounted = volumes.map((volume: string) => volume.split(":")[0]);
      expect(Object.keys(file.volumes), name).to.include.members(mounted);
      for (const dependency of Object.keys(depends_on)) {
        expect(file.services[dependency]?.healthcheck.test, `${name} → ${dependency}`).to.be.an("array");
      }
    }
  });

  it("waits longer for a service to end than its drain takes", () => {
    for (const [name, { stop_grace_period }] of ours) {
      expect(Number.parseInt(stop_grace_period, 10), name).to.be.above(defaultDrainSeconds);
    }
  });

  it("opens the gateway alone to the outside", () => {
    const open = services.filter(([, { ports }]) => ports !== undefined).map(([name, { ports }]) => [name, ports]);
    expect(open).to.deep.equal([["gateway", ["8000:8000", "8001:8001"]]]);
  });
});
