-- SYNC: notes a new session of the node and reads what it missed. Behind room.lua.
--
-- ARGV    5 the epoch that the node knows ('' if none), 6 the last number that it knows, 7 most entries,
--         8 ms that the numbers live, 9 the node's own number up to which it sends nothing again
-- Result  {'ok', epoch, seq, own, version, entries}   entries: {id, {'o', 'node own', 'd', body}}… after
--                                                     that number, none if the epoch is another
--         {'stale', epoch, seq, own}
--
-- Guarantees: whatever an earlier session of the node left behind is refused from here on; entries and
-- seq are of one moment, so what was published later has numbers above seq; the node's next number is in
-- order, whatever this epoch knew of the node.
own = math.max(own, tonumber(ARGV[9]))
redis.call('HSET', KEYS[1], 'o:' .. ARGV[3], ARGV[4] .. ' ' .. own)
for _, key in ipairs({KEYS[1], KEYS[4], KEYS[5]}) do redis.call('PEXPIRE', key, ARGV[8]) end
local entries = {}
if epoch == ARGV[5] and tonumber(ARGV[7]) > 0 then
  entries = redis.pcall('XRANGE', KEYS[2], string.format('%.0f-0', tonumber(ARGV[6]) + 1), '+', 'COUNT', ARGV[7])
  if entries.err then entries = {} end
end
return {'ok', epoch, seq, own, version, entries}
