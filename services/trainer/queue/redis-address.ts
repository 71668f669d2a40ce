import type { RedisOptions } from "ioredis";

/**
 * Where a Redis is: `redis://` and `rediss://` name it, `unix://` the path of its socket, and `redis+sentinel://user:password@host:port,host:port/master` the
 * Sentinels that know where the master of that name is; user and password are those of the master. The setting was checked before.
 */
export function redisOptionsOf(url: string): RedisOptions {
  if (url.startsWith("unix://")) return { path: url.slice("unix://".length) };
  const [, account = "", hosts = "", name = ""] =
    /^redis\+sentinel:\/\/(?:([^@/]*)@)?([^/]*)\/([^/]*)$/.exec(url) ?? [];
  if (name !== "") return { sentinels: hosts.split(",").map(placeOf), name, ...accountOf(account) };
  const { protocol, hostname, port, username, password, pathname } = new URL(url);
  return {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? 6379 : Number(port),
    db: Number(pathname.slice(1)) || 0,
    ...accountOf(`${username}:${password}`),
    ...(protocol === "rediss:" && { tls: {} }),
  };
}

function placeOf(text: string) {
  const { hostname, port } = new URL(`redis://${text}`);
  return { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: port === "" ? 26_379 : Number(port) };
}

/** A user alone is none, as in a URL for redis-cli. */
function accountOf(text: string): Pick<RedisOptions, "username" | "password"> {
  const [user = "", password = ""] = text.split(":").map(decodeURIComponent);
  return password === "" ? {} : { password, ...(user !== "" && { username: user }) };
}
