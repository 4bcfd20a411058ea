-- KICK: puts out all claims of a user. Behind claims.lua.
--
-- ARGV    2 what the names of inboxes begin with, 3 user, 4 reason
-- Result  {{registration, its claims, receivers}…}, the one with the oldest claim first
-- Publishes to the inbox of each of them.
--
-- Guarantees: no claim of before stays. A node that the message does not reach finds its claims gone.
for _, claim in ipairs(claims) do redis.call('HDEL', KEYS[1], claim.field) end
return close(claims, ARGV[2], ARGV[4], ARGV[3])
