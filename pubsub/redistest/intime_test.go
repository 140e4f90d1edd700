package redistest

import (
	"fmt"
	"reflect"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// recorder is a testing.TB that notes its failures.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) Failed() bool        { return len(r.failures) > 0 }
func (r *recorder) FailNow()            { runtime.Goexit() }

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// TestInTime_RepeatsWhatWasLate has tests that take some time until they are where
// they must be, and fail before or behind that.
func TestInTime_RepeatsWhatWasLate(t *testing.T) {
	second := time.Second
	for name, tt := range map[string]struct {
		takes    time.Duration
		before   bool // it fails at the end of takes, before it says that it was in time
		behind   bool // it fails long after that
		lives    []time.Duration
		failures []string
	}{
		"in time":                        {takes: 0, lives: []time.Duration{second}},
		"late once":                      {takes: second, lives: []time.Duration{second, 4 * second}},
		"late twice":                     {takes: 5 * second, lives: []time.Duration{second, 4 * second, 16 * second}},
		"late always":                    {takes: time.Minute, lives: []time.Duration{second, 4 * second, 16 * second}, failures: []string{"the test was late with the longest life too"}},
		"fails in time":                  {takes: second / 2, before: true, lives: []time.Duration{second}, failures: []string{"before"}},
		"fails since it is late, then":   {takes: 3 * second, before: true, lives: []time.Duration{second, 4 * second}, failures: []string{"before"}},
		"fails late with all lives":      {takes: time.Minute, before: true, lives: []time.Duration{second, 4 * second, 16 * second}, failures: []string{"before"}},
		"fails late but behind":          {takes: second / 2, behind: true, lives: []time.Duration{second}, failures: []string{"behind"}},
		"fails behind, in a later round": {takes: 2 * second, behind: true, lives: []time.Duration{second, 4 * second}, failures: []string{"behind"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, lives := &recorder{TB: t}, []time.Duration(nil)
				done := make(chan struct{})
				go func() { // FailNow ends it
					defer close(done)
					InTime(r, second, func(a *Attempt, life time.Duration) {
						lives = append(lives, life)
						time.Sleep(tt.takes)
						if tt.before {
							a.Fatal("before")
						}
						a.InTime()
						time.Sleep(time.Hour)
						if tt.behind {
							a.Error("behind")
						}
					})
				}()
				<-done
				if !reflect.DeepEqual(lives, tt.lives) || !reflect.DeepEqual(r.failures, tt.failures) {
					t.Errorf("it ran with the lives %v and failed with %q, want %v and %q", lives, r.failures, tt.lives, tt.failures)
				}
			})
		})
	}
}

// TestInTime_TheTestSetsTheTime that counts, by By.
func TestInTime_TheTestSetsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rounds := 0
		InTime(t, time.Minute, func(a *Attempt, life time.Duration) {
			rounds++
			a.By(time.Now().Add(life / 60))
			time.Sleep(3 * time.Second)
			a.InTime()
		})
		if rounds != 2 {
			t.Errorf("it ran %d times, want one that is late for its second and one that has four", rounds)
		}
	})
}
