import type protobuf from "protobufjs";
import { assert } from "../../../lib/errors.ts";
import { matchTemplate, type PathTemplate, parseTemplate, type RequestPath } from "./path-template.ts";

/** Methods of HTTP that annotations use. */
const verbs = ["get", "put", "post", "delete", "patch"] as const;

/** One way to say a call in HTTP, as its annotation gives it. */
export interface HttpBinding {
  /** "GET". */
  readonly httpMethod: string;
  readonly template: PathTemplate;
  /** The field of the request that the body is, "*" for the request itself, or undefined where there is no body. */
  readonly body: string | undefined;
  /** The field of the reply that is sent in its place, if any. */
  readonly responseBody: string | undefined;
  readonly rpc: protobuf.Method;
  /** "/package.Service/Method". */
  readonly rpcPath: string;
}

/** A binding, and what a path gives to its variables. */
export interface BoundPath {
  readonly binding: HttpBinding;
  readonly values: readonly string[];
}

interface HttpRule extends Partial<Record<(typeof verbs)[number], string>> {
  readonly body?: string;
  readonly response_body?: string;
  readonly additional_bindings?: HttpRule | readonly HttpRule[];
}

/** All bindings of a service's methods, in their order. Throws where an annotation is wrong. */
export function bindingsOf(service: protobuf.Service): readonly HttpBinding[] {
  return service.methodsArray.flatMap((rpc) => {
    const options = rpc.parsedOptions as readonly Record<string, HttpRule>[] | undefined;
    const rule = options?.find((option) => annotation in option)?.[annotation];
    return rule === undefined
      ? []
      : [rule, ...[rule.additional_bindings ?? []].flat()].map((each) => bindingOf(rpc, each));
  });
}

function bindingOf(rpc: protobuf.Method, rule: HttpRule): HttpBinding {
  const verb = verbs.find((name) => rule[name] !== undefined);
  assert(verb !== undefined, `the annotation of ${rpc.fullName} has a method of HTTP`);
  return {
    httpMethod: verb.toUpperCase(),
    template: parseTemplate(rule[verb]!),
    body: rule.body,
    responseBody: rule.response_body,
    rpc,
    rpcPath: `/${rpc.parent!.fullName.slice(1)}/${rpc.name}`,
  };
}

/** Finds the binding of a request. No two match the same one. */
export class BindingTable {
  readonly #byForm = new Map<string, HttpBinding[]>();

  constructor(bindings: readonly HttpBinding[]) {
    for (const binding of bindings) {
      const form = formOf(binding.template);
      const others = this.#byForm.get(form) ?? [];
      const twin = others.find(
        (other) => other.httpMethod === binding.httpMethod && overlap(other.template, binding.template),
      );
      assert(twin === undefined, `${binding.httpMethod} ${binding.template.text} is the path of one call`);
      this.#byForm.set(form, [...others, binding]);
    }
  }

  /** All bindings of a path, whatever the method. */
  match(path: RequestPath): readonly BoundPath[] {
    const candidates = this.#byForm.get(formOf(path)) ?? [];
    return candidates.flatMap((binding) => {
      const values = matchTemplate(binding.template, path);
      return values === undefined ? [] : [{ binding, values }];
    });
  }
}

function formOf({ segments, verb }: { readonly segments: readonly unknown[]; readonly verb: string }): string {
  return `${segments.length}:${verb}`;
}

function overlap(one: PathTemplate, other: PathTemplate): boolean {
  return one.segments.every((segment, index) => {
    const its = other.segments[index];
    return segment === undefined || its === undefined || segment === its;
  });
}

const annotation = "(google.api.http)";
