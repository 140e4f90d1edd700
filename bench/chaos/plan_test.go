package chaos

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ginforge/gateway/bench/chaos/redises"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options(seed uint64, topology redises.Topology) Options {
	o := DefaultOptions()
	o.Seed, o.Topology, o.Duration = seed, topology, 30*time.Minute
	return o
}

// The schedule is the seed's, and another seed's is another.
func TestPlan_FollowsFromTheSeed(t *testing.T) {
	one, again, other := Plan(options(1, redises.Cluster)), Plan(options(1, redises.Cluster)), Plan(options(2, redises.Cluster))
	if !reflect.DeepEqual(one, again) {
		t.Error("two plans of one seed differ")
	}
	if reflect.DeepEqual(one, other) {
		t.Error("two seeds have one plan")
	}
}

// Every kind comes, as often as any other, one after the other and within the
// time.
func TestPlan_IsFair(t *testing.T) {
	for _, topology := range redises.Topologies {
		o := options(3, topology)
		count := make(map[Kind]int)
		at := time.Duration(0)
		for _, f := range Plan(o) {
			if f.At < at+o.Gap/2 || f.At+f.takes(o) > o.Duration {
				t.Errorf("%s: %v at %v, the one before is over at %v", topology, f, f.At, at)
			}
			at = f.At + f.takes(o)
			count[f.Kind]++
			if f.Node < 0 || f.Node >= o.Nodes || f.For < 0 || f.Share <= 0 || f.Share > 1 {
				t.Errorf("%s: %+v", topology, f)
			}
		}
		for _, k := range Kinds {
			if k == Failover && topology == redises.Standalone {
				continue
			}
			if d := count[k] - count[Herd]; d < -1 || d > 1 {
				t.Errorf("%s: %d times %s, %d times %s", topology, count[k], k, count[Herd], Herd)
			}
		}
		if topology == redises.Standalone && count[Failover] > 0 {
			t.Error("a failover where nobody can take over")
		}
	}
}

// Where a replica can take over, some masters are dead for long enough that it does:
// longer than it takes servers to agree on that, and to elect.
func TestPlan_HasTakeovers(t *testing.T) {
	const takeover = 5 * time.Second
	for _, topology := range redises.Topologies {
		o := options(4, topology)
		o.Faults = []Kind{RedisKill}
		long, longest := 0, time.Duration(0)
		plan := Plan(o)
		for _, f := range plan {
			longest = max(longest, f.For)
			if f.For >= takeover {
				long++
			}
		}
		alone := topology == redises.Standalone
		if alone && long > 0 || !alone && (long < len(plan)/3 || long == len(plan)) || longest > 10*time.Second {
			t.Errorf("%s: %d of %d kills are long, the longest %v", topology, long, len(plan), longest)
		}
	}
}

func TestPlan_Ends(t *testing.T) {
	o := options(1, redises.Standalone)
	o.Faults = []Kind{Failover}
	if got := Plan(o); len(got) != 0 {
		t.Errorf("%v where nobody can take over", got)
	}
	o.Faults = nil
	if got := Plan(o); len(got) != 0 {
		t.Errorf("%v of no kind", got)
	}
}

// Each kind can be carried out, and says what it is.
func TestKinds_AreComplete(t *testing.T) {
	for _, k := range Kinds {
		if handlers[k] == nil {
			t.Errorf("%s cannot be carried out", k)
		}
		if f := (Fault{Kind: k}); !strings.HasPrefix(f.String(), string(k)) {
			t.Errorf("%s says %q", k, f)
		}
	}
	if len(handlers) != len(Kinds) {
		t.Errorf("%d handlers for %d kinds", len(handlers), len(Kinds))
	}
}

func TestOptions_Validate(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for want, spoil := range map[string]func(*Options){
		"redis:":    func(o *Options) { o.Topology = "ring" },
		"nodes:":    func(o *Options) { o.Nodes = 1 },
		"clients:":  func(o *Options) { o.Clients = 1_000_000 },
		"duration:": func(o *Options) { o.Duration = 0 },
		"gap:":      func(o *Options) { o.Gap = 0 },
		"rate:":     func(o *Options) { o.Rate = 0 },
		"faults:":   func(o *Options) { o.Faults = []Kind{"earthquake"} },
	} {
		o := DefaultOptions()
		o.Faults = slices.Clone(o.Faults)
		spoil(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v, want %q in it", err, want)
		}
	}
}

func TestSince(t *testing.T) {
	began := time.Now()
	at := func(seconds time.Duration, commands map[string]int64, masters ...string) reading {
		return reading{at: began.Add(seconds * time.Second), commands: commands, masters: masters}
	}
	last := at(0, map[string]int64{"get": 10, "set": 5}, "a", "b")
	rates, total, ok := since(last, at(2, map[string]int64{"get": 30, "set": 5, "xadd": 4}, "a", "b"))
	if want := map[string]float64{"get": 10, "xadd": 2}; !ok || total != 12 || !maps.Equal(rates, want) {
		t.Errorf("since() = %v, %v, %v, want %v, 12, true", rates, total, ok, want)
	}
	for name, now := range map[string]reading{
		"a server that counts anew": at(1, map[string]int64{"get": 3}, "a", "b"),
		"other masters":             at(1, map[string]int64{"get": 900, "set": 9}, "a", "c"),
		"Redis does not answer":     at(1, nil),
	} {
		if _, _, ok := since(last, now); ok {
			t.Errorf("since() makes a rate of %s", name)
		}
	}
	if _, _, ok := since(reading{}, last); ok {
		t.Error("since() makes a rate of nothing")
	}
}

var errBroken = errors.New("the connection broke")
