-- append.lua gives messages their offsets, keeps them, and publishes them.
--
-- KEYS: meta, entries, live channel, then a dedupe key for each message that
--       has a dedupe token
-- ARGV: fresh epoch, size, ttl (ms), meta's ttl (ms), PUBLISH or SPUBLISH,
--       the replication history of the server that this is meant for or "", then
--       for each message: dedupe token or "-", window (ms), epoch and offset
--       known to be taken, payload, lane or "-", place in it
-- returns for each message: epoch, offset, "1" when it is a duplicate, with the
--       last place of its lane when that is why; nothing is done at a server with
--       another history: the error SETTLING names that
local other = elsewhere(ARGV[6])
if other then return other end

local size, ttl, metaTTL, publish = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local answers, seen, added, moved = {}, 3, false, false

-- lanes holds the last place of each lane, "" for none; moved ones are written
-- at the end.
local lanes = {}
local function place(lane)
  if not lanes[lane] then lanes[lane] = redis.call('HGET', KEYS[1], 'q:' .. lane) or '' end
  return lanes[lane]
end

for i = 7, #ARGV, 7 do
  local token, window, known, taken, payload = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3]), ARGV[i + 4]
  local lane, order = ARGV[i + 5], ARGV[i + 6]
  local before = false
  if token ~= '-' then
    seen = seen + 1
    before = redis.call('GET', KEYS[seen])
  end
  if before then
    if lane ~= '-' and order > place(lane) then
      lanes[lane], moved = order, true
    end
    local e, o = string.match(before, '^(%S+) (%d+)$')
    answers[#answers + 1], answers[#answers + 2], answers[#answers + 3] = e, o, '1'
  elseif lane ~= '-' and order <= place(lane) then
    answers[#answers + 1], answers[#answers + 2], answers[#answers + 3] = epoch or '', digits(last), '1' .. place(lane)
  else
    if not epoch then begin(ARGV[1]) end
    if known == epoch and taken > last then
      if holeFrom == 0 then holeFrom = last + 1 end
      last, holeTo = taken, taken
    end
    last, keep, added = last + 1, ttl, true
    if lane ~= '-' then
      lanes[lane], moved = order, true
    end
    add(last, token, payload, now)
    local o = digits(last)
    if token ~= '-' then redis.call('SET', KEYS[seen], epoch .. ' ' .. o, 'PX', window) end
    redis.call(publish, KEYS[3], o .. ' ' .. epoch .. ' ' .. token .. ' ' .. payload)
    answers[#answers + 1], answers[#answers + 2], answers[#answers + 3] = epoch, o, '0'
  end
end

if added then
  redis.call('XTRIM', KEYS[2], 'MAXLEN', size)
  expire()
  redis.call('PEXPIRE', KEYS[2], ttl)
  store(metaTTL)
elseif epoch then
  -- A duplicate writes too: WAIT waits for what its own connection wrote.
  redis.call('PEXPIRE', KEYS[1], metaTTL)
end
if moved and epoch then
  for lane, at in pairs(lanes) do redis.call('HSET', KEYS[1], 'q:' .. lane, at) end
end
return answers
