-- The head of the scripts about a user's claims: login, logout, kick, lookup, direct.
--
-- KEYS  1 claims (hash): 'i' incarnation, 'c:<registration>/<connection>' = us when claimed,
--       's:<node>' = the node's session, 'k' = us when last kicked
-- ARGV  1 incarnation
--
-- A table that is missing, of another incarnation or not understood counts as empty: nodes claim their
-- users again when they find the data changed.
local function number(text)
  if not text or #text > 17 or not string.match(text, '^%d+$') then return nil end
  return tonumber(text)
end

local function node_of(registration) return string.match(registration, '^(.*)%.%d+$') or registration end

local fields = redis.pcall('HGETALL', KEYS[1])
local claims, sessions, kicked, known = {}, {}, 0, false
if not fields.err then
  for k = 1, #fields, 2 do
    local field, value = fields[k], fields[k + 1]
    local kind, registration, connection = string.match(field, '^(c):(.*)/([^/]*)$')
    if field == 'i' then
      known = value == ARGV[1]
    elseif field == 'k' then
      kicked = number(value) or 0
    elseif kind then
      claims[#claims + 1] =
        {field = field, registration = registration, connection = connection, stamp = number(value) or 0}
    elseif string.sub(field, 1, 2) == 's:' then
      sessions[string.sub(field, 3)] = number(value)
    end
  end
end
if not known then claims, sessions, kicked = {}, {}, 0 end
-- No two claims of a user have one stamp, so this order is total.
table.sort(claims, function(a, b) return a.stamp < b.stamp end)

-- Makes the table one of this incarnation. First command: see room.lua.
local function own_table()
  if known then return end
  redis.call('SET', KEYS[1], '')
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'i', ARGV[1])
end

-- Tells each registration which of its connections are to be closed; returns how many received that.
-- Publishes '1 X registration reason user ⏎ connection ⏎ …'.
local function close(list, inboxes, reason, user)
  local connections, order, out = {}, {}, {}
  for _, claim in ipairs(list) do
    local r = claim.registration
    if not connections[r] then
      connections[r] = {}
      order[#order + 1] = r
    end
    table.insert(connections[r], claim.connection)
  end
  for _, r in ipairs(order) do
    local payload = '1\tX\t' .. r .. '\t' .. reason .. '\t' .. user .. '\n' .. table.concat(connections[r], '\n')
    out[#out + 1] = {r, #connections[r], redis.call('PUBLISH', inboxes .. node_of(r), payload)}
  end
  return out
end
