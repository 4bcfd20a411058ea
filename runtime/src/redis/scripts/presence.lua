-- PRESENCE: changes the list of users of a room and publishes what changed. Behind room.lua.
--
-- ARGV    5 registration, 6 ms that the numbers live, 7 ms that the list lives, 8 the room's channel,
--         9… '+user', '+user TAB info' or '-user'
-- Result  {'ok', epoch, version, how many users that changed}
--         {'stale', epoch, seq, own}
-- Publishes '1 P version epoch registration[ info of each line] ⏎ changes, one a line', if there are any:
--         '+user' and '-user'. An info is JSON in one line, empty for none; there are none where all are.
--
-- Guarantees: each version is published once, and tells exactly what it changed; a repeat is no change.
redis.call('HSET', KEYS[1], 'o:' .. ARGV[3], ARGV[4] .. ' ' .. own)
if type(redis.pcall('HLEN', KEYS[3])) == 'table' then redis.call('DEL', KEYS[3]) end
local changes, infos, has_info = {}, {}, false
for k = 9, #ARGV do
  local sign, user, info = string.match(ARGV[k], '^([+-])([^\t]*)\t?(.*)$')
  local field = ARGV[5] .. '\t' .. user
  local changed
  if sign == '+' then
    local there = redis.call('HMGET', KEYS[3], field)[1]
    changed = not there or string.match(there, '^%d+ ?(.*)$') ~= info
    if changed then
      redis.call('HSET', KEYS[3], field, version + 1 .. (info ~= '' and ' ' .. info or ''))
    end
  else
    changed = redis.call('HDEL', KEYS[3], field) == 1
  end
  if changed then
    changes[#changes + 1] = sign .. user
    infos[#infos + 1] = info
    has_info = has_info or info ~= ''
  end
end
if #changes > 0 then
  version = redis.call('HINCRBY', KEYS[1], 'v', 1)
  local header = '1\tP\t' .. version .. '\t' .. epoch .. '\t' .. ARGV[5]
  if has_info then header = header .. '\t' .. table.concat(infos, '\t') end
  redis.call('PUBLISH', ARGV[8], header .. '\n' .. table.concat(changes, '\n'))
end
for _, key in ipairs({KEYS[1], KEYS[4], KEYS[5]}) do redis.call('PEXPIRE', key, ARGV[6]) end
redis.call('PEXPIRE', KEYS[3], ARGV[7])
return {'ok', epoch, version, #changes}
