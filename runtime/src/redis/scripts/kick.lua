-- KICK: puts out all claims of a user. Behind claims.lua.
--
-- ARGV    2 what the names of inboxes begin with, 3 user, 4 reason, 5 ms that the kick is remembered
-- Result  {now in us, {{registration, its claims, receivers}…}}, the one with the oldest claim first
-- Publishes to the inbox of each of them.
--
-- Guarantees: no claim of before stays, nor does a LOGIN bring one back, that of a node in an outage
-- either, as long as the table lives: a node that the others took for dead has no claim here.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for _, claim in ipairs(claims) do redis.call('HDEL', KEYS[1], claim.field) end
-- Where nothing was deleted, a server that is out of memory refuses to note it: then nobody was kicked.
if not known and not redis.pcall('SET', KEYS[1], '').err then
  own_table()
  known = true
end
-- The clock of a server that took over may be behind.
local stamp = math.max(now, kicked, #claims > 0 and claims[#claims].stamp or 0)
if known and type(redis.pcall('HSET', KEYS[1], 'k', string.format('%.0f', stamp))) == 'number' then
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
return {now, close(claims, ARGV[2], ARGV[4], ARGV[3])}
