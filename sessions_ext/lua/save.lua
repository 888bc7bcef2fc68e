-- Write what changed in a session, or make a new one. Each call costs more than what it does, so
-- there are as few as can be.
-- KEYS: session, live, gone
-- ARGV: digest, "create" | "update", version loaded, version proposed, expiry (ms),
--       prefix of user indexes, pseudonym of the user, version of the last direct write,
--       number of fields, (field, value)*, (field to forget)*
if redis.call('ZSCORE', KEYS[3], ARGV[1]) then return {'GONE'} end

-- What is not of our making is not there: the other copy then takes its place (absorb.lua).
-- Where there is no hash the answer is an error, which holds neither.
local held = redis.pcall('HMGET', KEYS[1], 'v', 'u', 'x')
local stored, former = tonumber(held[1]), held[2]
if stored and not (stored >= 0 and stored < 2 ^ 47) then stored = nil end

local create = ARGV[2] == 'create'
local loaded, version = tonumber(ARGV[3]), tonumber(ARGV[4])
if create then
  -- The same version: it was sent twice, as the first answer was lost.
  if stored == version then return {'SAVED', ARGV[4]} end
  if stored then return {'TAKEN'} end
else
  if not stored then return {'MISSING'} end
  -- A fail-over lost what this writer has already read.
  if stored < loaded then return {'BEHIND'} end
  version = math.max(stored + 1, version)
end

local text, expiry, user = string.format('%d', version), ARGV[5], ARGV[7]
local values = 9 + 2 * ARGV[9]
redis.call('HSET', KEYS[1], 'v', text, 'x', expiry, 'u', user, unpack(ARGV, 10, values))
if create then redis.call('HSET', KEYS[1], 'd', ARGV[8]) end
for i = values + 1, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('PEXPIREAT', KEYS[1], expiry)

-- Indexes are told of the full minute after the expiry, so few saves have to tell them.
local function minute(moment)
  local value = tonumber(moment) or 0
  return value - value % 60000 + 60000
end
local ends = minute(expiry)
if former ~= user or minute(held[3]) ~= ends then
  redis.call('ZADD', KEYS[2], ends, ARGV[1])
  if former and former ~= '' and former ~= user then
    redis.call('ZREM', ARGV[6] .. former, ARGV[1])
  end
  if user ~= '' then
    local index = ARGV[6] .. user
    redis.call('ZADD', index, ends, ARGV[1])
    if redis.call('PEXPIREAT', index, ends, 'GT') == 0 and redis.call('PTTL', index) == -1 then
      redis.call('PEXPIREAT', index, ends)
    end
  end
end

if stored == loaded or create then return {'SAVED', text} end
return {'MERGED', redis.call('HGETALL', KEYS[1])}
