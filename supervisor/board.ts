import type { ChildState } from "./child.ts";
import type { MemberName } from "./suite.ts";

/** Where the board is drawn: a terminal, or anything that takes lines. */
export interface Screen {
  readonly isTTY?: boolean;
  /** Its width, if it has one: a longer line would wrap, and the board be drawn over the wrong lines. */
  readonly columns?: number;
  write(text: string): unknown;
}

/** One line per member; redrawn in place on a terminal, written anew on every change elsewhere. */
export class Board {
  readonly #screen: Screen;
  readonly #lines = new Map<MemberName, string>();

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  show(name: MemberName, state: ChildState): void {
    const line = `${name.padEnd(10)} ${state.kind.padEnd(12)} ${details(state)}`.trimEnd();
    if (this.#lines.get(name) === line) return;
    const drawn = this.#lines.size;
    this.#lines.set(name, line);
    if (!this.#screen.isTTY) this.#screen.write(`${line}\n`);
    else
      this.#screen.write(
        `${drawn > 0 ? `\x1b[${drawn}A` : ""}${[...this.#lines.values()].map((each) => this.#redrawn(each)).join("")}`,
      );
  }

  /** Writes a line that stays; the board goes on below it. */
  say(line: string): void {
    this.#lines.clear();
    this.#screen.write(`${line}\n`);
  }

  #redrawn(line: string): string {
    return `\x1b[2K${line.slice(0, this.#screen.columns)}\n`;
  }
}

function details(state: ChildState): string {
  switch (state.kind) {
    case "running":
      return `${state.address}  process ${state.pid}`;
    case "backing-off":
      return `crash ${state.crashes}: ${state.reason}; starts again in ${(state.delayMs / 1000).toFixed(1)} s`;
    case "failed":
      return state.reason;
    default:
      return "";
  }
}
