-- open.lua reads what a device has not acknowledged yet, or a later part of it.
--
-- KEYS: meta, entries, devices
-- ARGV: fresh epoch, device, at most so many entries, at most so many bytes
--       but at least one entry, meta's ttl (ms), epoch and offset to read after
--       in place of what the device has acknowledged, if it is this epoch
-- returns epoch, last offset, offset of the oldest entry, offset that the
--       device has acknowledged, number of entries after it, then as read.lua
if not epoch then
  begin(ARGV[1])
  store(ARGV[5])
end
expire()

local acked = 0
local e, o = string.match(redis.call('HGET', KEYS[3], ARGV[2]) or '', '^(%S+) (%d+)$')
if e == epoch then acked = math.min(tonumber(o), last) end
local oldestKept = first()
local unread = 0
if last >= oldestKept then
  unread = math.min(redis.call('XLEN', KEYS[2]), last - acked)
end
local answer = { epoch, digits(last), digits(oldestKept), digits(acked), digits(unread) }
local after = acked
if ARGV[6] == epoch then after = tonumber(ARGV[7]) end
return range(answer, after, tonumber(ARGV[3]), tonumber(ARGV[4]))
