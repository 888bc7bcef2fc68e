-- Write what changed in a session, or make a new one.
-- KEYS: session, live, gone
-- ARGV: digest, "create" | "update", version loaded, version proposed, expiry (ms),
--       prefix of user indexes, pseudonym of the user, version of the last direct write,
--       number of fields, (field, value)*, (field to forget)*
if redis.call('ZSCORE', KEYS[3], ARGV[1]) then return {'GONE'} end

-- What is not of our making is not there: the other copy then takes its place (absorb.lua).
local function number(text)
  local value = tonumber(text)
  return value and value >= 0 and value < 2 ^ 47 and value
end
local stored = redis.call('TYPE', KEYS[1]).ok == 'hash' and redis.call('HGET', KEYS[1], 'v')
stored = stored and number(stored) and stored
local loaded = tonumber(ARGV[3])
if ARGV[2] == 'create' then
  -- The same version: it was sent twice, as the first answer was lost.
  if stored == ARGV[4] then return {'SAVED', stored} end
  if stored then return {'TAKEN'} end
  stored = 0
else
  if not stored then return {'MISSING'} end
  stored = tonumber(stored)
  -- A fail-over lost what this writer has already read.
  if stored < loaded then return {'BEHIND'} end
end

local version = math.max(stored + 1, tonumber(ARGV[4]))
local count = tonumber(ARGV[9])
local written = {'v', string.format('%d', version), 'x', ARGV[5], 'u', ARGV[7]}
if ARGV[2] == 'create' then
  written[#written + 1] = 'd'
  written[#written + 1] = ARGV[8]
end
for i = 10, 9 + 2 * count do written[#written + 1] = ARGV[i] end
local former = redis.call('HGET', KEYS[1], 'u')
redis.call('HSET', KEYS[1], unpack(written))
for i = 10 + 2 * count, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('PEXPIREAT', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[1])
if former and former ~= '' and former ~= ARGV[7] then
  redis.call('ZREM', ARGV[6] .. former, ARGV[1])
end
if ARGV[7] ~= '' then
  local index = ARGV[6] .. ARGV[7]
  redis.call('ZADD', index, ARGV[5], ARGV[1])
  if redis.call('PEXPIREAT', index, ARGV[5], 'GT') == 0 and redis.call('PTTL', index) == -1 then
    redis.call('PEXPIREAT', index, ARGV[5])
  end
end

if stored == loaded or ARGV[2] == 'create' then
  return {'SAVED', string.format('%d', version)}
end
return {'MERGED', redis.call('HGETALL', KEYS[1])}
