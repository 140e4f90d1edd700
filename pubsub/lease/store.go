package lease

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// keptAfter is how long the hash of a lease outlives it.
const keptAfter = 24 * time.Hour

// acquireScript takes or renews a lease.
//
// KEYS[1] the hash; ARGV owner, ttl (ms), note, kept after (ms),
// "renew" when a term that is over must not be taken again, the least new term.
// returns "1" when the owner has it now, then the term, how long it is still
// held (ms), and its owner, term, end and note as they were before; and Redis'
// time (ms).
var acquireScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local was = redis.call('HMGET', KEYS[1], 'owner', 'term', 'until', 'note')
local owner, term, ends = was[1] or '', tonumber(was[2] or '0'), tonumber(was[3] or '0')
local held = '0'
local after = term
if owner == ARGV[1] and (ends > now or ARGV[5] == 'renew') then
  held = '1'
elseif ends <= now and ARGV[5] ~= 'renew' then
  held = '1'
  after = math.max(term + 1, now, tonumber(ARGV[6]))
end
local left = ends - now
if held == '1' then
  left = tonumber(ARGV[2])
  redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'term', string.format('%.0f', after),
    'until', string.format('%.0f', now + left), 'note', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', left + ARGV[4]))
end
return {held, string.format('%.0f', after), string.format('%.0f', left),
  owner, string.format('%.0f', term), string.format('%.0f', ends), was[4] or '', string.format('%.0f', now)}
`)

// lookScript only looks. KEYS[1] the hash.
var lookScript = redis.NewScript(`
local was = redis.call('HMGET', KEYS[1], 'owner', 'term', 'until', 'note')
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
return {was[1] or '', was[2] or '0', was[3] or '0', was[4] or '', string.format('%.0f', now)}
`)

// releaseScript ends a lease, some time ago. KEYS[1] the hash; ARGV owner, term,
// how long ago (ms).
var releaseScript = redis.NewScript(`
local was = redis.call('HMGET', KEYS[1], 'owner', 'term', 'until')
if was[1] ~= ARGV[1] or was[2] ~= ARGV[2] then return '0' end
local t = redis.call('TIME')
local ended = t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[3]
if tonumber(was[3]) > ended then redis.call('HSET', KEYS[1], 'until', string.format('%.0f', ended)) end
return '1'
`)

// errAnswer is returned when a script answers something else than it should.
var errAnswer = errors.New("lease: redis gives an answer that is not the script's")

// Ask is what to do about a lease.
type Ask struct {
	Name  string
	Owner string        // a name that no other process has, nor this one after a restart
	TTL   time.Duration // how long the lease is held without being renewed
	// Renew extends the lease that Owner had last, even when it is over, as
	// long as nobody has had it since, and never begins a new term.
	Renew bool
	Note  string // kept with the lease, for the next who looks
	// Floor is the least that a new term is, 0 for any: for who knows of a term
	// that Redis may have lost.
	Floor uint64
}

// Grant is the answer.
type Grant struct {
	Held bool   // Owner has the lease now
	Term uint64 // of whoever has it, or had it last
	// Until is when the lease is over unless it is renewed, by the clock of
	// this process and not later than by that of Redis. Without Held it is
	// about when somebody else's is.
	Until time.Time
	// Before is the lease as it was. Its Owner is "" when there was none.
	Before Before
	Now    int64 // Redis' time, Unix milliseconds
}

// Before is a lease before it was asked for.
type Before struct {
	Owner string
	Term  uint64
	Until int64 // Redis' time, Unix milliseconds
	Note  string
}

// Seen is a lease that somebody looked at.
type Seen struct {
	Before
	Held bool  // by Owner, now
	Now  int64 // Redis' time, Unix milliseconds
}

// Store keeps leases in Redis. It has no state and may be used from any
// goroutine; its methods wait for one round trip.
type Store struct {
	client redis.UniversalClient
	prefix string
}

// New returns a Store whose keys begin with prefix.
func New(client redis.UniversalClient, prefix string) *Store {
	return &Store{client: client, prefix: prefix}
}

func (s *Store) key(name string) string { return s.prefix + "lease:" + name }

// Acquire takes the lease if it is free, or renews it if Owner has it. Asked
// again by who has it, it renews.
func (s *Store) Acquire(ctx context.Context, a Ask) (Grant, error) {
	asked := time.Now()
	mode := "acquire"
	if a.Renew {
		mode = "renew"
	}
	answer, err := acquireScript.Run(ctx, s.client, []string{s.key(a.Name)},
		a.Owner, a.TTL.Milliseconds(), a.Note, keptAfter.Milliseconds(), mode,
		strconv.FormatUint(a.Floor, 10)).StringSlice()
	if err != nil {
		return Grant{}, fmt.Errorf("lease: acquire %s: %w", a.Name, err)
	}
	return parseGrant(asked, answer)
}

func parseGrant(asked time.Time, answer []string) (g Grant, err error) {
	if len(answer) != 8 {
		return Grant{}, errAnswer
	}
	var n [5]int64
	for i, at := range [...]int{1, 2, 4, 5, 7} {
		if n[i], err = strconv.ParseInt(answer[at], 10, 64); err != nil {
			return Grant{}, fmt.Errorf("%w: %w", errAnswer, err)
		}
	}
	return Grant{
		Held: answer[0] == "1", Term: uint64(n[0]), Until: asked.Add(time.Duration(n[1]) * time.Millisecond), //nolint:gosec // not negative
		Before: Before{Owner: answer[3], Term: uint64(n[2]), Until: n[3], Note: answer[6]}, Now: n[4], //nolint:gosec // not negative
	}, nil
}

// Look returns a lease as it is, and changes nothing.
func (s *Store) Look(ctx context.Context, name string) (Seen, error) {
	answer, err := lookScript.Run(ctx, s.client, []string{s.key(name)}).StringSlice()
	if err != nil {
		return Seen{}, fmt.Errorf("lease: look at %s: %w", name, err)
	}
	if len(answer) != 5 {
		return Seen{}, errAnswer
	}
	var n [3]int64
	for i, at := range [...]int{1, 2, 4} {
		if n[i], err = strconv.ParseInt(answer[at], 10, 64); err != nil {
			return Seen{}, fmt.Errorf("%w: %w", errAnswer, err)
		}
	}
	return Seen{Before{answer[0], uint64(n[0]), n[1], answer[3]}, n[1] > n[2], n[2]}, nil //nolint:gosec // not negative
}

// Release ends the lease if owner has it in this term, so that others need not
// wait for its end. ended is when owner acted on it last, which may be a while
// ago if Redis was away since: what the next holder learns of its end is not
// earlier than that.
func (s *Store) Release(ctx context.Context, name, owner string, term uint64, ended time.Time) error {
	ago := max(time.Since(ended).Milliseconds()-1, 0) // Redis' clock is cut down to milliseconds, too
	err := releaseScript.Run(ctx, s.client, []string{s.key(name)}, owner, strconv.FormatUint(term, 10), ago).Err()
	if err != nil {
		return fmt.Errorf("lease: release %s: %w", name, err)
	}
	return nil
}
