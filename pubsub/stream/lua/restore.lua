-- restore.lua puts back what a failover, or a Redis that came up empty, lost.
--
-- KEYS: meta, entries, live channel, then a dedupe key for each entry that has
--       a dedupe token
-- ARGV: fresh epoch, size, ttl (ms), meta's ttl (ms), PUBLISH or SPUBLISH,
--       window for dedupe keys (ms), epoch and last offset that the caller
--       knows, then for each entry, in order: offset, dedupe token, payload
-- returns epoch, last offset, "1" when the caller's history is not this one
local size, ttl, metaTTL, publish, window = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local known, reached = ARGV[7], tonumber(ARGV[8])

local function announce()
  redis.call(publish, KEYS[3], digits(last) .. ' ' .. epoch .. ' - ')
end

if epoch and epoch ~= known then return { epoch, digits(last), '1' } end
local changed = not epoch
if changed then begin(known) end

-- What is there, from the first entry of the caller on. There is no more of it
-- than the log keeps.
local there, kept = {}, redis.call('XRANGE', KEYS[2], '-', '+')
for _, entry in ipairs(kept) do there[number(entry)] = field(entry, 'm') end

local lost, seen = {}, 3
for i = 9, #ARGV, 3 do
  local offset, token, payload = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2]
  if token ~= '-' then seen = seen + 1 end
  if there[offset] and there[offset] ~= payload then
    -- Somebody else has the offset: this history and the caller's went apart.
    epoch = ARGV[1]
    holeFrom, holeTo = 0, 0
    store(metaTTL)
    announce()
    return { epoch, digits(last), '1' }
  end
  local hole = offset >= holeFrom and offset <= holeTo
  if not there[offset] and (offset > last or hole) and offset <= reached then
    lost[#lost + 1] = { offset, token, payload, token ~= '-' and KEYS[seen] or nil }
  end
end

if #lost > 0 then
  -- Streams only grow at the end, so what is kept is written again in order.
  redis.call('DEL', KEYS[2])
  oldest = 0
  local k = 1
  for _, entry in ipairs(kept) do
    local offset = number(entry)
    while lost[k] and lost[k][1] < offset do
      add(lost[k][1], lost[k][2], lost[k][3], now)
      k = k + 1
    end
    add(offset, field(entry, 'd') or '-', field(entry, 'm') or '', tonumber(field(entry, 't') or '0'))
  end
  for j = k, #lost do add(lost[j][1], lost[j][2], lost[j][3], now) end
  for _, entry in ipairs(lost) do
    if entry[4] then redis.call('SET', entry[4], epoch .. ' ' .. digits(entry[1]), 'PX', window) end
    last = math.max(last, entry[1])
  end
  redis.call('XTRIM', KEYS[2], 'MAXLEN', size)
  redis.call('PEXPIRE', KEYS[2], ttl)
  changed = true
end
if reached > last then
  if holeFrom == 0 then holeFrom = last + 1 end
  last, holeTo = reached, reached
  changed = true
end
if changed then
  keep = ttl
  store(metaTTL)
  announce()
end
return { epoch, digits(last), '0' }
