import type { AnswerMessage, CallMessage } from "../bench-process.ts";

// One module, whose functions another process calls.
const functions = await import(process.argv[2]!);

process.on("message", async ({ id, name, values }: CallMessage) => {
  let answer: AnswerMessage;
  try {
    answer = { id, value: await functions[name](...values) };
  } catch (failure) {
    answer = { id, failure: (failure as Error)?.stack ?? String(failure) };
  }
  process.send?.(answer);
});
process.once("disconnect", () => process.exit());
