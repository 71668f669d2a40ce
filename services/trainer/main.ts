import { Settings } from "../../lib/env.ts";
import { runProcess } from "../../lib/process.ts";
import { readTrainerConfig } from "./config.ts";
import { TrainerService } from "./service.ts";

await runProcess(process, (env) => new TrainerService(readTrainerConfig(new Settings(env))));
