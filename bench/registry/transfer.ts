import { join } from "node:path";
import { beside, type Goal, inRounds, type Measured } from "../harness/figures.ts";
import { cpuSeconds } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { durableDisk, transfers } from "./processes.ts";
import { startRegistry } from "./running-registry.ts";

const sizeBytes = 1024 ** 3;
const rounds = 5;
const goal: Goal = { of: "ratio", kind: "at least", bound: 0.5 };
const baselineOf = "one process that writes the same bytes, hashes them and has them on disk";

/** How fast a large artifact comes and goes. Every round uploads other bytes; downloads are of the newest. */
export async function transfer(place: Workplace): Promise<Measured[]> {
  const registry = await startRegistry(place);
  const client = transfers(place);
  const disk = durableDisk(place);
  const measured = (server: { readonly pid: number }, work: (round: number) => Promise<number>) => {
    return async (round: number) => {
      const before = await cpuSeconds(server.pid);
      const seconds = await work(round);
      return { rate: sizeBytes / 1e6 / seconds, cpu: (await cpuSeconds(server.pid)) - before };
    };
  };
  let newest = "";
  const figures = await inRounds(rounds, {
    disk: measured(disk, (round) => disk.call("writeAndHash", join(place.folder, `written-${round}`), sizeBytes)),
    upload: measured(registry, async (round) => {
      const { sha256, seconds } = await client.call("upload", registry.address, { stamp: round + 1, sizeBytes });
      newest = sha256;
      return seconds;
    }),
    download: measured(registry, async () => (await client.call("download", registry.address, newest)).seconds),
  });
  const rows = (subject: "upload" | "download", metric: string): Measured[] => {
    const side = (figure: "rate" | "cpu") =>
      beside(
        figures[subject].map((run) => run[figure]),
        figures.disk.map((run) => run[figure]),
      );
    return [
      { metric, unit: "MB/s", runs: side("rate"), baselineOf, goal },
      { metric: `${metric}, processor time of the registry`, unit: "s", runs: side("cpu"), baselineOf },
    ];
  };
  return [...rows("upload", "upload of 1 GiB"), ...rows("download", "download of 1 GiB, checked by the client")];
}
