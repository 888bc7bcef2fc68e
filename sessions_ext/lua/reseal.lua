-- Replace envelopes by others of the same content, where nobody has written meanwhile.
-- KEYS: session, live, gone
-- ARGV: digest, (field, former value, new value)*
for i = 2, #ARGV, 3 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  end
end
return 1
