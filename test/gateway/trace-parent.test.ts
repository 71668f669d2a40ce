import { expect } from "chai";
import { traceIdOf, withTraceParent } from "../../services/gateway/call/trace-parent.ts";

const trace = "0af7651916cd43dd8448eb211c80319c";
const span = "b7ad6b7169203331";

describe("the trace of a call", () => {
  for (const kept of [`00-${trace}-${span}-01`, `00-${trace}-${span}-00`, `01-${trace}-${span}-01-more`]) {
    it(`is kept where it is ${kept}`, () => {
      const headers = withTraceParent({ traceparent: kept, tracestate: "vendor=1" });
      expect(headers).to.deep.equal({ traceparent: kept, tracestate: "vendor=1" });
      expect(traceIdOf(headers)).to.equal(trace);
    });
  }

  for (const other of [
    undefined,
    "",
    `00-${"0".repeat(32)}-${span}-01`,
    `00-${trace}-${"0".repeat(16)}-01`,
    `00-${trace}-${span}-01-more`,
    `ff-${trace}-${span}-01`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `00-${trace}-${span}`,
  ]) {
    it(`begins anew where it is ${other ?? "not there"}`, () => {
      const headers = withTraceParent({
        ...(other === undefined ? {} : { traceparent: other }),
        tracestate: "vendor=1",
      });
      expect(headers.traceparent).to.match(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
      expect(headers).not.to.have.property("tracestate");
      expect(withTraceParent({}).traceparent).not.to.equal(headers.traceparent);
    });
  }
});
