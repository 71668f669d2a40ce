import { Settings } from "../../lib/env.ts";
import { runProcess } from "../../lib/process.ts";
import { readRegistryConfig } from "./config.ts";
import { RegistryService } from "./service.ts";

await runProcess(process, (env) => new RegistryService(readRegistryConfig(new Settings(env))));
