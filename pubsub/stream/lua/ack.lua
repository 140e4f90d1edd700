-- ack.lua notes that a device has everything up to an offset. Positions only
-- move forward within an epoch. A user has at most so many devices: the one
-- that is furthest behind is forgotten for a new one.
--
-- KEYS: meta, entries, devices
-- ARGV: device, offset, at most so many devices, meta's ttl (ms)
-- returns epoch, last offset, offset acknowledged now
if not epoch then return { '', '0', '0' } end
local function position(value)
  local e, o = string.match(value or '', '^(%S+) (%d+)$')
  if e == epoch then return tonumber(o) end
  return -1
end

local before = redis.call('HGET', KEYS[3], ARGV[1])
local acked = math.max(position(before), math.min(tonumber(ARGV[2]), last))
if not before and redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[3]) then
  local all, behind, least = redis.call('HGETALL', KEYS[3]), nil, nil
  for i = 1, #all, 2 do
    local at = position(all[i + 1])
    if not least or at < least then behind, least = all[i], at end
  end
  redis.call('HDEL', KEYS[3], behind)
end
redis.call('HSET', KEYS[3], ARGV[1], epoch .. ' ' .. digits(acked))
redis.call('PEXPIRE', KEYS[3], ARGV[4])
return { epoch, digits(last), digits(acked) }
