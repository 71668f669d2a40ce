import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { expect } from "chai";
import { Deployment, StatefulSet } from "kubernetes-models/apps/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { Service } from "kubernetes-models/v1";
import { parse, parseAllDocuments } from "yaml";
import { Settings } from "../../lib/env.ts";
import { mallocSettings } from "../../lib/malloc-settings.ts";
import { readGatewayConfig } from "../../services/gateway/config.ts";
import { readInferenceConfig } from "../../services/inference/config.ts";
import { portSettings, serviceNames } from "../../supervisor/config.ts";
import { type Manifest, manifestsOf, podOf, type Tree, yamlOf } from "./manifests.ts";
import { settingNames } from "./settings.ts";

const schemas: Readonly<Record<string, new (manifest: never) => { validate(): void }>> = {
  "apps/v1 Deployment": Deployment,
  "apps/v1 StatefulSet": StatefulSet,
  "policy/v1 PodDisruptionBudget": PodDisruptionBudget,
  "v1 Service": Service,
};
const folders = ["deploy/kustomize/base", "deploy/kustomize/with-redis", "deploy/kustomize/several-registries"];
const manifests = manifestsOf("deploy/kustomize/with-redis");
const workloads = manifests.filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet");
const ours = workloads.filter(({ metadata }) => metadata.name !== "amaas-redis");
const shared = settingsOf(yamlOf("deploy/kustomize/base/kustomization.yaml"));

describe("the Kubernetes manifests", () => {
  it("fit the published schemas", () => {
    for (const manifest of manifests) {
      const { apiVersion, kind, metadata } = manifest;
      const Schema = schemas[`${apiVersion} ${kind}`];
      expect(Schema, `${apiVersion} ${kind}`).to.not.equal(undefined);
      expect(() => new Schema!(manifest as never).validate(), `${kind} ${metadata.name}`).to.not.throw();
    }
  });

  it("are refused by these schemas when a field is wrong", () => {
    const manifest = structuredClone(ours[0]!);
    manifest.spec.replicas = "two";
    const Schema = schemas[`${manifest.apiVersion} ${manifest.kind}`]!;
    expect(() => new Schema(manifest as never).validate()).to.throw("replicas");
  });

  it("are all listed by their kustomization", () => {
    for (const folder of folders) {
      const files = readdirSync(folder).filter((name) => name !== "kustomization.yaml");
      const listed = yamlOf(`${folder}/kustomization.yaml`).resources.filter((name: string) => name.endsWith(".yaml"));
      expect(listed, folder).to.have.members(files);
    }
  });

  it("run the four services on their ports", () => {
    expect(ours.map(({ metadata }) => metadata.name)).to.have.members(serviceNames.map((name) => `amaas-${name}`));
    for (const name of serviceNames) {
      const { preset } = portSettings[name];
      const container = containerOf(workloadOf(name));
      expect(container.ports[0], name).to.deep.equal({ name: "grpc", containerPort: preset });
      expect(serviceOf(name).spec.ports[0], name).to.include({ port: preset, targetPort: "grpc" });
      for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"]) {
        const service = name === "gateway" && probe !== "readinessProbe" ? { service: "live" } : {};
        expect(container[probe].grpc, `${name} ${probe}`).to.deep.equal({ port: preset, ...service });
      }
    }
  });

  it("let Prometheus find the metrics of nodes and gateways, by annotation or by service, on their port", () => {
    for (const [name, read] of [
      ["inference", readInferenceConfig],
      ["gateway", readGatewayConfig],
    ] as const) {
      const { spec } = workloadOf(name);
      const { metricsPort } = read(new Settings({}));
      const port = { name: "metrics", containerPort: metricsPort };
      expect(containerOf(workloadOf(name)).ports[1], name).to.deep.equal(port);
      expect(serviceOf(name).spec.ports[1], name).to.include({ port: metricsPort, targetPort: "metrics" });
      expect(spec.template.metadata.annotations, name).to.deep.equal({
        "prometheus.io/scrape": "true",
        "prometheus.io/port": String(metricsPort),
        "prometheus.io/path": "/metrics",
      });
    }
  });

  it("select the pods that they mean", () => {
    for (const { kind, metadata, spec } of manifests) {
      const wanted = spec.selector.matchLabels ?? spec.selector;
      const labels = workloads.map((workload) => workload.spec.template.metadata.labels);
      const selected = labels.filter((label) => Object.entries(wanted).every(([key, value]) => label[key] === value));
      expect(selected, `${kind} ${metadata.name}`).to.have.length(1);
      expect(selected[0], `${kind} ${metadata.name}`).to.deep.equal(metadata.labels);
    }
  });

  it("give every stateful workload its headless service", () => {
    for (const { metadata, spec } of workloads.filter(({ kind }) => kind === "StatefulSet")) {
      const service = manifests.find(({ kind, metadata: { name } }) => kind === "Service" && name === spec.serviceName);
      expect(service?.spec.clusterIP, metadata.name).to.equal("None");
    }
  });

  it("wait longer for a pod to end than its pause and its drain take", () => {
    for (const workload of ours) {
      const pauseSeconds = Number(containerOf(workload).lifecycle.preStop.exec.command[1]);
      const drainSeconds = Number(shared.get("AMAAS_DRAIN_TIMEOUT_MS")) / 1000;
      expect(podOf(workload).terminationGracePeriodSeconds).to.be.above(pauseSeconds + drainSeconds + 5);
    }
  });

  it("set only what the services read", () => {
    const known = settingNames();
    const named = [...shared.keys(), ...ours.flatMap((workload) => envOf(workload).map(({ name }) => name))];
    expect(named.filter((name) => name.startsWith("AMAAS_") && !known.has(name))).to.deep.equal([]);
  });

  it("tell the allocator of a node what the suite tells it", () => {
    const told = envOf(workloadOf("inference")).map(({ name, value }) => [name, value]);
    expect(Object.fromEntries(told)).to.include(mallocSettings);
  });

  it("address services that exist, on their ports", () => {
    const values = [...shared.values(), ...ours.flatMap((workload) => envOf(workload).map(({ value }) => value ?? ""))];
    const addresses = values.flatMap((value) => /(?:^|\.)(amaas-(\w+)):(\d+)$/.exec(value) ?? []);
    expect(addresses.length).to.be.above(0);
    for (let i = 0; i < addresses.length; i += 4) {
      const name = addresses[i + 2] as (typeof serviceNames)[number];
      expect(Number(addresses[i + 3]), addresses[i]).to.equal(portSettings[name].preset);
      expect(serviceOf(name).metadata.name).to.equal(addresses[i + 1]);
    }
  });

  it("keep Kubernetes from injecting variables that look like settings", () => {
    expect(workloads.map((workload) => podOf(workload).enableServiceLinks)).to.deep.equal(workloads.map(() => false));
  });

  it("run without root, without writing to the image, and with bounded memory", () => {
    for (const workload of workloads) {
      const { securityContext, containers, automountServiceAccountToken } = podOf(workload);
      expect(securityContext.runAsNonRoot && securityContext.runAsUser > 0, workload.metadata.name).to.equal(true);
      expect(securityContext.seccompProfile.type).to.equal("RuntimeDefault");
      expect(automountServiceAccountToken).to.equal(false);
      for (const { securityContext: own, resources } of containers) {
        expect(own).to.deep.equal({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(resources.limits.memory).to.be.a("string");
        expect(resources.requests).to.have.all.keys("cpu", "memory");
      }
    }
  });

  it("mount every volume that they declare, and declare every one that they mount", () => {
    for (const workload of workloads) {
      const declared = [...(podOf(workload).volumes ?? []), ...(workload.spec.volumeClaimTemplates ?? [])].map(
        (volume: Tree) => volume.name ?? volume.metadata.name,
      );
      const mounted = containerOf(workload).volumeMounts.map(({ name }: Tree) => name);
      expect(mounted, workload.metadata.name).to.have.members(declared);
    }
  });

  it("have a tag for every image of ours", () => {
    const { images } = yamlOf("deploy/kustomize/base/kustomization.yaml");
    const used = ours.map((workload) => containerOf(workload).image);
    expect(images.map(({ name }: Tree) => name)).to.have.members(used);
  });

  it("run a Redis that has every write on disk before it answers", () => {
    const redis = workloads.find(({ metadata }) => metadata.name === "amaas-redis")!;
    const args = containerOf(redis).args.join(" ");
    for (const words of ["--appendonly yes", "--appendfsync always", "noeviction"]) expect(args).to.include(words);
  });

  it("run several registries only on a database and a store that they share", () => {
    const { patches } = yamlOf("deploy/kustomize/several-registries/kustomization.yaml");
    const [{ target, patch }] = patches;
    const { spec } = parse(patch);
    expect(workloads.some(({ kind, metadata }) => kind === target.kind && metadata.name === target.name)).to.equal(
      true,
    );
    expect(spec.replicas).to.be.above(1);
    const env: Tree[] = spec.template.spec.containers[0].env;
    const ourNames = env.map(({ name }) => name).filter((name: string) => name.startsWith("AMAAS_"));
    expect(ourNames).to.include.members(["AMAAS_DATABASE_URL", "AMAAS_ARTIFACT_STORE"]);
    expect(ourNames.filter((name: string) => !settingNames().has(name))).to.deep.equal([]);
    const secret = env.filter(({ name }) => name !== "AMAAS_ARTIFACT_STORE");
    expect(secret.map(({ valueFrom }) => valueFrom?.secretKeyRef !== undefined)).to.deep.equal(secret.map(() => true));
  });

  it("are what kubectl makes of them, where it is installed", () => {
    const args = ["kustomize", "deploy/kustomize/with-redis"];
    const { status, stdout, stderr, error } = spawnSync("kubectl", args, { encoding: "utf8" });
    if (error !== undefined) return;
    expect(status, stderr).to.equal(0);
    const built: Manifest[] = parseAllDocuments(stdout).map((document) => document.toJS());
    const kindsAndNames = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name.replace(/-[a-z0-9]{10}$/, "")}`;
    const expected = [...manifests.map(kindsAndNames), "ConfigMap amaas-settings", "Secret amaas-redis"];
    expect(built.map(kindsAndNames)).to.have.members(expected);
    const secret = built.find(({ kind }) => kind === "Secret");
    const trainer = built.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "amaas-trainer");
    const redisUrl = envOf(trainer!).find(({ name }) => name === "AMAAS_REDIS_URL");
    expect(redisUrl?.valueFrom.secretKeyRef.name).to.equal(secret?.metadata.name);
  });
});

/** The literals of the settings that all services share. */
function settingsOf({ configMapGenerator }: Tree): Map<string, string> {
  const literals: string[] = configMapGenerator.flatMap((generator: Tree) => generator.literals);
  return new Map(literals.map((literal) => literal.split(/=(.*)/s) as [string, string]));
}

function workloadOf(name: string): Manifest {
  return ours.find(({ metadata }) => metadata.name === `amaas-${name}`)!;
}

function serviceOf(name: string): Manifest {
  return manifests.find(({ kind, metadata }) => kind === "Service" && metadata.name === `amaas-${name}`)!;
}

function containerOf(workload: Manifest): Tree {
  return podOf(workload).containers[0];
}

function envOf(workload: Manifest): { name: string; value?: string; valueFrom?: Tree }[] {
  return containerOf(workload).env ?? [];
}
