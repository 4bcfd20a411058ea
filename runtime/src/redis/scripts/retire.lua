-- RETIRE: ends the registration of a node and publishes its last heartbeat.
--
-- KEYS    1 lease, 2 list of nodes
-- ARGV    1 registration, 2 channel of all nodes, 3 payload
-- Result  how many connections received that
redis.call('DEL', KEYS[1])
redis.pcall('HDEL', KEYS[2], ARGV[1])
return redis.call('PUBLISH', ARGV[2], ARGV[3])
