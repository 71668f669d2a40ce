import { Settings } from "../../lib/env.ts";
import { runProcess } from "../../lib/process.ts";
import { readGatewayConfig } from "./config.ts";
import { GatewayService } from "./service.ts";

await runProcess(process, (env) => new GatewayService(readGatewayConfig(new Settings(env))));
