// Package revoked keeps the tokens that have been made void in Redis, until they
// would have expired anyway. It does not know what the texts mean that it keeps:
// those are session/auth's, as is the set in which each node looks.
//
// A node loads everything when it starts and whenever Redis has been away; what is
// added meanwhile it is told by the node that adds it. cmd/gateway does both.
//
// All of it is one sorted set, so that a revocation is kept and old ones are dropped
// in one step, in a Cluster too, and one command reads it:
//
//	PREFIXrevoked:list   member: the revocation, score: until when, in Unix milliseconds
//
// The key itself expires with its last member. Methods wait for Redis and are for
// goroutines that may wait.
package revoked

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Entry is one revocation.
type Entry struct {
	Text  string
	Until time.Time // in whole milliseconds
}

// Store is the revocations of all nodes. Its methods may be called from any
// goroutine.
type Store struct {
	client redis.UniversalClient
	key    string
}

// New makes a store whose key begins with prefix.
func New(client redis.UniversalClient, prefix string) *Store {
	return &Store{client: client, key: prefix + "revoked:list"}
}

// add keeps a revocation for as long as the longest that was asked, drops those
// that are over, and lets the key expire with the last. KEYS: the set. ARGV:
// member, until, now.
var add = redis.NewScript(`
local before = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not before or tonumber(before) < tonumber(ARGV[2]) then
	redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if last[2] then
	redis.call('PEXPIRE', KEYS[1], math.max(1, tonumber(last[2]) - tonumber(ARGV[3])))
end
return 1
`)

// Add keeps a revocation. It does nothing if that is over already.
func (s *Store) Add(ctx context.Context, e Entry) error {
	now := time.Now()
	err := add.Run(ctx, s.client, []string{s.key}, e.Text, e.Until.UnixMilli(), now.UnixMilli()).Err()
	if err != nil {
		return fmt.Errorf("revoked: keep: %w", err)
	}
	return nil
}

// All returns every revocation that is not over.
func (s *Store) All(ctx context.Context) ([]Entry, error) {
	found, err := s.client.ZRangeByScoreWithScores(ctx, s.key, &redis.ZRangeBy{
		Min: fmt.Sprintf("(%d", time.Now().UnixMilli()), Max: "+inf",
	}).Result()
	if err != nil {
		return nil, fmt.Errorf("revoked: load: %w", err)
	}
	entries := make([]Entry, 0, len(found))
	for _, z := range found {
		if text, ok := z.Member.(string); ok {
			entries = append(entries, Entry{text, time.UnixMilli(int64(z.Score))})
		}
	}
	return entries, nil
}
