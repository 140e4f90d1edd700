package presence

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/redis/go-redis/v9"
)

// compareScript brings the fields of one life up to date, and publishes what
// others should be told. It returns these edges.
//
// KEYS the users' hashes; ARGV life, prefix, what begins the edges' ids, "1" to
// tell nobody, and for each user: id, "1" if it is here, name, its rooms as a JSON
// array or "" for none, "1" if it may have been compared before and the answer been
// lost: then who watches it is told how things are though nothing has changed.
var compareScript = redis.NewScript(`
local life, prefix, base, quiet = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local edges = {}

-- A field is ROOMS\nLEFT\nNAME; neither list has a line feed in it.
local function parse(value)
  local a = string.find(value, '\n', 1, true)
  local b = string.find(value, '\n', a + 1, true)
  return string.sub(value, 1, a - 1), string.sub(value, a + 1, b - 1), string.sub(value, b + 1)
end

-- add appends to list what of text, a JSON array, is not in it, as set says.
local function add(list, set, text)
  if text == '' then return end
  for _, room in ipairs(cjson.decode(text)) do
    if not set[room] then
      set[room] = true
      list[#list + 1] = room
    end
  end
end

local function tell(id, user, name, online, watched, rooms, except)
  local edge = {i = id, u = user, n = name, o = online, w = watched}
  if #rooms > 0 then edge.r = rooms end
  if except and #except > 0 then edge.x = except end
  local text = cjson.encode(edge)
  edges[#edges + 1] = text
  if watched then redis.call('PUBLISH', prefix .. 'status:' .. user, text) end
  for _, room in ipairs(rooms) do
    redis.call('PUBLISH', prefix .. 'here:' .. room, text)
  end
end

local function gone(key, id, user, old)
  redis.call('HDEL', key, life)
  local rooms, left, name = parse(old)
  local list = {}
  if rooms ~= '' or left ~= '' then
    local set = {}
    add(list, set, rooms)
    add(list, set, left)
  end
  local others = redis.call('HKEYS', key)
  if #others == 0 then
    if not quiet then tell(id, user, name, false, true, list) end
  elseif #list > 0 then
    -- It is still online. Whoever sees it go has to tell these rooms too.
    local rooms, left, name = parse(redis.call('HGET', key, others[1]))
    local all, set = {}, {}
    add(all, set, left)
    for _, room in ipairs(list) do
      if not set[room] and #all < 200 then all[#all + 1] = room end
    end
    redis.call('HSET', key, others[1], rooms .. '\n' .. cjson.encode(all) .. '\n' .. name)
  end
end

local function here(key, id, user, name, rooms, old, unsure)
  local was, left = '', ''
  if old then was, left = parse(old) end
  local value = rooms .. '\n' .. left .. '\n' .. name
  if old == value then
    local list = {}
    add(list, {}, rooms)
    if unsure and not quiet then tell(id, user, name, true, true, list) end
    return
  end
  local first = not old and redis.call('EXISTS', key) == 0
  local known, set = {}, {}
  if not first and not quiet and rooms ~= '' and rooms ~= was then
    for _, field in ipairs(redis.call('HVALS', key)) do
      local r, l = parse(field)
      add(known, set, r)
      add(known, set, l)
    end
  end
  redis.call('HSET', key, life, value)
  if quiet then return end
  if first then
    local list = {}
    add(list, {}, rooms)
    tell(id, user, name, true, true, list)
  elseif rooms ~= '' and rooms ~= was then
    local entered = {}
    add(entered, set, rooms)
    if #entered > 0 then tell(id, user, name, true, false, entered, known) end
  end
end

for i, key in ipairs(KEYS) do
  local at = 5 * i
  local old = redis.call('HGET', key, life)
  local id = base .. '.' .. i
  local unsure = ARGV[at + 4] == '1'
  if ARGV[at + 1] == '1' then
    here(key, id, ARGV[at], ARGV[at + 2], ARGV[at + 3], old, unsure)
  elseif old then
    gone(key, id, ARGV[at], old)
  elseif unsure and not quiet and redis.call('EXISTS', key) == 0 then
    tell(id, ARGV[at], ARGV[at + 2] ~= '' and ARGV[at + 2] or ARGV[at], false, true, {})
  end
end
return edges
`)

// roomsText is how rooms stand in a field: the same ones always alike.
func roomsText(rooms []string) string {
	if len(rooms) == 0 {
		return ""
	}
	slices.Sort(rooms)
	text, err := json.Marshal(slices.Compact(rooms))
	if err != nil { // strings always marshal
		panic(err)
	}
	return string(text)
}

// call is one call of a script.
type call struct {
	keys []string
	args []any
}

// runAll calls a script for each of calls, in one round trip unless a server
// does not know the script yet.
func runAll(ctx context.Context, client redis.UniversalClient, script *redis.Script, calls []call) []*redis.Cmd {
	results := make([]*redis.Cmd, len(calls))
	pipe := client.Pipeline()
	for i, c := range calls {
		results[i] = pipe.EvalSha(ctx, script.Hash(), c.keys, c.args...)
	}
	_, _ = pipe.Exec(ctx) // each result has its own error
	again := client.Pipeline()
	for i, c := range calls {
		if redis.HasErrorPrefix(results[i].Err(), "NOSCRIPT") {
			results[i] = script.Eval(ctx, again, c.keys, c.args...)
		}
	}
	if again.Len() > 0 {
		_, _ = again.Exec(ctx)
	}
	return results
}
