package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

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
	for n, e := range entries {
		err := added[n].Err()
		var refusal redis.Error
		if errors.As(err, &refusal) { // there is a later one, so this may be there too
			err = i.setAsideLate(ctx, e)
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

// setAsideLate sets poison aside behind later ones, unless it is among them.
func (i *Intake) setAsideLate(ctx context.Context, e entry) error {
	there, err := i.redis.XRange(ctx, i.dead, e.id, e.id).Result()
	switch {
	case err != nil:
		return err
	case len(there) > 0:
		return errThere
	}
	// Or under another id: who repeats it does so soon.
	latest, err := i.redis.XRevRangeN(ctx, i.dead, "+", "-", 2*maxBatch).Result()
	if err != nil {
		return err
	}
	for _, m := range latest {
		if m.Values["entry"] == e.id {
			return errThere
		}
	}
	return i.redis.XAdd(ctx, i.poison(e, "*")).Err()
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
