package nodes

import (
	"errors"
	"fmt"
	"testing"
)

// answer is one of renewScript with leases of life, milliseconds left and text.
func answer(leases ...[3]string) []string {
	out := []string{leaseHeld, "e1"}
	for _, l := range leases {
		out = append(out, l[:]...)
	}
	return out
}

func TestLeases_Read(t *testing.T) {
	t.Parallel()
	known := leases{}
	text := func(id, life string, connections int) string {
		return fmt.Sprintf(`{"id":%q,"life":%q,"connections":%d}`, id, life, connections)
	}
	for i, step := range []struct {
		answer      []string
		connections []int64 // of the live nodes
		ended       int
	}{
		{answer([3]string{"a", "900", text("a", "a", 1)}, [3]string{"b", "1", text("b", "b", 2)}), []int64{1, 2}, 0},
		{answer([3]string{"a", "900", text("a", "a", 1)}, [3]string{"b", "1", text("b", "b", 3)}), []int64{1, 3}, 0},
		{answer([3]string{"a", "900", text("a", "a", 1)}, [3]string{"b", "-1", text("b", "b", 3)}), []int64{1}, 1},
		{answer([3]string{"a", "900", text("a", "a", 5)}, [3]string{"b.2", "9", text("b", "b.2", 4)}), []int64{5, 4}, 0},
		{answer(), nil, 0},
	} {
		v, err := known.read(step.answer)
		if err != nil || len(v.live) != len(step.connections) || len(v.ended) != step.ended {
			t.Fatalf("step %d: %+v, %v, want %d live and %d ended", i, v, err, len(step.connections), step.ended)
		}
		for j, n := range v.live {
			if n.Connections != step.connections[j] {
				t.Errorf("step %d: %s has %d connections, want %d", i, n.Life, n.Connections, step.connections[j])
			}
		}
		if len(known) != len(v.live) {
			t.Errorf("step %d: %d leases are kept for %d live nodes", i, len(known), len(v.live))
		}
	}
}

func TestLeases_ReadRefuses(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string][]string{
		"a part of a lease": {leaseHeld, "e1", "a"},
		"nothing":           {},
		"no time":           answer([3]string{"a", "soon", "{}"}),
	} {
		if _, err := (leases{}).read(answer); !errors.Is(err, errAnswer) {
			t.Errorf("%s: %v, want errAnswer", name, err)
		}
	}
	if _, err := (leases{}).read(answer([3]string{"a", "9", "no JSON"})); err == nil {
		t.Error("a lease that is no JSON was read")
	}
}

// What other nodes say again at each renewal costs nothing.
func TestLeases_ReadAgainMakesOneView(t *testing.T) { //nolint:paralleltest // AllocsPerRun
	known := leases{}
	var all [][3]string
	for i := range 50 {
		life := fmt.Sprint("n", i)
		all = append(all, [3]string{life, "900", fmt.Sprintf(`{"id":%q,"life":%q}`, life, life)})
	}
	a := answer(all...)
	if _, err := known.read(a); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { _, _ = known.read(a) }); n > 1 {
		t.Errorf("%.0f allocations, want 1", n)
	}
}
