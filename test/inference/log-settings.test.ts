import { expect } from "chai";
import type { LogSettingsRequest } from "../../lib/gen/inference/LogSettingsRequest.ts";
import type { LogSettingsResponse } from "../../lib/gen/inference/LogSettingsResponse.ts";
import { createLog, type LogLevel } from "../../lib/log.ts";
import { decodeMessage, encodeMessage } from "../../lib/rpc/protos.ts";
import { logSettingsHandlers } from "../../services/inference/handlers/log-settings.ts";

const type = "inference.LogSettingsRequest";

/** The level after a call, and its answer by setting. */
function settled(level: LogLevel, settings: LogSettingsRequest["settings"] = {}) {
  const log = createLog("test", level);
  const child = log.child({ of: "test" });
  const request = encodeMessage("inference", type, { settings });
  const answer = logSettingsHandlers(log).LogSettings(decodeMessage("inference", type, request));
  const shown = Object.entries((answer as LogSettingsResponse).settings!).map(([name, value]) => [
    name,
    Object.values(value)[0],
  ]);
  return { level: log.level, info: child.isLevelEnabled("info"), shown: Object.fromEntries(shown) };
}

describe("the log settings of a node", () => {
  it("are told in Triton's words", () => {
    const shown = {
      log_file: "",
      log_info: true,
      log_warning: true,
      log_error: true,
      log_verbose_level: 0,
      log_format: "ISO8601",
    };
    expect(settled("info")).to.deep.equal({ level: "info", info: true, shown });
    expect(settled("debug").shown).to.deep.equal({ ...shown, log_verbose_level: 1 });
    expect(settled("silent").shown).to.deep.equal({ ...shown, log_info: false, log_warning: false, log_error: false });
  });

  it("change the level of the log and of what was made of it before", () => {
    expect(settled("info", { log_verbose_level: { uint32Param: 1 } }).level).to.equal("debug");
    expect(settled("info", { log_verbose_level: { uint32Param: 7 } }).level).to.equal("trace");
    expect(settled("debug", { log_verbose_level: { uint32Param: 0 } }).level).to.equal("info");
    expect(settled("info", { log_info: { boolParam: false } })).to.deep.include({ level: "warn", info: false });
    const none = { log_info: { boolParam: false }, log_warning: { boolParam: false }, log_error: { boolParam: false } };
    expect(settled("info", none).level).to.equal("fatal");
    expect(settled("info", { log_file: { stringParam: "" }, log_format: { stringParam: "ISO8601" } }).level).to.equal(
      "info",
    );
  });

  for (const [settings, text] of [
    [{ colour: { boolParam: true } }, "'colour' is not known; needed: one of log_file, log_info"],
    [{ log_info: { stringParam: "yes" } }, "'log_info' is a stringParam; needed: a boolParam"],
    [{ log_file: { stringParam: "/tmp/log" } }, `'log_file' is "/tmp/log"; needed: ""`],
    [{ log_format: { stringParam: "default" } }, `'log_format' is "default"; needed: "ISO8601"`],
    [{ log_error: { boolParam: false } }, "'log_error' is false; needed: true with log_warning"],
    [{ log_warning: { boolParam: false } }, "'log_warning' is false; needed: true with log_info"],
  ] as const) {
    it(`are refused where the log setting ${text}`, () => {
      expect(() => settled("info", settings))
        .to.throw(`the log setting ${text}`)
        .that.includes({ reason: "REQUEST_INVALID" });
    });
  }
});
