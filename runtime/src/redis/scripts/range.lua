-- RANGE: reads messages of a room.
--
-- KEYS    1 numbers, 2 log
-- ARGV    1 incarnation, 2 epoch, 3 number after which to read, 4 most entries
-- Result  {{id, {'o', 'node own', 'd', body}}…}, nil where the room has another epoch or incarnation
--
-- Guarantees: the entries are of this epoch. Changes nothing.
local m = redis.pcall('HMGET', KEYS[1], 'e', 'i')
if m.err or m[1] ~= ARGV[2] or m[2] ~= ARGV[1] then return false end
local first = string.format('%.0f-0', tonumber(ARGV[3]) + 1)
local entries = redis.pcall('XRANGE', KEYS[2], first, '+', 'COUNT', ARGV[4])
if entries.err then return {} end
return entries
