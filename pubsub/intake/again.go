package intake

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Ids of entries grow, and so a log takes none that is not greater than its last.
// But when a stream's master is lost with its last entries, which nodes have taken
// already, and the clock of the new one is behind, new entries get lesser ids.
// They are told from entries that are taken a second time by their dedupe key: that
// of a second one is known, as long as the entry is younger than the window. A new
// one goes back to the end of the stream, with an id that is great enough.

// againScript puts an entry at the end of the stream, once.
//
// KEYS[1] the stream; ARGV: group, entry, its time (ms), how old it may be (ms), its
// next id, then its fields and their values
// returns "1", or "0" for an entry that is too old
var againScript = redis.NewScript(`
local t = redis.call('TIME')
if t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[3] > tonumber(ARGV[4]) then return '0' end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
if redis.call('XDEL', KEYS[1], ARGV[2]) == 0 then return '1' end
local fields = {}
for i = 6, #ARGV do fields[#fields + 1] = ARGV[i] end
local added = redis.pcall('XADD', KEYS[1], ARGV[5], unpack(fields))
if type(added) == 'table' and added.err then redis.call('XADD', KEYS[1], '*', unpack(fields)) end
return '1'
`)

// again has entries that seem to come too late wait again, if they are new. The
// others are duplicates.
func (i *Intake) again(ctx context.Context, entries []entry) error {
	for _, e := range entries {
		// Half the window: the key is as old as the entry, or younger.
		args := []any{
			group, e.id, timeOf(e.id).UnixMilli(), i.cfg.DedupeWindow.Milliseconds() / 2, idBehind(e.behind),
			fieldChannel, e.channel, fieldMessage, e.raw[fieldMessage], fieldID, e.key(),
		}
		waits, err := againScript.Run(ctx, i.redis, []string{i.stream}, args...).Text()
		if err != nil {
			return fmt.Errorf("intake: put back an entry: %w", err)
		}
		if waits == "0" {
			i.count(true)
		}
	}
	return nil
}

// idBehind returns the id that follows a place.
func idBehind(place string) string {
	ms, seq, _ := strings.Cut(place, ".")
	a, err1 := strconv.ParseUint(ms, 16, 64)
	b, err2 := strconv.ParseUint(seq, 16, 64)
	if err1 != nil || err2 != nil {
		return "*"
	}
	return fmt.Sprintf("%d-%d", a, b+1)
}
