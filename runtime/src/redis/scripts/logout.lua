-- LOGOUT: gives up a claim. Behind claims.lua.
--
-- ARGV    2 node, 3 its session, 4 registration, 5 connection, 6 ms that the table outlives its last claim
-- Result  {'ok', 1 or 0: whether the claim was there}; {'stale'}
--
-- Guarantees: a LOGIN of an earlier session that is read later cannot bring the claim back, for the table
-- stays for a while to refuse it; one that notes a KICK stays as long as claims do.
local node, session = ARGV[2], tonumber(ARGV[3])
if (sessions[node] or 0) > session then return {'stale'} end
own_table()
redis.call('HSET', KEYS[1], 's:' .. node, ARGV[3])
local removed = redis.call('HDEL', KEYS[1], 'c:' .. ARGV[4] .. '/' .. ARGV[5])
if #claims - removed <= 0 and kicked == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[6]) end
return {'ok', removed}
