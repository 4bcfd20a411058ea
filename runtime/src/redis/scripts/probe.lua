-- PROBE: tells which commands of the other scripts the user of this connection may not call.
--
-- KEYS    1 a key that nothing else uses
-- ARGV    1 a channel that nobody reads
-- Result  the names of the commands that access rules refuse; none where all is well
--
-- Other errors, such as a lack of memory, are no answer to this question and are left to the commands that
-- meet them. The key is gone afterwards, at the latest when it expires.
local refused = {}
local function try(...)
  local answer = redis.pcall(...)
  local problem = type(answer) == 'table' and answer.err
  -- Redis 6.2 and 7.0 say the latter.
  if problem and (string.find(problem, 'NOPERM') or string.find(problem, 'The user executing the script can')) then
    refused[#refused + 1] = (...)
  end
end
local key = KEYS[1]
try('TIME')
try('SET', key, '1', 'PX', '1000')
try('EXISTS', key)
try('DEL', key)
try('HSET', key, 'a', '1')
try('PEXPIRE', key, '1000')
try('HINCRBY', key, 'a', '1')
try('HMGET', key, 'a', 'b')
try('HLEN', key)
try('HEXISTS', key, 'a')
try('HGETALL', key)
try('HDEL', key, 'a', 'b')
try('DEL', key)
try('ZADD', key, '1', 'a')
try('ZCARD', key)
try('ZRANGEBYSCORE', key, '0', '1')
try('ZREM', key, 'a')
try('XADD', key, '1-0', 'a', '1')
try('XRANGE', key, '-', '+')
try('DEL', key)
try('PUBLISH', ARGV[1], '')
return refused
