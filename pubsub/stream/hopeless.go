package stream

import (
	"errors"

	"github.com/redis/go-redis/v9"
)

// passing are the errors of Redis that pass by themselves.
var passing = []string{
	"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "OOM", "BUSY", "NOREPLICAS", "MISCONF",
	"NOSCRIPT", "NOAUTH", "NOPERM", "WRONGPASS", "EXECABORT", "UNBLOCKED",
}

// Hopeless reports whether an Append that failed with err would fail the same
// way again: its rules cannot be, or Redis refuses the command itself.
func Hopeless(err error) bool {
	if errors.Is(err, ErrRules) {
		return true
	}
	var refusal redis.Error
	if !errors.As(err, &refusal) {
		return false // the connection's
	}
	for _, prefix := range passing {
		if redis.HasErrorPrefix(err, prefix) {
			return false
		}
	}
	return true
}
