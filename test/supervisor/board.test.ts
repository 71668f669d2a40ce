import { expect } from "chai";
import { Board } from "../../supervisor/board.ts";

describe("the console", () => {
  let written: string[];
  const screen = (isTTY: boolean) => ({ isTTY, write: (text: string) => written.push(text) });
  beforeEach(() => {
    written = [];
  });

  it("writes one line per change, and none where nothing changed", () => {
    const board = new Board(screen(false));
    board.show("registry", { kind: "starting", pid: 7 });
    board.show("registry", { kind: "running", pid: 7, address: "127.0.0.1:8101" });
    board.show("registry", { kind: "running", pid: 7, address: "127.0.0.1:8101" });
    board.show("registry", { kind: "backing-off", reason: "ended by SIGKILL", crashes: 2, delayMs: 400 });
    expect(written).to.deep.equal([
      "registry   starting\n",
      "registry   running      127.0.0.1:8101  process 7\n",
      "registry   backing-off  crash 2: ended by SIGKILL; starts again in 0.4 s\n",
    ]);
  });

  it("redraws all lines in place on a terminal", () => {
    const board = new Board(screen(true));
    board.show("redis", { kind: "starting", pid: 1 });
    board.show("registry", { kind: "starting", pid: 2 });
    board.show("redis", { kind: "stopped" });
    expect(written.at(-1)).to.equal("\x1b[2A\x1b[2Kredis      stopped\n\x1b[2Kregistry   starting\n");
  });

  it("cuts a line at the width of the terminal", () => {
    new Board({ ...screen(true), columns: 14 }).show("redis", { kind: "starting", pid: 1 });
    expect(written).to.deep.equal(["\x1b[2Kredis      sta\n"]);
  });

  it("starts afresh below a message", () => {
    const board = new Board(screen(true));
    board.show("redis", { kind: "starting", pid: 1 });
    board.say("a message");
    board.show("redis", { kind: "stopped" });
    expect(written.slice(1)).to.deep.equal(["a message\n", "\x1b[2Kredis      stopped\n"]);
  });
});
