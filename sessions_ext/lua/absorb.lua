-- Take over what another copy of a session knows: of each attribute the later write.
-- KEYS: session, live, gone
-- ARGV: digest, version, expiry (ms), pseudonym of the user, version of the last direct write,
--       prefix of user indexes, (field, value)*
if redis.call('ZSCORE', KEYS[3], ARGV[1]) then return {'GONE'} end

-- A value begins with its stamp, so the later is the greater; by bytes, as `<` asks the locale.
local function later(value, than)
  for i = 1, math.min(#value, #than) do
    local one, other = value:byte(i), than:byte(i)
    if one ~= other then return one > other end
  end
  return #value > #than
end

-- What is not of our making gives way.
local mine = {}
if redis.call('TYPE', KEYS[1]).ok == 'hash' then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do mine[all[i]] = all[i + 1] end
end
local function number(text)
  local value = tonumber(text)
  return value and value >= 0 and value < 2 ^ 47 and value
end
if not (number(mine['v']) and number(mine['x']) and number(mine['d']) and mine['u']) then
  redis.call('DEL', KEYS[1])
  mine = {}
end

local version, expiry = tonumber(ARGV[2]), tonumber(ARGV[3])
local user, direct = ARGV[4], tonumber(ARGV[5])
local written, theirs = {}, {}
local took, kept = false, false
for i = 7, #ARGV, 2 do
  local name, value = ARGV[i], ARGV[i + 1]
  theirs[name] = true
  local have = mine[name]
  if not have or later(value, have) then
    written[#written + 1] = name
    written[#written + 1] = value
    took = true
  elseif later(have, value) then
    kept = true
  end
end
if mine['v'] then
  for name in pairs(mine) do
    if #name > 1 and not theirs[name] then kept = true end
  end
  local stored = tonumber(mine['v'])
  if stored > version then user = mine['u'] end
  -- What neither copy holds gets a version that neither has.
  local newer = (took and stored >= version) or (kept and version >= stored)
  version = math.max(version, stored)
  if newer then version, kept = version + 1, true end
  expiry = math.max(expiry, tonumber(mine['x']))
  direct = math.max(direct, tonumber(mine['d']))
end
for name, value in pairs({
  v = string.format('%d', version), x = string.format('%d', expiry),
  u = user, d = string.format('%d', direct),
}) do
  written[#written + 1] = name
  written[#written + 1] = value
end
redis.call('HSET', KEYS[1], unpack(written))
redis.call('PEXPIREAT', KEYS[1], expiry)
-- The full minute after the expiry, as in save.lua.
local ends = expiry - expiry % 60000 + 60000
redis.call('ZADD', KEYS[2], ends, ARGV[1])
if user ~= '' then
  local index = ARGV[6] .. user
  redis.call('ZADD', index, ends, ARGV[1])
  if redis.call('PEXPIREAT', index, ends, 'GT') == 0 and redis.call('PTTL', index) == -1 then
    redis.call('PEXPIREAT', index, ends)
  end
end
return {kept and 'MERGED' or 'TAKEN_OVER', redis.call('HGETALL', KEYS[1])}
