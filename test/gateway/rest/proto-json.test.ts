import { expect } from "chai";
import fc from "fast-check";
import protobuf from "protobufjs";
import { restRoot, restType } from "../../../services/gateway/rest/contracts.ts";
import { type JsonValue, jsonText, parseJson } from "../../../services/gateway/rest/json-text.ts";
import { messageOfJson } from "../../../services/gateway/rest/proto-json-read.ts";
import { jsonOfMessage, protoStyle } from "../../../services/gateway/rest/proto-json-write.ts";
import { isTextType, jsonName, kindOf, type ValueKind } from "../../../services/gateway/rest/proto-names.ts";

const bits = (unsigned: boolean) =>
  unsigned ? { min: 0n, max: 2n ** 64n - 1n } : { min: -(2n ** 63n), max: 2n ** 63n - 1n };
const nanosTexts = fc.constantFrom("", ".500", ".123", ".000001", ".123456789");

const texts = {
  ".google.protobuf.Timestamp": fc
    .tuple(fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true }), nanosTexts)
    .map(([date, nanos]) => `${date.toISOString().slice(0, 19)}${nanos}Z`),
  ".google.protobuf.Duration": fc
    .tuple(fc.integer({ min: 1 }), nanosTexts, fc.constantFrom("", "-"))
    .map(([s, n, sign]) => `${sign}${s}${n}s`),
  ".google.protobuf.FieldMask": fc
    .array(fc.constantFrom("owner", "updateTime", "model.createTime"))
    .map((paths) => paths.join(",")),
};

/** Values of a field as JSON has them. */
function valuesOf(field: protobuf.Field, depth: number): fc.Arbitrary<JsonValue> {
  const of: Record<ValueKind, () => fc.Arbitrary<JsonValue>> = {
    bool: () => fc.boolean(),
    int: () => fc.integer(),
    long: () => fc.bigInt(bits(field.type.startsWith("u"))).map(String),
    float: () =>
      fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom("NaN", "Infinity", "-Infinity")),
    string: () => fc.string({ unit: "grapheme" }),
    bytes: () => fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("base64")),
    enum: () => fc.constantFrom(...Object.keys((field.resolvedType as protobuf.Enum).values)),
    message: () => messageJson(field.resolvedType as protobuf.Type, depth - 1),
  };
  return of[kindOf(field)]();
}

/** Any message of a type, as JSON. */
function messageJson(type: protobuf.Type, depth: number): fc.Arbitrary<JsonValue> {
  if (isTextType(type.fullName)) return texts[type.fullName];
  const members = type.fieldsArray.filter((field) => depth > 0 || kindOf(field) !== "message");
  const chosen = members.length === 0 ? fc.constant([]) : fc.uniqueArray(fc.constantFrom(...members), { maxLength: 4 });
  return chosen.chain((fields) => {
    const oneofs = new Set<protobuf.OneOf>();
    const usable = fields.filter(({ partOf }) => {
      if (partOf === null) return true;
      if (oneofs.has(partOf)) return false;
      oneofs.add(partOf);
      return true;
    });
    return fc.tuple(...usable.map((field) => memberOf(field, depth))).map((values) => new Map(values));
  });
}

function memberOf(field: protobuf.Field, depth: number): fc.Arbitrary<[string, JsonValue]> {
  const value = valuesOf(field, depth);
  if (field instanceof protobuf.MapField) {
    const key =
      field.keyType === "string" ? fc.constantFrom("a", "__proto__", "constructor", "é") : fc.constantFrom("1", "-7");
    const entries = fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 3 });
    return entries.map((all) => [jsonName(field), new Map(all)]);
  }
  const whole = field.repeated ? fc.array(value, { maxLength: 3 }) : value;
  return whole.map((made) => [jsonName(field), made]);
}

/** Every member that is said is there in the other; what is there besides is a default. */
function isWithin(said: JsonValue, whole: JsonValue): boolean {
  if (said instanceof Map && whole instanceof Map) {
    return [...said].every(([key, value]) => whole.has(key) && isWithin(value, whole.get(key)!));
  }
  if (Array.isArray(said) && Array.isArray(whole)) {
    return said.length === whole.length && said.every((value, index) => isWithin(value, whole[index]!));
  }
  return jsonText(said) === jsonText(whole);
}

const types = ["amaas.registry.v1.RegistryService", "amaas.trainer.v1.TrainerService"].flatMap((service) =>
  restRoot()
    .lookupService(service)
    .methodsArray.flatMap(({ resolvedRequestType, resolvedResponseType }) => [
      resolvedRequestType!,
      resolvedResponseType!,
    ]),
);

describe("messages as JSON", () => {
  it("come back from their bytes, of every type that registry and trainer take and give", () => {
    for (const type of new Set(types)) {
      fc.assert(
        fc.property(messageJson(type, 3), (json) => {
          const bytes = type.encode(messageOfJson(type, json)).finish();
          const whole = jsonOfMessage(type, type.decode(bytes), protoStyle);
          if (!isWithin(json, whole)) expect(jsonText(whole)).to.equal(jsonText(json));
          // And once more, through the text.
          const again = parseJson(jsonText(whole), { isNonFiniteAllowed: false });
          const wholeAgain = jsonOfMessage(
            type,
            type.decode(type.encode(messageOfJson(type, again)).finish()),
            protoStyle,
          );
          expect(jsonText(wholeAgain)).to.equal(jsonText(whole));
        }),
        { numRuns: 30 },
      );
    }
  });

  const read = (name: string, text: string) =>
    messageOfJson(restType(name), parseJson(text, { isNonFiniteAllowed: false }));

  it("may have their fields' names as the contract has them, and numbers as texts or as such", () => {
    expect(
      read("amaas.registry.v1.ListModelsRequest", '{"page_size": "5", "showDeleted": true, "owner": null}'),
    ).to.deep.equal({
      page_size: 5,
      show_deleted: true,
    });
    expect(read("amaas.registry.v1.WatchCatalogueRequest", '{"afterSequence": 9007199254740993}')).to.deep.equal({
      after_sequence: { low: 1, high: 2_097_152 },
    });
  });

  const hold = "amaas.registry.v1.HoldResourceRequest";
  for (const [what, type, text, message] of [
    [
      "both names of a field",
      "amaas.registry.v1.ListModelsRequest",
      '{"pageSize":1,"page_size":1}',
      "pageSize is given twice",
    ],
    [
      "two members of a oneof",
      "amaas.trainer.v1.Layer",
      '{"relu":{},"tanh":{}}',
      "tanh is given besides relu; needed: one of both",
    ],
    [
      "a time that is none",
      "amaas.registry.v1.ListChangesRequest",
      '{"beginTime":"2026-02-30T00:00:00Z"}',
      'beginTime is "2026-02-30T00:00:00Z"; needed: a time',
    ],
    [
      "a duration that is none",
      hold,
      '{"duration":"5"}',
      'duration is "5"; needed: a number of seconds such as "1.5s"',
    ],
    [
      "a fraction where there is none",
      "amaas.registry.v1.ListModelsRequest",
      '{"pageSize":1.5}',
      "pageSize is 1.5; needed: a whole number",
    ],
    [
      "more than 64 bits",
      "amaas.registry.v1.WatchCatalogueRequest",
      '{"afterSequence":9223372036854775808}',
      "afterSequence is 9223372036854775808; needed",
    ],
    [
      "bytes that are no base64",
      "amaas.registry.v1.UploadArtifactRequest",
      '{"chunk":"a$"}',
      'chunk is "a$"; needed: a string of base64',
    ],
    ["half a byte of base64", "amaas.registry.v1.UploadArtifactRequest", '{"chunk":"YWJjZ"}', "a string of base64"],
    ["half a padding", "amaas.registry.v1.UploadArtifactRequest", '{"chunk":"YQ="}', "a string of base64"],
    [
      "a text beyond what a double holds",
      "amaas.registry.v1.RateLimits",
      '{"requestsPerSecond":"1e400"}',
      'requestsPerSecond is "1e400"; needed: a number of the type double',
    ],
    [
      "a number as a key in two ways",
      "amaas.registry.v1.DynamicBatching",
      '{"priorityQueuePolicies":{"1":{},"01":{}}}',
      'priorityQueuePolicies["01"] is given twice',
    ],
    ["null in a list", "amaas.registry.v1.Model", '{"tags":{"a":null}}', 'tags["a"] is null; needed: a string'],
    [
      "a misspelt field far inside, whose nearest name is told",
      "amaas.trainer.v1.TrainSpec",
      '{"layers":[{"transformer_block":{"head_cuont":4}}]}',
      '"layers[0].transformerBlock.head_cuont" is no field of amaas.trainer.v1.TransformerBlockLayer; the nearest is headCount;',
    ],
    [
      "a word of Object's",
      "amaas.registry.v1.Model",
      '{"compatibility":"constructor"}',
      'compatibility is "constructor"; needed: one of',
    ],
    ["__proto__", "amaas.registry.v1.Model", '{"__proto__":{}}', '"__proto__" is no field of amaas.registry.v1.Model'],
    [
      "a key of a map that is no number",
      "amaas.registry.v1.DynamicBatching",
      '{"priorityQueuePolicies":{"x":{}}}',
      'priorityQueuePolicies["x"] is "x"; needed: a whole number',
    ],
  ] as const) {
    it(`are refused with ${what}`, () => {
      expect(() => read(type, text)).to.throw(message);
    });
  }

  it("have times with offsets", () => {
    const made = read("amaas.registry.v1.ListChangesRequest", '{"beginTime":"2026-01-01T01:30:00.5+01:30"}') as {
      begin_time: { seconds: { low: number } };
    };
    expect(made.begin_time.seconds.low).to.equal(Date.parse("2026-01-01T00:00:00Z") / 1000);
  });
});
