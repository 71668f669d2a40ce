import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { calledRef } from "../../services/gateway/called-ref.ts";

describe("what a call is for", () => {
  const of = (model: string, version = "", headers: Record<string, string> = {}) =>
    calledRef({ model, version }, headers);

  for (const [what, seen, needed] of [
    ["its message", of("digits", "2"), { model: "digits", version: "2" }],
    ["its message alone where the metadata says the same", of("digits", "2", both("digits", "2")), named("2")],
    ["its metadata where its message says nothing", of("", "", both("digits", "2")), named("2")],
    ["the version of its metadata where its message has none", of("digits", "", both("digits", "2")), named("2")],
    ["what stands after the '@' of its model", of("digits@canary"), named("canary")],
    ["that also where the version repeats it", of("digits@canary", "canary"), named("canary")],
    ["that also where the metadata names the model", of("digits@3", "", { "amaas-model": "digits" }), named("3")],
    ["an '@' in the metadata", of("", "", { "amaas-model": "digits@3" }), named("3")],
    ["an override where the metadata names another version", of("digits", "2", both("digits", "3")), named("2", "3")],
    ["an override of an '@' too", of("digits@2", "", { "amaas-version": "3" }), named("2", "3")],
  ] as const) {
    it(`is ${what}`, () => {
      expect(seen).to.deep.equal(needed);
    });
  }

  for (const [what, act, text] of [
    ["two models", () => of("digits", "", { "amaas-model": "letters" }), "'letters'; needed: 'digits'"],
    ["two versions", () => of("digits@2", "3"), "'digits@2' and version '3'; needed: version '2', or none"],
    ["nothing after an '@'", () => of("digits@"), "needed: an alias or a version after the '@'"],
    ["two models with an '@'", () => of("digits@2", "", { "amaas-model": "letters@2" }), "needed: 'digits'"],
  ] as const) {
    it(`is refused where it names ${what}`, () => {
      expect(act).to.throw(ServiceError, text).with.property("reason", "REQUEST_INVALID");
    });
  }

  function named(version: string, override?: string) {
    return override === undefined ? { model: "digits", version } : { model: "digits", version, override };
  }

  function both(model: string, version: string) {
    return { "amaas-model": model, "amaas-version": version };
  }
});
