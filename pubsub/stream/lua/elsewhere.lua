-- elsewhere is for scripts that are meant for one server: at one with another
-- replication history than meant it returns the error SETTLING, which names the
-- server's own. "" is meant for any, and one that does not say its own takes all.
local function elsewhere(meant)
  if meant == '' then return nil end
  local info = redis.pcall('INFO', 'replication')
  local own = type(info) == 'string' and string.match(info, 'master_replid:(%w+)')
  return own and own ~= meant and redis.error_reply('SETTLING ' .. own) or nil
end
