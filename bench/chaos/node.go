package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/ginforge/gateway/bench"
)

// node is one gateway, which comes and goes under its name.
type node struct {
	name  string
	start func(ctx context.Context) (*bench.Gateway, error)

	mu      sync.Mutex     // guards the fields below
	gateway *bench.Gateway // nil while it is down
	ready   bool           // as /readyz said last
	linked  bool           // to Redis
	asked   time.Time      // when /readyz was asked that
}

const (
	startTimeout = time.Minute
	stopTimeout  = time.Minute
)

// up starts the node.
func (n *node) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	g, err := n.start(ctx)
	if err != nil {
		return fmt.Errorf("chaos: %s: %w", n.name, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gateway = g
	return nil
}

// take removes the gateway from the node, which then is down.
func (n *node) take() *bench.Gateway {
	n.mu.Lock()
	defer n.mu.Unlock()
	g := n.gateway
	n.gateway, n.ready, n.linked = nil, false, false
	return g
}

// kill ends the node with SIGKILL.
func (n *node) kill() {
	if g := n.take(); g != nil {
		_ = g.Kill() // by a signal
	}
}

// stop ends the node with SIGTERM. Its clients reach it until it ends.
func (n *node) stop() error {
	g := n.running()
	if g == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := g.Stop(ctx)
	n.take()
	if err != nil {
		return fmt.Errorf("chaos: %s: %w", n.name, err)
	}
	return nil
}

// signal sends SIGSTOP or SIGCONT.
func (n *node) signal(sig os.Signal) error {
	g := n.running()
	if g == nil {
		return fmt.Errorf("chaos: %s does not run", n.name)
	}
	return g.Signal(sig)
}

// end ends the node for good, whatever it is doing.
func (n *node) end() {
	if g := n.take(); g != nil {
		_ = g.Signal(syscall.SIGCONT)
		_ = g.Kill() // by a signal
	}
}

func (n *node) running() *bench.Gateway {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.gateway
}

// address is where the node listens, and whether it said that it is ready.
func (n *node) address() (addr string, ready, running bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gateway == nil {
		return "", false, false
	}
	return n.gateway.Listen.String(), n.ready, true
}

// well reports whether the node, asked after that time, is ready and connected to Redis.
func (n *node) well(since time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ready && n.linked && n.asked.After(since)
}

// probe asks /readyz, as a load balancer does.
func (n *node) probe(ctx context.Context, client *http.Client) {
	g := n.running()
	if g == nil {
		return
	}
	asked := time.Now()
	ready, linked := ask(ctx, client, "http://"+g.Listen.String()+"/readyz")
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gateway == g {
		n.ready, n.linked, n.asked = ready, linked, asked
	}
}

// ask reads an answer of /readyz.
func ask(ctx context.Context, client *http.Client, url string) (ready, linked bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false, false
	}
	defer resp.Body.Close()
	var body struct {
		Data struct {
			Redis struct {
				Connected bool `json:"connected"`
			} `json:"redis"`
		} `json:"data"`
	}
	_ = json.NewDecoder(resp.Body).Decode(&body) // then it is not linked
	return resp.StatusCode == http.StatusOK, body.Data.Redis.Connected
}
