-- POSITION: reads how far a room has come and keeps it from expiring.
--
-- KEYS    1 numbers, 2 users, 3 values, 4 their keys by number
-- ARGV    1 incarnation, 2 ms that the numbers live, 3 ms that the list of users lives, 4… nodes to forget
-- Result  {epoch, seq, version, how many users are listed}, nil where there is nothing of this incarnation,
--         or values are lost
--
-- Guarantees: starts no epoch.
local m = redis.pcall('HMGET', KEYS[1], 'e', 's', 'v', 'i', 'k')
if m.err or not m[1] or m[4] ~= ARGV[1] then return false end
local size = tonumber(m[5] or '')
if m[5] and (redis.pcall('HLEN', KEYS[3]) ~= size or redis.pcall('ZCARD', KEYS[4]) ~= size) then return false end
for k = 4, #ARGV do redis.call('HDEL', KEYS[1], 'o:' .. ARGV[k]) end
for _, key in ipairs({KEYS[1], KEYS[3], KEYS[4]}) do redis.call('PEXPIRE', key, ARGV[2]) end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local users = redis.pcall('HLEN', KEYS[2])
if type(users) == 'table' then users = 0 end
return {m[1], m[2], m[3], users}
