import { expect } from "chai";
import type protobuf from "protobufjs";
import type { CreateJobRequest__Output } from "../../lib/gen/amaas/trainer/v1/CreateJobRequest.ts";
import type { Initializer__Output } from "../../lib/gen/amaas/trainer/v1/Initializer.ts";
import type { Layer__Output } from "../../lib/gen/amaas/trainer/v1/Layer.ts";
import type { Preset__Output } from "../../lib/gen/amaas/trainer/v1/Preset.ts";
import { contractFolder, contractRoot } from "../../lib/rpc/contract-root.ts";
import { serviceDefinition } from "../../lib/rpc/protos.ts";
import { jsonName } from "../../services/gateway/rest/proto-names.ts";
import type { Initializer } from "../../services/trainer/graph/initializers/initializer.ts";
import { type Layer, layerKinds } from "../../services/trainer/graph/layers/layer.ts";
import { type NetworkSpec, presetKinds } from "../../services/trainer/graph/network-spec.ts";
import { networkSpecOf } from "../../services/trainer/jobs/network-fields.ts";

const contract = contractRoot(["amaas/trainer/v1/trainer.proto"], contractFolder);
const kindsOf = (type: string) => contract.lookupType(`amaas.trainer.v1.${type}`).oneofs.kind!.fieldsArray;

describe("a network in the contract", () => {
  it("has the kinds and fields that networks have here", () => {
    none<Drift<NonNullable<Layer__Output["kind"]>, Layer__Output, Layer>>();
    none<Drift<NonNullable<Preset__Output["kind"]>, Preset__Output, NetworkSpec>>();
    none<Drift<NonNullable<Initializer__Output["kind"]>, Initializer__Output, Initializer>>();
    expect(kindsOf("Layer").map(({ name }) => name)).to.have.members(layerKinds);
    expect(kindsOf("Preset").map(({ name }) => name)).to.have.members(presetKinds);
  });

  for (const field of kindsOf("Layer")) {
    it(`comes with every field that is set: the layer ${field.name}`, () => {
      const fields = sample(field);
      const { layers } = specOf({ layers: [{ [jsonName(field)]: fields }] }) as Extract<
        NetworkSpec,
        { kind: "layers" }
      >;
      expect(layers).to.deep.equal([{ kind: field.name, ...plain(fields) }]);
    });
  }

  for (const field of kindsOf("Preset")) {
    it(`comes with every field that is set: the preset ${field.name}`, () => {
      const fields = sample(field);
      expect(specOf({ preset: { [jsonName(field)]: fields } })).to.deep.equal({ kind: field.name, ...fields });
    });
  }

  for (const field of kindsOf("Initializer")) {
    it(`comes with every field that is set: the initializer ${field.name}`, () => {
      const fields = sample(field);
      const linear = { outputSize: 2, initialWeight: { [jsonName(field)]: fields } };
      const { layers } = specOf({ layers: [{ linear }] }) as Extract<NetworkSpec, { kind: "layers" }>;
      expect(layers[0]).to.deep.include({ initialWeight: { kind: field.name, ...fields } });
    });
  }
});

/** A message with something in each field. */
function sample(field: protobuf.Field): Record<string, unknown> {
  const type = field.resolve().resolvedType as protobuf.Type;
  return Object.fromEntries(
    type.fieldsArray.map((part) => {
      const value = sampleOf(part);
      return [jsonName(part), part.repeated ? [value] : value];
    }),
  );
}

function sampleOf(field: protobuf.Field): unknown {
  const { name } = field.resolve().resolvedType ?? {};
  if (name === "Initializer") return { zeros: {} };
  if (name === "Layer") return { relu: {} };
  return { string: "tanh", bool: true }[field.type] ?? 3;
}

/** The same as networks have it here. */
function plain(fields: Record<string, unknown>): Record<string, unknown> {
  const known: Record<string, unknown> = {
    initialWeight: { kind: "zeros" },
    initialBias: { kind: "zeros" },
    layers: [{ kind: "relu" }],
    shortcut: [{ kind: "relu" }],
  };
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, known[name] ?? value]));
}

/** The network of a message as it comes over the wire. */
function specOf(train: object): NetworkSpec {
  const { requestSerialize, requestDeserialize } = serviceDefinition("amaas.trainer.v1.TrainerService").CreateJob!;
  const { job } = requestDeserialize(requestSerialize({ job: { train } })) as CreateJobRequest__Output;
  return networkSpecOf(job!.train!, undefined);
}

type Snake<Text extends string> = Text extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${Snake<Rest>}`
  : Text;

type Fields<Message> = Exclude<keyof Message, "kind" | `_${string}`>;

/** The kinds and fields that one of contract and network has and the other has not. */
type Drift<Kind extends string, Messages, Parts extends { readonly kind: string }> = {
  [K in Kind]: K extends keyof Messages
    ? [Extract<Parts, { kind: Snake<K> }>] extends [never]
      ? K
      :
          | Exclude<Fields<NonNullable<Messages[K]>>, keyof Extract<Parts, { kind: Snake<K> }>>
          | Exclude<Fields<Extract<Parts, { kind: Snake<K> }>>, keyof NonNullable<Messages[K]>>
    : never;
}[Kind];

/** Does not compile for a type that has values. */
function none<_ extends never>(): void {}
