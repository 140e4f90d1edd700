package session

import (
	"testing"

	"go.uber.org/goleak"
)

// nbio's package init starts two goroutines that never end.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/lesismal/nbio/taskpool.New.func3"))
}
