-- OCCUPANTS: reads the list of users of a room.
--
-- KEYS    1 numbers, 2 users
-- ARGV    1 incarnation
-- Result  {epoch, version, {'registration TAB user', 'version in which that was written[ info]'…}},
--         nil where there is nothing of this incarnation
--
-- Guarantees: list and version are of one moment. Changes nothing.
local m = redis.pcall('HMGET', KEYS[1], 'e', 'v', 'i')
if m.err or not m[1] or m[3] ~= ARGV[1] then return false end
local users = redis.pcall('HGETALL', KEYS[2])
if users.err then users = {} end
return {m[1], m[2], users}
