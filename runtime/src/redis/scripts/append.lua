-- APPEND: numbers messages of one node, keeps them and publishes them. Behind room.lua.
--
-- ARGV    5 the node's own number of the first body, 6 messages to keep, 7 ms that the numbers live,
--         8 ms that the log lives, 9 the room's channel, 10 how many keys may have a value, 11… bodies
-- Result  {'ok', epoch, number for each body}   0: it had been dealt with before, -1: its value is not kept
--         {'order', epoch, seq, own}            one before the first is missing: nothing is applied
--         {'stale', epoch, seq, own}            the node has a newer connection: nothing is applied
-- Publishes '1 M seq epoch node own ⏎ body' for each message, in the order of the numbers.
--
-- Guarantees: numbers of an epoch are 1, 2, 3… without a hole; text and number of a message are bound
-- once; each own number of a node is applied at most once while the data live; the value of a key is that of
-- the message with the highest number, and 'null' is none.
local first, keys = tonumber(ARGV[5]), tonumber(ARGV[10])
if own >= 0 and first > own + 1 then return {'order', epoch, seq, own} end
local last = math.max(own, first + #ARGV - 11)
local count = last - math.max(own, first - 1)
redis.call('HSET', KEYS[1], 's', seq + count, 'o:' .. ARGV[3], ARGV[4] .. ' ' .. last)
local size = 0
if keys > 0 then
  size = number(m[6]) or 0
  if size == 0 then redis.call('DEL', KEYS[4], KEYS[5]) end
end
-- Keeps the value of a key, which the header of a body names. Returns whether it may have it.
local function keep(origin, body)
  local header, content = string.match(body, '^([^\n]*)\n(.*)$')
  local key = header and string.match('\t' .. header, '\tk=([^\t]+)')
  if not key then return true end
  local there = redis.call('HEXISTS', KEYS[4], key)
  if content == 'null' then
    redis.call('HDEL', KEYS[4], key)
    redis.call('ZREM', KEYS[5], key)
    size = size - there
    return true
  end
  local only_if_absent = string.find('\t' .. header .. '\t', '\ti=1\t', 1, true)
  if there == 1 and only_if_absent or there == 0 and size >= keys then return false end
  redis.call('HSET', KEYS[4], key, seq + 1 .. ' ' .. origin .. '\n' .. body)
  redis.call('ZADD', KEYS[5], seq + 1, key)
  size = size + 1 - there
  return true
end
local out = {'ok', epoch}
for k = 11, #ARGV do
  local n = first + k - 11
  local origin = ARGV[3] .. ' ' .. n
  if n <= own then
    out[#out + 1] = 0
  elseif keys > 0 and not keep(origin, ARGV[k]) then
    out[#out + 1] = -1
  else
    seq = seq + 1
    local entry = {'XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], seq .. '-0', 'o', origin, 'd', ARGV[k]}
    -- A log that does not fit the numbers is somebody else's, or what an eviction left.
    if redis.pcall(unpack(entry)).err then
      redis.call('DEL', KEYS[2])
      redis.call(unpack(entry))
    end
    redis.call('PUBLISH', ARGV[9],
      '1\tM\t' .. seq .. '\t' .. epoch .. '\t' .. ARGV[3] .. '\t' .. n .. '\n' .. ARGV[k])
    out[#out + 1] = seq
  end
end
if keys > 0 then redis.call('HSET', KEYS[1], 's', seq, 'k', size) end
redis.call('PEXPIRE', KEYS[1], ARGV[7])
redis.call('PEXPIRE', KEYS[2], ARGV[8])
redis.call('PEXPIRE', KEYS[4], ARGV[7])
redis.call('PEXPIRE', KEYS[5], ARGV[7])
return out
