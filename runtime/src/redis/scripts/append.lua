-- APPEND: numbers messages of one node, keeps them and publishes them. Behind room.lua.
--
-- ARGV    5 the node's own number of the first body, 6 messages to keep, 7 ms that the numbers live,
--         8 ms that the log lives, 9 the room's channel, 10… bodies
-- Result  {'ok', epoch, number or 0 for each body}   0: it had been applied before
--         {'order', epoch, seq, own}                 one before the first is missing: nothing is applied
--         {'stale', epoch, seq, own}                 the node has a newer connection: nothing is applied
-- Publishes '1 M seq epoch node own ⏎ body' for each message, in the order of the numbers.
--
-- Guarantees: numbers of an epoch are 1, 2, 3… without a hole; text and number of a message are bound
-- once; each own number of a node is applied at most once while the data live.
local first = tonumber(ARGV[5])
if own >= 0 and first > own + 1 then return {'order', epoch, seq, own} end
local last = math.max(own, first + #ARGV - 10)
local count = last - math.max(own, first - 1)
redis.call('HSET', KEYS[1], 's', seq + count, 'o:' .. ARGV[3], ARGV[4] .. ' ' .. last)
local out = {'ok', epoch}
for k = 10, #ARGV do
  local n = first + k - 10
  if n <= own then
    out[#out + 1] = 0
  else
    seq = seq + 1
    local origin = ARGV[3] .. ' ' .. n
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
redis.call('PEXPIRE', KEYS[1], ARGV[7])
redis.call('PEXPIRE', KEYS[2], ARGV[8])
return out
