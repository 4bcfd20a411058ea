-- SEATS: sets how many seats of a room a node uses, within what the others leave.
--
-- KEYS    1 seats (hash): registration = '<session> <seats> <us when last confirmed>'
-- ARGV    1 registration, 2 session, 3 seats held, 4 seats wanted, 5 seats in all, 6 us after which seats
--         are free that were not confirmed, 7 ms that the table lives, 8… dead registrations
-- Result  {'ok', granted, seats of the others, now in us}; {'stale'}
--
-- Guarantees: granted is between held and wanted, and the sum over all nodes is not more than in all,
-- unless that is held already. The number is absolute, so a repeat changes nothing.
local rows = redis.pcall('HGETALL', KEYS[1])
if rows.err then
  redis.call('SET', KEYS[1], '')
  redis.call('DEL', KEYS[1])
  rows = {}
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local dead, drop, others = {}, {}, 0
local function row(session, seats) return session .. ' ' .. seats .. ' ' .. string.format('%.0f', now) end
for k = 8, #ARGV do dead[ARGV[k]] = true end
for k = 1, #rows, 2 do
  local session, seats, at = string.match(rows[k + 1], '^(%d+) (%d+) (%d+)$')
  if rows[k] == ARGV[1] then
    if session and tonumber(session) > tonumber(ARGV[2]) then return {'stale'} end
  elseif not session or dead[rows[k]] or now - at > tonumber(ARGV[6]) then
    drop[#drop + 1] = rows[k]
  else
    others = others + tonumber(seats)
    -- The clock was set back: from now on this has to be confirmed.
    if tonumber(at) > now then redis.call('HSET', KEYS[1], rows[k], row(session, seats)) end
  end
end
local granted = math.max(tonumber(ARGV[3]), math.min(tonumber(ARGV[4]), tonumber(ARGV[5]) - others))
redis.call('HSET', KEYS[1], ARGV[1], row(ARGV[2], granted))
for k = 1, #drop do redis.call('HDEL', KEYS[1], drop[k]) end
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return {'ok', granted, others, now}
