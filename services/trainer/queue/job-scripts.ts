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
 * Sets fields of a job and appends an event, if the job is in one of the allowed states and no other attempt has begun. Answers 1 if so,
 * 0 if not, and nothing where there is no such job. An event of the kind "state" has the whole job as its body; one of no kind is left out, and nobody is told.
 * A job that has ended leaves the open set; the jobs that ended first are forgotten beyond the bound.
 *
 * KEYS: job, events, open, ended, index. ARGV: id, allowed states joined by commas, number of the attempt or "" for any, event kind, event
 * body, time, events max, ended jobs max, "ended" or "", key prefix, channel, field, value, …
 */
export const changeScript = `
local state = redis.call("HGET", KEYS[1], "state")
if not state then return false end
if not string.find("," .. ARGV[2] .. ",", "," .. cjson.decode(state) .. ",", 1, true) then return 0 end
if ARGV[3] ~= "" and redis.call("HGET", KEYS[1], "attempts") ~= ARGV[3] then return 0 end
if #ARGV > 11 then redis.call("HSET", KEYS[1], unpack(ARGV, 12)) end
if ARGV[4] ~= "" then
  local sequence = redis.call("HINCRBY", KEYS[1], "sequence", 1)
  local body = ARGV[5]
  if ARGV[4] == "state" then body = cjson.encode(redis.call("HGETALL", KEYS[1])) end
  redis.call("XADD", KEYS[2], "MAXLEN", "~", ARGV[7], sequence .. "-0", "time", ARGV[6], "kind", ARGV[4], "body", body)
end
if ARGV[9] == "ended" then
  redis.call("SREM", KEYS[3], ARGV[1])
  redis.call("ZADD", KEYS[4], ARGV[6], ARGV[1])
  while redis.call("ZCARD", KEYS[4]) > tonumber(ARGV[8]) do
    local oldest = redis.call("ZPOPMIN", KEYS[4])[1]
    redis.call("DEL", ARGV[10] .. ":job:" .. oldest, ARGV[10] .. ":events:" .. oldest)
    redis.call("ZREM", KEYS[5], oldest)
  end
end
if ARGV[4] ~= "" then redis.call("PUBLISH", ARGV[11], ARGV[1]) end
return 1
`;
