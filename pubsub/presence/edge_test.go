package presence

import (
	"fmt"
	"testing"
)

func TestEdges_EachOnce(t *testing.T) {
	t.Parallel()
	var edges Edges
	read := func(payload string) bool {
		t.Helper()
		_, first, err := edges.Read(payload)
		if err != nil {
			t.Fatalf("Read(%q): %v", payload, err)
		}
		return first
	}
	edge := `{"i":"a/1.1","u":"u1","o":true,"w":true,"r":["x"]}`
	if !read(edge) || read(edge) || read(edge) {
		t.Error("an edge on several channels was not let through once")
	}
	for i := range 3 * maxEdges {
		if !read(fmt.Sprintf(`{"i":"b/%d.1","u":"u1","r":["x","y"]}`, i)) {
			t.Fatal("a new edge was held back")
		}
	}
	if len(edges.seen) > maxEdges {
		t.Errorf("%d edges are remembered, want at most %d", len(edges.seen), maxEdges)
	}
	if _, _, err := edges.Read("nonsense"); err == nil {
		t.Error("nonsense was read without an error")
	}
}

func FuzzEdges(f *testing.F) {
	f.Add(`{"i":"a/1.1","u":"u1","n":"Ann","o":true,"w":true,"r":["x"],"x":["y"]}`)
	f.Fuzz(func(_ *testing.T, payload string) {
		var edges Edges
		_, _, _ = edges.Read(payload)
	})
}
