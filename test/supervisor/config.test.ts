import { expect } from "chai";
import { Settings } from "../../lib/env.ts";
import { readTrainerConfig } from "../../services/trainer/config.ts";
import { suiteConfig } from "../../supervisor/config.ts";

describe("the address of a Redis", () => {
  const readers = [
    ["the suite", (url: string) => suiteConfig({ AMAAS_REDIS_URL: url }).redisUrl],
    ["the trainer", (url: string) => readTrainerConfig(new Settings({ AMAAS_REDIS_URL: url })).redisUrl],
  ] as const;

  for (const [who, read] of readers) {
    for (const url of [
      "redis://127.0.0.1:6379",
      "rediss://user:secret@redis.example:6380/2",
      "redis://[::1]:6379",
      "unix:///run/redis.sock",
      "unix:///a folder/redis.sock",
    ]) {
      it(`is taken by ${who}: ${url}`, () => expect(read(url)).to.equal(url));
    }
    for (const url of ["127.0.0.1:6379", "redis://", "redis:// x", "redis:///0", "unix://redis.sock", "unix:///"]) {
      it(`is refused by ${who}: ${url}`, () => expect(() => read(url)).to.throw(`AMAAS_REDIS_URL: seen "${url}"`));
    }
  }

  it("is the suite's own Redis where none is given", () => expect(suiteConfig({}).redisUrl).to.equal(""));
});
