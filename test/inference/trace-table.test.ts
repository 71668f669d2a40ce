import { expect } from "chai";
import { readTraceChange } from "../../services/inference/tracing/trace-settings.ts";
import { TraceTable } from "../../services/inference/tracing/trace-table.ts";

type Said = Readonly<Record<string, readonly string[]>>;

/** A table, to which things are said as on the wire. */
function table() {
  const traces = new TraceTable();
  const say = (settings: Said, model = "") => {
    const values = Object.entries(settings).map(([name, value]) => [name, { value }]);
    traces.change(model, readTraceChange(Object.fromEntries(values)));
  };
  /** Which of so many requests are traced, by their place. */
  const traced = (count: number, model = "m") =>
    Array.from({ length: count }, (_, index) => index).filter(() => traces.next(model) !== undefined);
  return { traces, say, traced };
}

const on = { trace_level: ["TIMESTAMPS"], trace_rate: ["1"] };
const presets = {
  trace_file: "trace.json",
  trace_level: "OFF",
  trace_rate: 1000,
  trace_count: -1,
  log_frequency: 0,
  trace_mode: "triton",
};

describe("the trace settings of a node", () => {
  it("trace nothing until a level is said", () => {
    const { traces, traced } = table();
    expect(traces.settings("")).to.deep.equal(presets);
    expect(traces.isOn).to.equal(false);
    expect(traced(2000)).to.deep.equal([]);
  });

  it("trace the last of as many requests as the rate says", () => {
    const { say, traced } = table();
    say({ ...on, trace_rate: ["3"] });
    expect(traced(10)).to.deep.equal([2, 5, 8]);
    expect(traced(2)).to.deep.equal([1]);
  });

  it("trace as many as the count says, and tell how many are left", () => {
    const { traces, say, traced } = table();
    say({ ...on, trace_count: ["2"] });
    expect(traced(1)).to.deep.equal([0]);
    expect(traces.settings("").trace_count).to.equal(1);
    say({ log_frequency: ["7"] });
    expect(traced(5)).to.deep.equal([0]);
    expect(traces.settings("").trace_count).to.equal(0);
    say({ trace_count: [] });
    expect(traced(3)).to.deep.equal([0, 1, 2]);
  });

  it("say where a trace goes", () => {
    const { traces, say } = table();
    say({ ...on, trace_file: ["all"], log_frequency: ["7"] });
    say({ trace_file: ["own"] }, "m");
    expect(traces.next("m")).to.deep.equal({ file: "own", logFrequency: 7 });
    expect(traces.next("other")).to.deep.equal({ file: "all", logFrequency: 7 });
  });

  it("of a model hold for it alone, and what it does not say is said by those of all", () => {
    const { traces, say, traced } = table();
    say({ ...on, trace_count: ["1"] }, "m");
    expect(traces.settings("m")).to.deep.equal({
      ...presets,
      trace_level: "TIMESTAMPS",
      trace_rate: 1,
      trace_count: 1,
    });
    expect(traces.settings("")).to.deep.equal(presets);
    expect(traced(5, "other")).to.deep.equal([]);
    expect(traced(5, "m")).to.deep.equal([0]);
    say({ trace_mode: ["triton"], trace_file: ["all"] });
    expect(traces.settings("m").trace_file).to.equal("all");
  });

  it("of a model may turn off what is on for all", () => {
    const { say, traced } = table();
    say(on);
    say({ trace_level: ["OFF"] }, "quiet");
    expect(traced(2, "quiet")).to.deep.equal([]);
    expect(traced(2, "other")).to.deep.equal([0, 1]);
  });

  it("are shared by all models that say nothing of their own, with count and rate", () => {
    const { say, traced } = table();
    say({ ...on, trace_rate: ["2"], trace_count: ["2"] });
    expect([traced(1, "a"), traced(1, "b"), traced(1, "a"), traced(1, "a"), traced(4, "b")]).to.deep.equal([
      [],
      [0],
      [],
      [0],
      [],
    ]);
  });

  it("go back to what holds for all, and to the presets, where an empty value is said", () => {
    const { traces, say } = table();
    say({ ...on, trace_count: ["5"] });
    say({ trace_rate: ["9"], trace_count: ["9"], trace_level: ["OFF"] }, "m");
    say({ trace_rate: [], trace_count: [], trace_level: [] }, "m");
    expect(traces.settings("m")).to.deep.equal(traces.settings(""));
    say({ trace_rate: [], trace_count: [], trace_level: [] });
    expect(traces.settings("")).to.deep.equal(presets);
    expect(traces.isOn).to.equal(false);
  });

  it("are off for every model once they are turned off, until a level is said again", () => {
    const { traces, say, traced } = table();
    say(on);
    say(on, "m");
    say({ trace_level: ["OFF"] }, "quiet");
    traces.turnOff();
    expect([traces.isOn, traced(3, "m"), traced(3, "other")]).to.deep.equal([false, [], []]);
    say(on);
    expect([traced(1, "m"), traced(1, "quiet")]).to.deep.equal([[0], []]);
  });

  it("are kept of so many models at most, those that say nothing any more not among them", () => {
    const { say } = table();
    for (let index = 0; index < 1024; index++) say(on, `m${index}`);
    say({ trace_rate: [] }, "one more");
    expect(() => say(on, "one more"))
      .to.throw("1024 models have trace settings of their own")
      .that.includes({ reason: "REQUEST_INVALID" });
    say({ trace_level: [], trace_rate: [] }, "m0");
    say(on, "one more");
  });

  it("change all at once or not at all", () => {
    const { traces, say } = table();
    expect(() => say({ ...on, trace_count: ["many"] })).to.throw();
    expect(traces.settings("")).to.deep.equal(presets);
  });

  const number = (min: number) => `needed: a whole number from ${min} to 2147483647`;
  for (const [settings, text, reason] of [
    [{ colour: ["red"] }, "'colour' is not known; needed: one of trace_file, trace_level", "REQUEST_INVALID"],
    [{ toString: ["x"] }, "'toString' is not known", "REQUEST_INVALID"],
    [{ trace_level: ["MAX"] }, "'trace_level' is 'MAX'; needed: OFF or TIMESTAMPS", "REQUEST_INVALID"],
    [{ trace_level: ["OFF", "TIMESTAMPS"] }, "'trace_level' is 2 values; needed: one value", "REQUEST_INVALID"],
    [{ trace_level: ["TIMESTAMPS", "TENSORS"] }, "tensors are not traced here", "UNSUPPORTED"],
    [{ trace_rate: ["0"] }, `'trace_rate' is '0'; ${number(1)}`, "REQUEST_INVALID"],
    [{ trace_rate: ["1.5"] }, `'trace_rate' is '1.5'; ${number(1)}`, "REQUEST_INVALID"],
    [{ trace_rate: [""] }, `'trace_rate' is ''; ${number(1)}`, "REQUEST_INVALID"],
    [{ trace_rate: ["1", "2"] }, "'trace_rate' is 2 values", "REQUEST_INVALID"],
    [{ trace_count: ["-2"] }, `'trace_count' is '-2'; ${number(-1)}`, "REQUEST_INVALID"],
    [{ log_frequency: ["1e3"] }, `'log_frequency' is '1e3'; ${number(0)}`, "REQUEST_INVALID"],
    [{ log_frequency: ["2147483648"] }, `'log_frequency' is '2147483648'; ${number(0)}`, "REQUEST_INVALID"],
    [{ trace_mode: ["opentelemetry"] }, "needed: triton; opentelemetry is not served here", "UNSUPPORTED"],
    [{ trace_mode: ["zipkin"] }, "'trace_mode' is 'zipkin'; needed: triton", "REQUEST_INVALID"],
    [{ trace_file: ["/tmp/trace.json"] }, "'trace_file' is '/tmp/trace.json'; needed: the name of", "REQUEST_INVALID"],
    [{ trace_file: ["../a"] }, "'trace_file' is '../a'", "REQUEST_INVALID"],
    [{ trace_file: [".."] }, "'trace_file' is '..'", "REQUEST_INVALID"],
    [{ trace_file: ["a\0b"] }, "'trace_file' is 'a\0b'", "REQUEST_INVALID"],
    [{ trace_file: ["x".repeat(129)] }, "'trace_file' is 'xxx", "REQUEST_INVALID"],
  ] as const) {
    it(`are refused where the trace setting ${JSON.stringify(text)}`, () => {
      expect(() => table().say(settings as Said))
        .to.throw(text)
        .that.includes({ reason });
    });
  }
});
