-- Delete a session for good. The tombstone outlives every request and copy that still knows it.
-- KEYS: session, live, gone
-- ARGV: digest, forget-at (ms), now (ms), prefix of user indexes
local user = redis.call('TYPE', KEYS[1]).ok == 'hash' and redis.call('HGET', KEYS[1], 'u')
local existed = redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
if user and user ~= '' then redis.call('ZREM', ARGV[4] .. user, ARGV[1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', ARGV[3])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
return existed
