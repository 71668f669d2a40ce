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
    const up = this.#lines.size > 0 ? `\x1b[${this.#lines.size}A` : "";
    this.#lines.set(name, line);
    this.#screen.write(this.#screen.isTTY ? up + this.#drawing() : `${line}\n`);
  }

  /** Writes a line that stays; the board goes on below it. */
  say(line: string): void {
    this.#lines.clear();
    this.#screen.write(`${line}\n`);
  }

  #drawing(): string {
    const lines = [...this.#lines.values()];
    return lines.map((line) => `\x1b[2K${line.slice(0, this.#screen.columns)}\n`).join("");
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
