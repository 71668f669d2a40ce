/**
 * The changes of the job store, each atomic in Redis. A job is a hash of JSON texts by field of `Job`; `sequence` counts
 * its events. Times come from the caller.
 */

/**
 * Stores a job unless its request id has one already; answers the id of the job that then exists, or nothing where too
 * many jobs are open.
 *
 * KEYS: request, job, events, open, index. ARGV: id, open jobs max, request id lifetime in seconds (0: there is no
 * request id), time, key prefix, field, value, …
 */
export const createScript = `
local known = redis.call("GET", KEYS[1])
if known and redis.call("EXISTS", ARGV[5] .. ":job:" .. known) == 1 then return known end
if redis.call("SCARD", KEYS[4]) >= tonumber(ARGV[2]) then return false end
redis.call("HSET", KEYS[2], "sequence", 1, unpack(ARGV, 6))
redis.call("XADD", KEYS[3], "1-0", "time", ARGV[4], "kind", "state", "body", cjson.encode(redis.call("HGETALL", KEYS[2])))
redis.call("SADD", KEYS[4], ARGV[1])
redis.call("ZADD", KEYS[5], 0, ARGV[1])
if tonumber(ARGV[3]) > 0 then redis.call("SET", KEYS[1], ARGV[1], "EX", ARGV[3]) end
return ARGV[1]
`;

/**
 * Sets fields of a job and appends an event, if the job is in one of the allowed states. Answers the state that it found,
 * or nothing where there is no such job. A job that has ended leaves the open set; the jobs that ended first
 * are forgotten beyond the bound.
 *
 * KEYS: job, events, open, ended, index. ARGV: id, allowed states joined by commas, event kind, time, events max,
 * ended jobs max, "ended" or "", key prefix, channel, field, value, …
 */
export const changeScript = `
local state = redis.call("HGET", KEYS[1], "state")
if not state then return false end
if not string.find("," .. ARGV[2] .. ",", "," .. cjson.decode(state) .. ",", 1, true) then return state end
redis.call("HSET", KEYS[1], unpack(ARGV, 10))
local sequence = redis.call("HINCRBY", KEYS[1], "sequence", 1)
local body
if ARGV[3] == "state" then body = cjson.encode(redis.call("HGETALL", KEYS[1]))
else body = redis.call("HGET", KEYS[1], "progress") end
redis.call("XADD", KEYS[2], "MAXLEN", "~", ARGV[5], sequence .. "-0", "time", ARGV[4], "kind", ARGV[3], "body", body)
if ARGV[7] == "ended" then
  redis.call("SREM", KEYS[3], ARGV[1])
  redis.call("ZADD", KEYS[4], ARGV[4], ARGV[1])
  while redis.call("ZCARD", KEYS[4]) > tonumber(ARGV[6]) do
    local oldest = redis.call("ZPOPMIN", KEYS[4])[1]
    redis.call("DEL", ARGV[8] .. ":job:" .. oldest, ARGV[8] .. ":events:" .. oldest)
    redis.call("ZREM", KEYS[5], oldest)
  end
end
redis.call("PUBLISH", ARGV[9], ARGV[1])
return state
`;
