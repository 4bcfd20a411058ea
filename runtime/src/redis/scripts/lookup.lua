-- LOOKUP: reads the claims of a user and keeps them from expiring. Behind claims.lua.
--
-- ARGV    2 ms that the table lives
-- Result  {{registration, connection, stamp}…}, oldest first; nil where there is nothing of this
--         incarnation
if not known then return false end
if #claims > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
local out = {}
for k, claim in ipairs(claims) do out[k] = {claim.registration, claim.connection, claim.stamp} end
return out
