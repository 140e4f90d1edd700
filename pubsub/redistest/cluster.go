package redistest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// numSlots is how many slots every Redis Cluster has.
	numSlots = 16384
	// clusterTimeout is how long a Cluster may take to agree on something:
	// its nodes gossip.
	clusterTimeout = time.Minute
	// nodeTimeout is how long, in ms, a node may be silent before the others
	// replace it.
	nodeTimeout = "1500"
)

// Cluster is a Redis Cluster. Its methods must not be called concurrently.
type Cluster struct {
	// Primaries are the nodes that began with slots, each with its even
	// share. Replicas has the replicas of each of them.
	Primaries []*Server
	Replicas  [][]*Server

	tb testing.TB
}

// StartCluster runs a Cluster of that many primaries, at least three for
// failovers, with that many replicas each, and returns when all agree on it.
func StartCluster(tb testing.TB, primaries, replicas int) *Cluster {
	tb.Helper()
	c := &Cluster{tb: tb, Replicas: make([][]*Server, primaries)}
	for i := range primaries {
		node := c.startNode()
		from, to := i*numSlots/primaries, (i+1)*numSlots/primaries-1
		node.CLI("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to))
		c.Primaries = append(c.Primaries, node)
	}
	for i := range c.Replicas {
		for range replicas {
			c.Replicas[i] = append(c.Replicas[i], c.startNode())
		}
	}
	c.meet()
	for i, of := range c.Replicas {
		for _, replica := range of {
			c.follow(replica, c.Primaries[i])
		}
	}
	c.WaitOK()
	return c
}

// startNode runs a node that knows no other.
func (c *Cluster) startNode() *Server {
	c.tb.Helper()
	return Start(c.tb, "--cluster-enabled", "yes", "--cluster-node-timeout", nodeTimeout,
		"--cluster-replica-validity-factor", "0", "--cluster-allow-replica-migration", "no", "--repl-diskless-sync-delay", "0")
}

// Nodes returns all nodes, the primaries first.
func (c *Cluster) Nodes() []*Server {
	nodes := append([]*Server(nil), c.Primaries...)
	for _, of := range c.Replicas {
		nodes = append(nodes, of...)
	}
	return nodes
}

// URL returns the Cluster's address as redis.url wants it.
func (c *Cluster) URL() string {
	var addrs []string
	for _, n := range c.Nodes() {
		addrs = append(addrs, n.Addr())
	}
	return "redis+cluster://" + strings.Join(addrs, ",")
}

// meet has all nodes know each other.
func (c *Cluster) meet() {
	c.tb.Helper()
	nodes := c.Nodes()
	for i, n := range nodes[1:] {
		n.CLI("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+2))
		n.CLI("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(nodes[0].Port()))
	}
	c.eventually(func(n *Server) error {
		if info := n.CLI("CLUSTER", "INFO"); !strings.Contains(info, fmt.Sprint("cluster_known_nodes:", len(nodes))) {
			return fmt.Errorf("%s: %s", n.Addr(), info)
		}
		return nil
	})
}

// follow makes replica one of primary's, and waits until it has its data.
func (c *Cluster) follow(replica, primary *Server) {
	c.tb.Helper()
	id := primary.CLI("CLUSTER", "MYID")
	Eventually(c.tb, clusterTimeout, func() error {
		if got := replica.CLI("CLUSTER", "REPLICATE", id); got != "OK" {
			return fmt.Errorf("CLUSTER REPLICATE: %s", got) // it does not know the primary yet
		}
		return nil
	})
	awaitData(c.tb, replica)
}

// WaitOK waits until every node that runs finds that all slots are served.
func (c *Cluster) WaitOK() {
	c.tb.Helper()
	c.eventually(func(n *Server) error {
		if info := n.CLI("CLUSTER", "INFO"); !strings.Contains(info, "cluster_state:ok") {
			return fmt.Errorf("%s: %s", n.Addr(), info)
		}
		return nil
	})
}

// eventually waits until check is content with every node that runs.
func (c *Cluster) eventually(check func(*Server) error) {
	c.tb.Helper()
	Eventually(c.tb, clusterTimeout, func() error {
		for _, n := range c.Nodes() {
			if n.process == nil {
				continue
			}
			if err := check(n); err != nil {
				return err
			}
		}
		return nil
	})
}

// Slot returns the slot of a key or of a sharded channel.
func (c *Cluster) Slot(key string) int {
	c.tb.Helper()
	slot, err := strconv.Atoi(c.alive().CLI("CLUSTER", "KEYSLOT", key))
	if err != nil {
		c.tb.Fatalf("redistest: slot of %q: %v", key, err)
	}
	return slot
}

// Primary returns which of Primaries has a key's slot, as they began.
func (c *Cluster) Primary(key string) int {
	c.tb.Helper()
	return c.Slot(key) * len(c.Primaries) / numSlots
}

// alive returns a node that runs.
func (c *Cluster) alive() *Server {
	c.tb.Helper()
	for _, n := range c.Nodes() {
		if n.process != nil {
			return n
		}
	}
	c.tb.Fatal("redistest: no node of the cluster runs")
	return nil
}

// KillPrimary ends a primary with SIGKILL and waits until its first replica
// has taken over, which it returns.
func (c *Cluster) KillPrimary(i int) *Server {
	c.tb.Helper()
	heir := c.Replicas[i][0]
	c.Primaries[i].Kill()
	Eventually(c.tb, clusterTimeout, func() error {
		if role := heir.CLI("ROLE"); !strings.HasPrefix(role, "master") {
			return fmt.Errorf("%s is still %q", heir.Addr(), role)
		}
		return nil
	})
	c.WaitOK()
	return heir
}

// SwitchPrimary has a primary's first replica take over in good order, and
// returns it.
func (c *Cluster) SwitchPrimary(i int) *Server {
	c.tb.Helper()
	heir := c.Replicas[i][0]
	Eventually(c.tb, clusterTimeout, func() error {
		if role := heir.CLI("ROLE"); strings.HasPrefix(role, "master") {
			return nil
		}
		return fmt.Errorf("CLUSTER FAILOVER: %s", heir.CLI("CLUSTER", "FAILOVER"))
	})
	c.WaitOK()
	return heir
}

// MoveSlot gives a slot, with its keys, to another of Primaries.
func (c *Cluster) MoveSlot(slot, from, to int) {
	c.tb.Helper()
	source, target, s := c.Primaries[from], c.Primaries[to], strconv.Itoa(slot)
	c.must(target.CLI("CLUSTER", "SETSLOT", s, "IMPORTING", source.CLI("CLUSTER", "MYID")))
	c.must(source.CLI("CLUSTER", "SETSLOT", s, "MIGRATING", target.CLI("CLUSTER", "MYID")))
	for {
		keys := strings.Fields(source.CLI("CLUSTER", "GETKEYSINSLOT", s, "100"))
		if len(keys) == 0 {
			break
		}
		c.must(source.CLI(append([]string{"MIGRATE", "127.0.0.1", strconv.Itoa(target.Port()), "", "0", "5000", "KEYS"}, keys...)...))
	}
	id := target.CLI("CLUSTER", "MYID")
	c.must(target.CLI("CLUSTER", "SETSLOT", s, "NODE", id))
	for i, n := range c.Primaries {
		if i != to && n.process != nil {
			c.must(n.CLI("CLUSTER", "SETSLOT", s, "NODE", id))
		}
	}
}

// must fails the test unless Redis's answer is OK.
func (c *Cluster) must(answer string) {
	c.tb.Helper()
	if answer != "OK" {
		c.tb.Fatalf("redistest: redis answers %q, want OK", answer)
	}
}
