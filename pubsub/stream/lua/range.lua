
-- range appends to answer the entries after an offset, by chunks so that no
-- more is read than asked for.
local function range(answer, after, limit, bytes)
  local count, size = 0, 0
  while count < limit do
    local chunk = redis.call('XRANGE', KEYS[2], digits(after + 1) .. '-0', '+', 'COUNT', math.min(16, limit - count))
    for _, entry in ipairs(chunk) do
      local payload = field(entry, 'm') or ''
      size = size + #payload
      if size > bytes and count > 0 then return answer end
      after, count = number(entry), count + 1
      answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = digits(after), field(entry, 'd') or '-', payload
    end
    if #chunk == 0 then break end
  end
  return answer
end

