package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// setAside puts poison into the stream of its own, under the id it had, so that
// who repeats it after a crash finds it there.
func (i *Intake) setAside(ctx context.Context, entries []entry) error {
	if len(entries) == 0 {
		return nil
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.place, b.place) })
	pipe := i.redis.Pipeline()
	for _, e := range entries {
		pipe.XAdd(ctx, i.poison(e, e.id))
	}
	added, _ := pipe.Exec(ctx) // each command has its own error, that of the connection included
	latest := sync.OnceValues(func() (map[string]bool, error) { return i.latestPoison(ctx) })
	for n, e := range entries {
		err := added[n].Err()
		var refusal redis.Error
		if errors.As(err, &refusal) { // there is a later one, so this may be there too
			err = i.setAsideLate(ctx, e, latest)
		}
		switch {
		case errors.Is(err, errThere):
			i.stats.duplicates.Add(1)
		case err != nil:
			return fmt.Errorf("intake: set poison aside: %w", err)
		default:
			i.stats.poison.Add(1)
			i.warn(e.poison, "an entry of the stream is poison and was set aside")
		}
	}
	return nil
}

// errThere is what setAsideLate returns for poison that was set aside before.
var errThere = errors.New("it was set aside before")

// setAsideLate sets poison aside behind later ones, unless it is among them. latest is
// latestPoison, read when it is first needed.
func (i *Intake) setAsideLate(ctx context.Context, e entry, latest func() (map[string]bool, error)) error {
	there, err := i.poisonBack(ctx, e.id, e.id, 1)
	switch {
	case err != nil:
		return err
	case len(there) > 0:
		return errThere
	}
	// Or under another id: who repeats it does so soon.
	entries, err := latest()
	switch {
	case err != nil:
		return err
	case entries[e.id]:
		return errThere
	}
	return i.redis.XAdd(ctx, i.poison(e, "*")).Err()
}

// poisonPage is how many entries Redis looks at in one go: each may be as large as a
// message may be, and meanwhile it does nothing else.
const poisonPage = 16

// latestPoison returns the entries that were set aside last, two batches of them, by
// the ids that they had.
func (i *Intake) latestPoison(ctx context.Context) (map[string]bool, error) {
	entries := make(map[string]bool, 2*maxBatch)
	end := "+"
	for range 2 * maxBatch / poisonPage {
		page, err := i.poisonBack(ctx, end, "-", poisonPage)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			entries[p.entry] = true
		}
		if len(page) < poisonPage {
			break
		}
		end = "(" + page[len(page)-1].id
	}
	return entries, nil
}

// poisonScript reads entries of a stream backwards, and keeps their messages to itself.
//
// KEYS[1] the stream; ARGV: the last id, the first id, how many at most
// returns for each its id and its field "entry", "" for none
var poisonScript = redis.NewScript(`
local answer = {}
for _, e in ipairs(redis.call('XREVRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])) do
  local entry = ''
  for f = 1, #e[2], 2 do
    if e[2][f] == 'entry' then entry = e[2][f + 1] end
  end
  answer[#answer + 1] = e[1]
  answer[#answer + 1] = entry
end
return answer
`)

// aside is an entry of the stream of poison.
type aside struct {
	id    string // there
	entry string // the id it had
}

// poisonBack reads what was set aside, backwards between two ids.
func (i *Intake) poisonBack(ctx context.Context, last, first string, most int) ([]aside, error) {
	flat, err := poisonScript.Run(ctx, i.redis, []string{i.dead}, last, first, most).StringSlice()
	if err != nil {
		return nil, err
	}
	page := make([]aside, 0, most)
	for pair := range slices.Chunk(flat, 2) {
		page = append(page, aside{id: pair[0], entry: pair[1]})
	}
	return page, nil
}

// poison returns what sets an entry aside under an id.
func (i *Intake) poison(e entry, id string) *redis.XAddArgs {
	values := map[string]any{"entry": e.id, "reason": e.poison.Error()}
	for _, field := range [...]string{fieldChannel, fieldMessage, fieldID} {
		if v, ok := e.raw[field]; ok {
			values[field] = v
		}
	}
	return &redis.XAddArgs{Stream: i.dead, ID: id, MaxLen: i.cfg.MaxDead, Approx: true, Values: values}
}
