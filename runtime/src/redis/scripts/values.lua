-- VALUES: reads the latest values of keys of a room, in the order of their numbers.
--
-- KEYS    1 numbers, 2 values, 3 their keys by number
-- ARGV    1 incarnation, 2 epoch, 3 number after which to read, 4 most values
-- Result  {'seq node own ⏎ body'…}, nil where the room has another epoch or incarnation, or values are lost
--
-- Guarantees: the values are of this epoch and of one moment. Changes nothing.
local m = redis.pcall('HMGET', KEYS[1], 'e', 'i', 'k')
if m.err or m[1] ~= ARGV[2] or m[2] ~= ARGV[1] then return false end
if not m[3] then return {} end
local size = tonumber(m[3])
if redis.pcall('HLEN', KEYS[2]) ~= size or redis.pcall('ZCARD', KEYS[3]) ~= size then return false end
local keys = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[3], '+inf', 'LIMIT', 0, ARGV[4])
if #keys == 0 then return {} end
return redis.call('HMGET', KEYS[2], unpack(keys))
