-- DIRECT: publishes to the inbox of each other node that holds a claim of a user. Behind claims.lua.
--
-- ARGV    2 what the names of inboxes begin with, 3 the node that asks, 4 payload, 5… dead registrations
-- Result  {{node, its claims, receivers}…}, the one with the oldest claim first
--
-- Guarantees: each node is told once, whatever it claims. Changes nothing.
local dead, order, count = {}, {}, {}
for k = 5, #ARGV do dead[ARGV[k]] = true end
for _, claim in ipairs(claims) do
  local node = node_of(claim.registration)
  if node ~= ARGV[3] and not dead[claim.registration] then
    if not count[node] then order[#order + 1] = node end
    count[node] = (count[node] or 0) + 1
  end
end
local out = {}
for k, node in ipairs(order) do
  out[k] = {node, count[node], redis.call('PUBLISH', ARGV[2] .. node, ARGV[4])}
end
return out
