package stream

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// passing are the errors of Redis that pass by themselves.
var passing = []string{
	"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "OOM", "BUSY", "NOREPLICAS", "MISCONF",
	"NOSCRIPT", "NOAUTH", "NOPERM", "WRONGPASS", "EXECABORT", "UNBLOCKED", settling,
}

// settling begins the script's own error: see Append.History.
const settling = "SETTLING"

// ErrSettling is returned for what is not appended yet, since nodes may have to
// put back what a failover has lost. It was not sent, or not executed.
var ErrSettling = errors.New("stream: redis is settling after a failure")

// ErrReplicas is given with the position of a message that the log has taken,
// when fewer replicas have it than were asked for.
var ErrReplicas = errors.New("stream: too few replicas have the message")

// OtherHistory reports whether err is that of a server with another history
// than the Append was meant for, and returns that.
func OtherHistory(err error) (history string, ok bool) {
	if !redis.HasErrorPrefix(err, settling) {
		return "", false
	}
	_, history, _ = strings.Cut(err.Error(), " ")
	return history, true
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
