-- POSITION: reads how far a room has come and keeps it from expiring.
--
-- KEYS    1 numbers, 2 users
-- ARGV    1 incarnation, 2 ms that the numbers live, 3 ms that the list of users lives, 4… nodes to forget
-- Result  {epoch, seq, version, how many users are listed}, nil where there is nothing of this incarnation
--
-- Guarantees: starts no epoch.
local m = redis.pcall('HMGET', KEYS[1], 'e', 's', 'v', 'i')
if m.err or not m[1] or m[4] ~= ARGV[1] then return false end
for k = 4, #ARGV do redis.call('HDEL', KEYS[1], 'o:' .. ARGV[k]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local users = redis.pcall('HLEN', KEYS[2])
if type(users) == 'table' then users = 0 end
return {m[1], m[2], m[3], users}
