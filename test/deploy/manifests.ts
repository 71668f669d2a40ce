import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { root } from "../repository.ts";

/** Anything that YAML can hold; a test that reaches into it fails where the shape is another. */
// biome-ignore lint/suspicious/noExplicitAny: manifests are open trees, checked against their schemas
export type Tree = any;

/** A resource as it stands in a file. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec: Tree;
}

export function textOf(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** One YAML document with merge keys (`<<`) resolved, as compose files have them. */
export function yamlOf(path: string): Tree {
  return parse(textOf(path), { merge: true });
}

/** The resources that a kustomization lists, those of the kustomizations below it too, in order. */
export function manifestsOf(folder: string): Manifest[] {
  const { resources } = yamlOf(`${folder}/kustomization.yaml`);
  return resources.flatMap((resource: string) => {
    const path = join(folder, resource);
    return path.endsWith(".yaml") ? documentsIn(path) : manifestsOf(path);
  });
}

/** The pods' template of a workload. */
export function podOf(workload: Manifest): Tree {
  return workload.spec.template.spec;
}

function documentsIn(path: string): Manifest[] {
  return parseAllDocuments(textOf(path)).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS();
  });
}
