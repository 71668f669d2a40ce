import { messageOf } from "../../lib/errors.ts";
import { suiteConfig } from "../../supervisor/config.ts";
import { Suite } from "../../supervisor/suite.ts";
import { nextCall, runDemo } from "./demo.ts";
import { runningGateway } from "./running-gateway.ts";
import { screenOf } from "./screen.ts";

const screen = screenOf(process.stdout);

try {
  const config = suiteConfig(process.env);
  const running = await runningGateway(config);
  const suite = running === undefined ? new Suite(config) : undefined;
  const stop = () => void Promise.resolve(suite?.stop()).finally(() => process.exit(130));
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    const gateway = running ?? (await suite!.start()).gateway;
    screen.line(running ? `suite      already running at ${gateway}` : `suite      started, gateway at ${gateway}`);
    await runDemo(gateway, screen);
    const how = running ? "Next" : "Next: npm start, and in another terminal";
    screen.line(`\n${how}:\n${await nextCall(gateway)}`);
  } finally {
    await suite?.stop();
  }
} catch (failure) {
  process.stderr.write(`\ndemo failed: ${messageOf(failure)}\n`);
  process.exitCode = 1;
}
