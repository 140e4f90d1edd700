package presence

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Policy limits the devices of a user over all nodes. The zero Policy limits
// nothing.
type Policy struct {
	// Max is how many devices a user may have, 0 for any number. Connections
	// with the same device id are one device.
	Max int
	// ReplaceOldest ends the oldest device for one too many; else that is
	// refused.
	ReplaceOldest bool
	// Unique ends the earlier connection of a device when it makes another.
	Unique bool
}

// On reports whether anything is limited.
func (p Policy) On() bool { return p.Max > 0 || p.Unique }

// Validate reports a setting that is out of its range.
func (p Policy) Validate() error {
	if p.Max < 0 || p.Max > maxDevices {
		return fmt.Errorf("presence: %d devices: want 0 to %d", p.Max, maxDevices)
	}
	return nil
}

const (
	// maxDevices bounds Policy.Max: a script looks at all devices of a user.
	maxDevices = 1000
	// maxAdmissions may wait for Redis; beyond, devices are let in unasked.
	maxAdmissions = 8192
	// admitBatch is how many are asked for in one round trip.
	admitBatch = 128
	// admitTimeout is how long a new connection waits for Redis.
	admitTimeout = 2 * time.Second
	// maxKicks may be on their way at a time.
	maxKicks = 64
)

// Decision is what became of a new connection.
type Decision uint8

// Decisions.
const (
	Admitted Decision = iota
	// Refused: the user has as many devices as it may.
	Refused
	// Unasked: Redis could not be asked. The connection is let in, and the
	// limit enforced when Redis is back.
	Unasked
)

// Kick ends connections of a user at the node of a life, because they were
// replaced or, if refused is set, are more than the user may have. It may wait a
// moment for that node.
type Kick func(ctx context.Context, life, user string, clients []string, refused bool)

// OnKick says how connections at other nodes, and at this one, are ended. Called
// before Run.
func (p *Presence) OnKick(k Kick) { p.kick = k }

// admission is a connection that wants to be let in.
type admission struct {
	user   string
	device Device
	done   func(Decision)
}

// admitScript lets a connection in or refuses it, and returns "1" or "0", and the
// connections that have to go for it: CLIENT, LIFE, CLIENT, LIFE, ...
//
// KEYS[1] the user's devices; ARGV life, client, device, the most devices, "1" to
// replace the oldest, "1" for one connection a device, and the lives that are
// known to be dead.
//
// With "" for a client it lets nobody in, but enforces the limit among those
// that are there.
var admitScript = redis.NewScript(`
local key, life, client, device = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local most, replace, unique = tonumber(ARGV[4]), ARGV[5] == '1', ARGV[6] == '1'
local dead = {}
for i = 7, #ARGV do dead[ARGV[i]] = true end

-- Connections by device; a device's age is that of its first connection.
local devices, count = {}, 0
local all = redis.call('HGETALL', key)
for i = 1, #all, 2 do
  if all[i] ~= '#' then
    local seq, name, at = string.match(all[i + 1], '^(%d+) ([^\n]*)\n(.*)$')
    if dead[at] then
      redis.call('HDEL', key, all[i])
    elseif all[i] ~= client then
      local id = name == '' and ('\n' .. all[i]) or name
      local d = devices[id]
      if not d then
        d = {age = tonumber(seq), last = 0, connections = {}}
        devices[id] = d
        count = count + 1
      end
      d.age = math.min(d.age, tonumber(seq))
      d.last = math.max(d.last, tonumber(seq))
      d.connections[#d.connections + 1] = {client = all[i], life = at}
    end
  end
end

local out = {'1'}
local function remove(id)
  for _, c in ipairs(devices[id].connections) do
    redis.call('HDEL', key, c.client)
    out[#out + 1] = c.client
    out[#out + 1] = c.life
  end
  devices[id] = nil
  count = count - 1
end

local room = most
if client ~= '' then
  local id = device == '' and ('\n' .. client) or device
  if unique and device ~= '' and devices[id] then remove(id) end
  if devices[id] then room = most else room = most - 1 end
end
if most > 0 and count > room then
  if client ~= '' and not replace then return {'0'} end
  while count > room do
    local victim
    for id, d in pairs(devices) do
      if id ~= device and (not victim
        or replace and d.age < devices[victim].age
        or not replace and d.age > devices[victim].age) then
        victim = id
      end
    end
    if not victim then break end
    remove(victim)
  end
end
if client ~= '' then
  local seq = redis.call('HINCRBY', key, '#', 1)
  redis.call('HSET', key, client, seq .. ' ' .. device .. '\n' .. life)
elseif count == 0 then
  redis.call('DEL', key)
end
return out
`)

// reconcileScript removes the connections of one life from the user's devices that
// are not there any more, and adds some that are there. It returns how many it
// has added. Those that Redis is being asked about are left alone. Whoever is
// there and not in the hash has been replaced, as a rule, and will go.
//
// KEYS[1] the user's devices; ARGV life, how many are being asked about, these, and
// CLIENT, DEVICE, "1" to add it, ... that are there.
var reconcileScript = redis.NewScript(`
local key, life, asked = KEYS[1], ARGV[1], tonumber(ARGV[2])
local keep, there, add = {}, {}, {}
for i = 3, 2 + asked do keep[ARGV[i]] = true end
for i = 3 + asked, #ARGV, 3 do
  there[ARGV[i]] = true
  if ARGV[i + 2] == '1' then add[#add + 1] = i end
end
local all = redis.call('HGETALL', key)
local left = 0
for i = 1, #all, 2 do
  local client, value = all[i], all[i + 1]
  if client ~= '#' then
    left = left + 1
    local at = string.match(value, '\n(.*)$')
    if there[client] then
      if at ~= life then -- it was this node's in a former life
        redis.call('HSET', key, client, string.match(value, '^[^\n]*\n') .. life)
      end
      keep[client] = true
    elseif at == life and not keep[client] then
      redis.call('HDEL', key, client)
      left = left - 1
    end
  end
end
local added = 0
for _, i in ipairs(add) do
  if not keep[ARGV[i]] then
    local seq = redis.call('HINCRBY', key, '#', 1)
    redis.call('HSET', key, ARGV[i], seq .. ' ' .. ARGV[i + 1] .. '\n' .. life)
    added = added + 1
  end
end
if left + added == 0 then redis.call('DEL', key) end
return added
`)

// Admit asks whether a new connection may stay, and calls done with the answer on
// another goroutine, or at once when Redis has too much to do. Its ids have no
// line feeds. Unless it was refused, the caller makes the connection one of
// Node.Devices and then calls Settled; also when it has ended meanwhile. Admit
// never waits; done must not either.
func (p *Presence) Admit(user string, d Device, done func(Decision)) {
	p.mu.Lock()
	p.pending[user] = append(p.pending[user], d.ClientID)
	p.mu.Unlock()
	a := admission{user, d, done}
	select {
	case p.admissions <- a:
	default:
		p.decide(a, Unasked)
	}
}

// Settled says that a connection that was let in is one of Node.Devices now, or
// has ended. It never waits.
func (p *Presence) Settled(user, clientID string) {
	p.mu.Lock()
	left := slices.DeleteFunc(p.pending[user], func(c string) bool { return c == clientID })
	if p.pending[user] = left; len(left) == 0 {
		delete(p.pending, user)
	}
	p.mu.Unlock()
	p.Changed(user) // it may have ended, or Redis not have been asked
}

// decide answers an admission.
func (p *Presence) decide(a admission, d Decision) {
	switch d {
	case Admitted:
		p.stats.admitted.Add(1)
	case Refused:
		p.stats.refused.Add(1)
		p.Settled(a.user, a.device.ClientID)
	case Unasked:
		p.stats.unasked.Add(1)
		p.mu.Lock()
		p.unasked[a.user] = append(p.unasked[a.user], a.device.ClientID)
		p.mu.Unlock()
	}
	a.done(d)
}

// admit is the goroutine that asks Redis, until ctx ends.
func (p *Presence) admit(ctx context.Context) {
	kicks := newKicks(p.kick)
	defer kicks.wait()
	var batch []admission
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-p.admissions:
			batch = append(batch[:0], a)
		}
		for len(batch) < admitBatch && len(p.admissions) > 0 {
			batch = append(batch, <-p.admissions)
		}
		p.ask(ctx, batch, kicks)
		clear(batch)
	}
}

// ask has Redis decide on a batch.
func (p *Presence) ask(ctx context.Context, batch []admission, kicks *kicks) {
	ctx, cancel := context.WithTimeout(ctx, admitTimeout)
	defer cancel()
	life, certain := p.lease.Holds()
	users, calls := make([]any, len(batch)), make([]call, len(batch))
	dead := p.lease.Dead()
	for i, a := range batch {
		users[i], calls[i] = a.user, p.admitCall(life, a, dead)
	}
	// The set holds whatever has an entry, see writeBatch.
	if !certain || p.index(ctx, "SADD", life, users) != nil {
		for _, a := range batch {
			p.decide(a, Unasked)
		}
		return
	}
	p.deciding.Lock()
	results := runAll(ctx, p.client, admitScript, calls)
	p.deciding.Unlock()
	for i, r := range results {
		a := batch[i]
		answer, err := r.StringSlice()
		switch {
		case err != nil || len(answer) == 0:
			p.log.Debug().Err(err).Msg("device limit not asked for")
			p.decide(a, Unasked)
		case answer[0] == "0":
			p.decide(a, Refused)
		case len(answer) == 1:
			p.decide(a, Admitted)
		default:
			// It is let in when the others have gone, so that there are never
			// more than the limit says.
			p.stats.replaced.Add(uint64(len(answer) / 2))
			kicks.start(ctx, a.user, answer[1:], false, func() { p.decide(a, Admitted) })
		}
	}
}

func (p *Presence) admitCall(life string, a admission, dead []string) call {
	c := call{keys: []string{p.devicesKey(a.user)}, args: []any{
		life, a.device.ClientID, a.device.DeviceID,
		p.cfg.Policy.Max, flag(p.cfg.Policy.ReplaceOldest), flag(p.cfg.Policy.Unique),
	}}
	for _, d := range dead {
		c.args = append(c.args, d)
	}
	return c
}
