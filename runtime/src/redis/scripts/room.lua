-- The head of the scripts that write to a room: append, sync, presence.
--
-- KEYS  1 numbers (hash), 2 log (stream), 3 users (hash), 4 values (hash), 5 their keys by number (sorted set)
-- ARGV  1 the epoch to start where the room has none, 2 incarnation of the data, 3 node, 4 its session
--
-- The numbers: 'e' epoch, 's' last number used, 'v' version of the users, 'i' incarnation, and for each
-- node 'o:<node>' = '<session> <its own number of its last message>', -1 where that is unknown. Where the
-- room keeps the latest value of each key, 'k' says of how many.
--
-- A room that is new, has expired or was evicted, has lost values, is of another incarnation or is not
-- understood starts anew: new epoch, no log, no users, no values. Nothing that may have lost a write is ever
-- continued.
-- Lua writes numbers of up to 14 digits in full.
local function number(text)
  if not text or #text > 14 or not string.match(text, '^%d+$') then return nil end
  return tonumber(text)
end

-- For a key of another type this has an error, and no field.
local m = redis.pcall('HMGET', KEYS[1], 'e', 's', 'v', 'i', 'o:' .. ARGV[3], 'k')
local epoch, seq, version, session, own = m[1], number(m[2]), number(m[3]), 0, -1
local has_values = not m[6]
  or redis.pcall('HLEN', KEYS[4]) == number(m[6]) and redis.pcall('ZCARD', KEYS[5]) == number(m[6])
if not epoch or not seq or not version or m[4] ~= ARGV[2] or not has_values then
  -- Redis refuses a script that is out of memory at its first command that may take some: SET, not DEL.
  redis.call('SET', KEYS[1], '')
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
  epoch, seq, version, m[6] = ARGV[1], 0, 0, false
  redis.call('HSET', KEYS[1], 'e', epoch, 's', 0, 'v', 0, 'i', ARGV[2])
elseif m[5] then
  local s, n = string.match(m[5], '^(%d+) (%-?%d+)$')
  session, own = tonumber(s or 0), tonumber(n or -1)
end
-- What an old connection had left in a socket must not undo what the new one has done.
if tonumber(ARGV[4]) < session then return {'stale', epoch, seq, own} end
