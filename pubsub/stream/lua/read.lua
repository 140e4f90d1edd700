-- read.lua reads the entries after an offset.
--
-- ARGV: fresh epoch, after, at most so many entries, at most so many bytes but
--       at least one entry, meta's ttl (ms)
-- returns epoch, last offset, offset of the oldest entry, then for each entry:
--       offset, dedupe token, payload
local after, limit, bytes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if not epoch then
  begin(ARGV[1])
  store(ARGV[5])
end
expire()

local answer = { epoch, digits(last), digits(first()) }
return range(answer, after, limit, bytes)
