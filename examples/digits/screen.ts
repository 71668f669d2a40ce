/** Where the demo writes. */
export interface Screen {
  /** One line. */
  line(text: string): void;
  /** One line that the next status replaces. Where lines can't be replaced, only milestones are worth one. */
  status(text: string, isMilestone: boolean): void;
}

/** What a screen is drawn on: a terminal, or anything that takes lines. */
interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export function screenOf(output: Output): Screen {
  const clear = output.isTTY ? "\r\x1b[K" : "";
  return {
    line: (text) => output.write(`${clear}${text}\n`),
    status: (text, isMilestone) => {
      if (output.isTTY) output.write(`${clear}${text}`);
      else if (isMilestone) output.write(`${text}\n`);
    },
  };
}
