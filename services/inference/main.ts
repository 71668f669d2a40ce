import { Settings } from "../../lib/env.ts";
import { runProcess } from "../../lib/process.ts";
import { readInferenceConfig } from "./config.ts";
import { InferenceService } from "./service.ts";

await runProcess(process, (env) => new InferenceService(readInferenceConfig(new Settings(env))));
