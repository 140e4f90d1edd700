package redises

import (
	"context"
	"sync"
	"time"
)

// Takeovers counts how often a replica has become a master. Its methods may be called
// from any goroutine.
type Takeovers struct {
	mu    sync.Mutex // guards the fields below
	roles map[string]string
	n     int
}

// rolesEvery is how often servers are asked for their role.
const rolesEvery = 300 * time.Millisecond

// Watch asks all servers until ctx ends. One that does not answer, because it was
// killed or stopped, has the role that it had last: a master that comes back as one has
// taken nothing over.
func (t *Takeovers) Watch(ctx context.Context, s *Set) {
	tick := time.NewTicker(rolesEvery)
	defer tick.Stop()
	for {
		var asking sync.WaitGroup
		for _, server := range s.Servers { // one that hangs is waited for, and the others not for it
			asking.Go(func() {
				if role, err := server.info(ctx, "replication", "role"); err == nil {
					t.see(server.Name, role)
				}
			})
		}
		asking.Wait()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// see notes a server's role.
func (t *Takeovers) see(server, role string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.roles == nil {
		t.roles = make(map[string]string)
	}
	if t.roles[server] == "slave" && role == "master" {
		t.n++
	}
	t.roles[server] = role
}

// Count is how many there were so far.
func (t *Takeovers) Count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}
