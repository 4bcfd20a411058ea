-- LOGIN: claims a user for a connection and puts out the claims over the limit. Behind claims.lua.
--
-- ARGV    2 node, 3 its session, 4 registration, 5 connection, 6 us when claimed ('' for now), 7 most
--         claims (0: no limit), 8 'newest' or 'oldest': which ones stay, 9 ms that the table lives,
--         10 what the names of inboxes begin with, 11 user, 12 reason, 13 us when the connection
--         logged in ('' for 6), 14… dead registrations
-- Result  {'ok', stamp, now in us, {{registration, connection, stamp}…}}   put out, oldest first; the
--                                                                        claim itself may be among them,
--                                                                        and is if it logged in before a KICK
--         {'stale'}
-- Publishes to the inbox of each node that lost some, but not about the claim itself.
--
-- Guarantees: never more claims than the limit; of two logins at once exactly one stays at a limit of 1;
-- a claim that exists keeps its stamp, so a repeat changes nothing.
local node, session, field = ARGV[2], tonumber(ARGV[3]), 'c:' .. ARGV[4] .. '/' .. ARGV[5]
if (sessions[node] or 0) > session then return {'stale'} end
own_table()
redis.call('HSET', KEYS[1], 's:' .. node, ARGV[3])

local dead, kept, own, taken = {}, {}, nil, {}
for k = 14, #ARGV do dead[ARGV[k]] = true end
for _, claim in ipairs(claims) do
  if dead[claim.registration] then
    redis.call('HDEL', KEYS[1], claim.field)
  else
    kept[#kept + 1] = claim
    taken[claim.stamp] = true
    if claim.field == field then own = claim end
  end
end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if not own then
  local stamp = tonumber(ARGV[6])
  local since = tonumber(ARGV[13]) or stamp
  if since and since <= kicked then
    redis.call('PEXPIRE', KEYS[1], ARGV[9])
    return {'ok', since, now, {{ARGV[4], ARGV[5], since}}}
  end
  if not stamp then
    stamp = now
    -- The clock of a server that took over may be behind.
    stamp = math.max(stamp, kicked + 1)
    if #kept > 0 then stamp = math.max(stamp, kept[#kept].stamp + 1) end
  end
  while taken[stamp] do stamp = stamp + 1 end
  own = {field = field, registration = ARGV[4], connection = ARGV[5], stamp = stamp}
  kept[#kept + 1] = own
  table.sort(kept, function(a, b) return a.stamp < b.stamp end)
  redis.call('HSET', KEYS[1], field, string.format('%.0f', stamp))
end

local most, out, told = tonumber(ARGV[7]), {}, {}
if most > 0 then
  local from, to = 1, #kept - most
  if ARGV[8] == 'oldest' then from, to = most + 1, #kept end
  for k = from, to do
    local claim = kept[k]
    redis.call('HDEL', KEYS[1], claim.field)
    out[#out + 1] = {claim.registration, claim.connection, claim.stamp}
    if claim ~= own then told[#told + 1] = claim end
  end
end
close(told, ARGV[10], ARGV[12], ARGV[11])
redis.call('PEXPIRE', KEYS[1], ARGV[9])
return {'ok', own.stamp, now, out}
