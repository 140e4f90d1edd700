package nodes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// renewScript renews the lease of a life, or begins it, and returns
// {status, epoch, LIFE, milliseconds left, JSON, LIFE, ...}. A lease that has run
// out is not renewed.
//
// KEYS[1] the hash; ARGV life, TTL in ms, an epoch if there is none, JSON,
// "1" to begin.
var renewScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local field = '@' .. ARGV[1]
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  epoch = ARGV[3]
  redis.call('HSET', KEYS[1], 'epoch', epoch)
end
local status = 'held'
if ARGV[5] ~= '1' then
  local held = redis.call('HGET', KEYS[1], field)
  if not held then
    status = 'missing'
  elseif tonumber(string.match(held, '^%d+')) < now then
    status = 'ended'
  end
end
if status == 'held' then
  redis.call('HSET', KEYS[1], field, string.format('%d', now + ARGV[2]) .. ' ' .. ARGV[4])
end
local out = {status, epoch}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == '@' then
    local ends, text = string.match(all[i + 1], '^(%d+) (.*)$')
    out[#out + 1] = string.sub(all[i], 2)
    out[#out + 1] = string.format('%d', ends - now)
    out[#out + 1] = text
  end
end
return out
`)

// endScript lets a lease end now, and with it the turn to clean up. KEYS[1] the
// hash; ARGV life.
var endScript = redis.NewScript(`
local t = redis.call('TIME')
local field = '@' .. ARGV[1]
local held = redis.call('HGET', KEYS[1], field)
if held then
  local now = string.format('%d', t[1] * 1000 + math.floor(t[2] / 1000) - 1)
  redis.call('HSET', KEYS[1], field, now .. string.match(held, ' .*$'))
end
local reaper = redis.call('HGET', KEYS[1], 'reaper')
if reaper and string.match(reaper, ' (.*)$') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'reaper')
end
return 1
`)

// reapScript makes a life the reaper, unless another is whose lease holds, and
// returns the lives whose leases ended long enough ago. So a reaper that dies is
// replaced when its lease is over, however long it had wanted to be at it.
//
// KEYS[1] the hash; ARGV life, ms it stays reaper, ms since the end.
var reapScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local holder = redis.call('HGET', KEYS[1], 'reaper')
if holder then
  local ends, life = string.match(holder, '^(%d+) (.*)$')
  local lease = redis.call('HGET', KEYS[1], '@' .. life)
  if life ~= ARGV[1] and tonumber(ends) > now
    and lease and tonumber(string.match(lease, '^%d+')) >= now then
    return {}
  end
end
redis.call('HSET', KEYS[1], 'reaper', string.format('%d', now + ARGV[2]) .. ' ' .. ARGV[1])
local out = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == '@' and tonumber(string.match(all[i + 1], '^%d+')) < now - ARGV[3] then
    out[#out + 1] = string.sub(all[i], 2)
  end
end
return out
`)

// What became of a lease that was to be renewed.
const (
	leaseHeld    = "held"
	leaseEnded   = "ended"   // it has run out
	leaseMissing = "missing" // somebody has cleaned up, or Redis has lost its data
)

// view is what one renewal has shown.
type view struct {
	status string
	epoch  string
	live   []Node
	ended  []string // lives whose leases have run out and are not cleaned up yet
}

// errAnswer is returned when a script's answer is not what it should be.
var errAnswer = errors.New("nodes: unexpected answer of a script")

// key is the hash of all leases.
func (r *Registry) key() string { return r.cfg.Prefix + "nodes" }

// renew renews the lease of self, or begins it.
func (r *Registry) renew(ctx context.Context, self Node, begin bool) (view, error) {
	text, err := json.Marshal(self)
	if err != nil {
		return view{}, fmt.Errorf("nodes: encode lease: %w", err)
	}
	answer, err := renewScript.Run(ctx, r.client, []string{r.key()},
		self.Life, r.cfg.TTL.Milliseconds(), randomText(), text, flag(begin)).StringSlice()
	if err != nil {
		return view{}, fmt.Errorf("nodes: renew lease: %w", err)
	}
	return r.leases.read(answer)
}

// leases are those that were read last, by life: most say at each renewal what they
// said before, and with many nodes reading them again was most of what a node at rest
// left behind.
type leases map[string]lease

type lease struct {
	text string
	node Node
}

// read makes a view of an answer of renewScript.
func (known leases) read(answer []string) (v view, err error) {
	if len(answer)%3 != 2 {
		return view{}, errAnswer
	}
	v.status, v.epoch = answer[0], answer[1]
	v.live = make([]Node, 0, len(answer)/3)
	for all := answer[2:]; len(all) > 0; all = all[3:] {
		life, text := all[0], all[2]
		left, err := strconv.ParseInt(all[1], 10, 64)
		if err != nil {
			return view{}, fmt.Errorf("%w: %w", errAnswer, err)
		}
		if left < 0 {
			v.ended = append(v.ended, life)
			continue
		}
		l := known[life]
		if l.text != text {
			if l, err = readLease(text); err != nil {
				return view{}, fmt.Errorf("nodes: lease of %.40q: %w", life, err)
			}
			known[life] = l
		}
		v.live = append(v.live, l.node)
	}
	if len(known) > len(v.live) {
		known.keep(v.live)
	}
	return v, nil
}

func readLease(text string) (lease, error) {
	l := lease{text: text}
	err := json.Unmarshal([]byte(text), &l.node)
	return l, err
}

// keep forgets the leases of all but these nodes.
func (known leases) keep(live []Node) {
	maps.DeleteFunc(known, func(life string, _ lease) bool {
		return !slices.ContainsFunc(live, func(n Node) bool { return n.Life == life })
	})
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// end lets the lease of a life end now.
func (r *Registry) end(ctx context.Context, life string) error {
	if err := endScript.Run(ctx, r.client, []string{r.key()}, life).Err(); err != nil {
		return fmt.Errorf("nodes: end lease: %w", err)
	}
	return nil
}

// Ended returns the lives whose leases ended at least since ago, when it is this
// node's turn to clean up after them: at most one node's is at any time. A node
// that does not hold its own for so long (LongHeld) gets none. It waits for Redis.
func (r *Registry) Ended(ctx context.Context, since time.Duration) ([]string, error) {
	if !r.LongHeld(since) {
		return nil, nil
	}
	life, _ := r.life()
	lives, err := reapScript.Run(ctx, r.client, []string{r.key()},
		life, 3*r.cfg.TTL.Milliseconds(), since.Milliseconds()).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("nodes: look for ended leases: %w", err)
	}
	return lives, nil
}

// Forget removes the lease of a life that Ended has returned, after everything of
// it is cleaned up. It waits for Redis.
func (r *Registry) Forget(ctx context.Context, life string) error {
	if err := r.client.HDel(ctx, r.key(), "@"+life).Err(); err != nil {
		return fmt.Errorf("nodes: forget lease: %w", err)
	}
	return nil
}

// nextLife is the name of the n-th life of a node, counted from 1.
func nextLife(id string, n int) string {
	if n == 1 {
		return id
	}
	var b strings.Builder
	b.WriteString(id)
	b.WriteByte('.')
	b.WriteString(strconv.Itoa(n))
	return b.String()
}
