-- PRESENCE: changes the list of users of a room and publishes what changed. Behind room.lua.
--
-- ARGV    5 registration, 6 ms that the numbers live, 7 ms that the list lives, 8 the room's channel,
--         9… '+user' or '-user'
-- Result  {'ok', epoch, version, how many users that changed}
--         {'stale', epoch, seq, own}
-- Publishes '1 P version epoch registration ⏎ changes, one a line', if there are any.
--
-- Guarantees: each version is published once, and tells exactly what it changed; a repeat is no change.
redis.call('HSET', KEYS[1], 'o:' .. ARGV[3], ARGV[4] .. ' ' .. own)
if type(redis.pcall('HLEN', KEYS[3])) == 'table' then redis.call('DEL', KEYS[3]) end
local changes = {}
for k = 9, #ARGV do
  local field = ARGV[5] .. '\t' .. string.sub(ARGV[k], 2)
  local changed
  if string.sub(ARGV[k], 1, 1) == '+' then
    changed = redis.call('HSETNX', KEYS[3], field, version + 1)
  else
    changed = redis.call('HDEL', KEYS[3], field)
  end
  if changed == 1 then changes[#changes + 1] = ARGV[k] end
end
if #changes > 0 then
  version = redis.call('HINCRBY', KEYS[1], 'v', 1)
  redis.call('PUBLISH', ARGV[8],
    '1\tP\t' .. version .. '\t' .. epoch .. '\t' .. ARGV[5] .. '\n' .. table.concat(changes, '\n'))
end
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[3], ARGV[7])
return {'ok', epoch, version, #changes}
