-- BEAT: registers a node or renews its lease, and publishes its heartbeat.
--
-- KEYS    1 lease (string), 2 list of nodes (hash): registration = what it says about itself
-- ARGV    1 registration, 2 '1' if it must be registered still, 3 ms that the lease lives, 4 what the node
--         says about itself, 5 ms that the list lives, 6 channel of all nodes, 7 payload,
--         8… registrations to take off the list
-- Result  {'ok', now in us}, where it was new {'ok', now in us, {registration, info…}}
--         {'fenced', now in us}   the lease had run out: nothing is done
--
-- Guarantees: a node that was taken for dead by the broker's clock learns it before it writes again.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if ARGV[2] == '1' and redis.call('EXISTS', KEYS[1]) == 0 then return {'fenced', now} end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[3])
-- HSET returns a number, or a table where the key is of another type.
if type(redis.pcall('HSET', KEYS[2], ARGV[1], ARGV[4])) == 'table' then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
end
for k = 8, #ARGV do redis.call('HDEL', KEYS[2], ARGV[k]) end
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('PUBLISH', ARGV[6], ARGV[7])
if ARGV[2] == '1' then return {'ok', now} end
return {'ok', now, redis.call('HGETALL', KEYS[2])}
