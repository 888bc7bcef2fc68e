-- Give a session another id: the old one is gone and the new one there at the same instant.
-- KEYS: old session, live, gone, new session
-- ARGV: old digest, new digest, version loaded, version proposed, expiry (ms), forget-at (ms),
--       prefix of user indexes, pseudonym of the user, version of the last direct write,
--       (field, value)*
if redis.call('ZSCORE', KEYS[3], ARGV[1]) then
  -- It was sent twice, as the first answer was lost.
  if redis.call('HGET', KEYS[4], 'v') == ARGV[4] then return {'SAVED', ARGV[4]} end
  return {'GONE'}
end
-- What is not of our making is not there: the other copy then takes its place (absorb.lua).
local function number(text)
  local value = tonumber(text)
  return value and value >= 0 and value < 2 ^ 47 and value
end
local stored = redis.call('TYPE', KEYS[1]).ok == 'hash' and redis.call('HGET', KEYS[1], 'v')
stored = stored and number(stored) and stored
if not stored then return {'MISSING'} end
if tonumber(stored) < tonumber(ARGV[3]) then return {'BEHIND'} end
-- Another request has written meanwhile; the caller takes that over and tries again.
if stored ~= ARGV[3] then return {'CHANGED', redis.call('HGETALL', KEYS[1])} end

local former = redis.call('HGET', KEYS[1], 'u')
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[6], ARGV[1])
if former and former ~= '' then redis.call('ZREM', ARGV[7] .. former, ARGV[1]) end

local written = {'v', ARGV[4], 'x', ARGV[5], 'u', ARGV[8], 'd', ARGV[9]}
for i = 10, #ARGV do written[#written + 1] = ARGV[i] end
redis.call('HSET', KEYS[4], unpack(written))
redis.call('PEXPIREAT', KEYS[4], ARGV[5])
-- The full minute after the expiry, as in save.lua.
local ends = ARGV[5] - ARGV[5] % 60000 + 60000
redis.call('ZADD', KEYS[2], ends, ARGV[2])
if ARGV[8] ~= '' then
  local index = ARGV[7] .. ARGV[8]
  redis.call('ZADD', index, ends, ARGV[2])
  if redis.call('PEXPIREAT', index, ends, 'GT') == 0 and redis.call('PTTL', index) == -1 then
    redis.call('PEXPIREAT', index, ends)
  end
end
return {'SAVED', ARGV[4]}
