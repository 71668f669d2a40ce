import { join } from "node:path";
import { beside, type Goal, inRounds, type Measured } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { durableDisk, transfers } from "./processes.ts";
import { startRegistry } from "./running-registry.ts";

const sizeBytes = 1024 ** 3;
const rounds = 5;
const goal: Goal = { of: "ratio", kind: "at least", bound: 0.5 };
const baselineOf = "one process that writes the same bytes, hashes them and has them on disk";

/** How fast a large artifact comes and goes. Every round uploads other bytes; downloads are of the newest. */
export async function transfer(place: Workplace): Promise<Measured[]> {
  const { address } = await startRegistry(place);
  const client = transfers(place);
  const disk = durableDisk(place);
  const rateOf = (seconds: number) => sizeBytes / 1e6 / seconds;
  let newest = "";
  const upload = async (round: number) => {
    const { sha256, seconds } = await client.call("upload", address, { stamp: round + 1, sizeBytes });
    newest = sha256;
    return rateOf(seconds);
  };
  const download = async () => rateOf((await client.call("download", address, newest)).seconds);
  const figures = await inRounds(rounds, {
    disk: async (round) => rateOf(await disk.call("writeAndHash", join(place.folder, `written-${round}`), sizeBytes)),
    upload,
    download,
  });
  const unit = "MB/s";
  return [
    { metric: "upload of 1 GiB", unit, runs: beside(figures.upload, figures.disk), baselineOf, goal },
    { metric: "download of 1 GiB, checked", unit, runs: beside(figures.download, figures.disk), baselineOf, goal },
  ];
}
