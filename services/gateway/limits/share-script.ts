/**
 * Moves shares of an account from and to one gateway. What has been taken of each rate drains as in `Bucket`, by the clock of Redis, which
 * all gateways share. A gateway has the slots that it was given until their lease ends; requests that run already are always given theirs.
 *
 * The account is a hash: the level of each bucket by its unit, "time" of the last change in milliseconds, and by "slots:" and its name
 * what each gateway has: a number, and when the lease ends. It vanishes once everything has drained and every lease has ended.
 *
 * KEYS: account. ARGV: gateway, lease in milliseconds, slots of all gateways (0: no limit), requests that run, slots wanted; then per rate
 * its unit, the rate per second, the burst, how much is wanted (below 0: comes back). Answers the slots, and how much it gives of each.
 */
export const shareScript = `
local function text(number) return string.format("%.17g", number) end
local clock = redis.call("TIME")
local now = clock[1] * 1000 + clock[2] / 1000
local fields = redis.call("HGETALL", KEYS[1])
local account = {}
for index = 1, #fields, 2 do account[fields[index]] = fields[index + 1] end
local seconds = math.max(0, now - tonumber(account.time or now)) / 1000
local lifetime = 1000

local own = "slots:" .. ARGV[1]
local most = tonumber(ARGV[3])
local slots = 0
if most > 0 then
  local others = 0
  for field, value in pairs(account) do
    if string.sub(field, 1, 6) == "slots:" and field ~= own then
      local count, until_ = string.match(value, "^(%d+) (%S+)$")
      if tonumber(until_) > now then
        others = others + count
        lifetime = math.max(lifetime, until_ - now)
      else redis.call("HDEL", KEYS[1], field) end
    end
  end
  slots = math.max(tonumber(ARGV[4]), math.min(tonumber(ARGV[5]), most - others))
end
if slots > 0 then
  redis.call("HSET", KEYS[1], own, slots .. " " .. text(now + ARGV[2]))
  lifetime = math.max(lifetime, tonumber(ARGV[2]))
elseif account[own] then redis.call("HDEL", KEYS[1], own) end

local answer = { tostring(slots) }
for index = 6, #ARGV, 4 do
  local unit, rate, burst = ARGV[index], tonumber(ARGV[index + 1]), tonumber(ARGV[index + 2])
  local level = math.min(burst, math.max(0, tonumber(account[unit] or 0) - seconds * rate))
  local given = math.min(tonumber(ARGV[index + 3]), burst - level)
  level = math.max(0, level + given)
  redis.call("HSET", KEYS[1], unit, text(level))
  lifetime = math.max(lifetime, level / rate * 1000)
  answer[#answer + 1] = text(given)
end
redis.call("HSET", KEYS[1], "time", text(now))
redis.call("PEXPIRE", KEYS[1], math.ceil(lifetime))
return answer
`;
