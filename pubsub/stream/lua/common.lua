-- common.lua begins every script. KEYS[1] is the log's meta hash, KEYS[2] its
-- stream of entries. Offsets are exact up to 2^53, which is why they are never
-- left to tostring.
--
-- meta: e epoch · o last offset · t when the oldest entry came, or earlier (ms)
--       l how long entries are kept (ms) · hl, hh first and last offset that
--       were skipped because a failover had lost them · q:LANE last place of
--       a lane
-- entry OFFSET-0: m payload · d dedupe token or "-" · t when it came (ms)
local function digits(n) return string.format('%.0f', n) end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local meta = redis.call('HMGET', KEYS[1], 'e', 'o', 't', 'l', 'hl', 'hh')
local epoch, last = meta[1], tonumber(meta[2] or '0')
local oldest, keep = tonumber(meta[3] or '0'), tonumber(meta[4] or '0')
local holeFrom, holeTo = tonumber(meta[5] or '0'), tonumber(meta[6] or '0')

-- begin gives a log that Redis does not know its first epoch.
local function begin(fresh)
  redis.call('DEL', KEYS[2])
  epoch, last, oldest, holeFrom, holeTo = fresh, 0, 0, 0, 0
end

-- store writes what was changed, and keeps meta for as long as it says.
local function store(metaTTL)
  redis.call('HSET', KEYS[1], 'e', epoch, 'o', digits(last), 't', digits(oldest),
    'l', digits(keep), 'hl', digits(holeFrom), 'hh', digits(holeTo))
  redis.call('PEXPIRE', KEYS[1], metaTTL)
end

-- number returns the offset in the id of an entry.
local function number(entry) return tonumber(string.match(entry[1], '^%d+')) end

-- field returns a field of an entry, nil if it has none.
local function field(entry, name)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == name then return entry[2][i + 1] end
  end
end

-- expire drops entries that are older than keep. It reads no entry while the
-- oldest is known to be younger.
local function expire()
  if keep == 0 or oldest > now - keep then return end
  local count = 1
  while true do
    local head = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', count)
    if #head == 0 then
      oldest = now
      break
    end
    local drop
    for _, entry in ipairs(head) do
      local came = tonumber(field(entry, 't') or '0')
      if came > now - keep then
        oldest = came
        break
      end
      drop = number(entry)
    end
    if not drop then break end
    redis.call('XTRIM', KEYS[2], 'MINID', digits(drop + 1) .. '-0')
    count = 32
  end
  redis.call('HSET', KEYS[1], 't', digits(oldest))
end

-- add puts an entry at the end of the stream.
local function add(offset, token, payload, came)
  redis.call('XADD', KEYS[2], digits(offset) .. '-0', 'm', payload, 'd', token, 't', digits(came))
  if oldest == 0 then oldest = came end
end

-- first returns the offset of the oldest entry, that of the next message when
-- there is none.
local function first()
  local head = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)
  if #head == 0 then return last + 1 end
  return number(head[1])
end
