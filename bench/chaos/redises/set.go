package redises

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Topology is an arrangement of Redis servers.
type Topology string

// The topologies.
const (
	Standalone Topology = "standalone"
	Sentinel   Topology = "sentinel"
	Cluster    Topology = "cluster"
)

// Topologies are all of them.
var Topologies = []Topology{Standalone, Sentinel, Cluster}

// Set is the servers of one topology.
type Set struct {
	Topology  Topology
	Servers   []*Server // that hold data
	sentinels []*Server
	dir       string
}

// masterName is what the Sentinels call their master.
const masterName = "main"

// Start starts a topology and waits until it is complete.
func Start(ctx context.Context, t Topology) (*Set, error) {
	dir, err := os.MkdirTemp("", "wschaos-")
	if err != nil {
		return nil, fmt.Errorf("redises: %w", err)
	}
	s := &Set{Topology: t, dir: dir}
	switch t {
	case Standalone:
		err = s.startServers(ctx, 1)
	case Sentinel:
		err = s.startSentinel(ctx)
	case Cluster:
		err = s.startCluster(ctx)
	default:
		err = fmt.Errorf("redises: topology %q, want one of %v", t, Topologies)
	}
	if err == nil {
		err = s.WaitHealthy(ctx)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// startServers starts n servers; those of a Sentinel are replicas of the first.
func (s *Set) startServers(ctx context.Context, n int) error {
	for i := range n {
		server, err := newServer(s.dir, "redis"+strconv.Itoa(i+1))
		if err != nil {
			return err
		}
		s.Servers = append(s.Servers, server)
		var lines []string
		switch {
		case s.Topology == Cluster:
			lines = server.clusterLines()
		case i > 0:
			lines = []string{fmt.Sprintf("replicaof 127.0.0.1 %d", s.Servers[0].Front.Port())}
		}
		if err := server.configure(lines...); err != nil {
			return err
		}
		if err := server.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close ends everything and removes the files.
func (s *Set) Close() {
	for _, server := range append(s.sentinels, s.Servers...) {
		server.close()
	}
	_ = os.RemoveAll(s.dir)
}

// URL is the topology as the gateway's redis.url.
func (s *Set) URL() string {
	switch s.Topology {
	case Sentinel:
		return "redis+sentinel://" + strings.Join(s.sentinelAddrs(), ",") + "/" + masterName
	case Cluster:
		return "redis+cluster://" + strings.Join(s.fronts(), ",")
	default:
		return "redis://" + s.Servers[0].Addr()
	}
}

func (s *Set) fronts() []string {
	fronts := make([]string, len(s.Servers))
	for i, server := range s.Servers {
		fronts[i] = server.Addr()
	}
	return fronts
}

// Client returns a client as a backend would have it, which repeats nothing by
// itself.
func (s *Set) Client() redis.UniversalClient {
	opt := &redis.UniversalOptions{
		Addrs: s.fronts(), MaxRetries: -1, PoolSize: 8, DialTimeout: 2 * time.Second, ReadTimeout: 3 * time.Second,
		PoolTimeout: 3 * time.Second, ContextTimeoutEnabled: true, DisableIdentity: true,
	}
	switch s.Topology {
	case Sentinel:
		opt.Addrs, opt.MasterName = s.sentinelAddrs(), masterName
	case Cluster:
		opt.IsClusterMode = true
	}
	return redis.NewUniversalClient(opt)
}

// Masters returns the servers that are masters now and answer.
func (s *Set) Masters(ctx context.Context) []*Server {
	var masters []*Server
	for _, server := range s.Servers {
		if role, err := server.info(ctx, "replication", "role"); err == nil && role == "master" {
			masters = append(masters, server)
		}
	}
	if s.Topology != Sentinel || len(masters) < 2 {
		return masters
	}
	// One that has come back and not been told yet that it is none any more.
	for _, server := range masters {
		if server.Addr() == s.sentinelMaster(ctx) {
			return []*Server{server}
		}
	}
	return masters
}

// Commands returns how often each command was called at the masters since they
// were started, and which these are.
func (s *Set) Commands(ctx context.Context) (total map[string]int64, masters []string, err error) {
	total = make(map[string]int64)
	for _, server := range s.Masters(ctx) {
		masters = append(masters, server.Name)
		text, err := server.admin.Info(ctx, "commandstats").Result()
		if err != nil {
			return nil, nil, fmt.Errorf("redises: commands of %s: %w", server.Name, err)
		}
		for line := range strings.Lines(text) {
			name, rest, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":")
			calls, _, _ := strings.Cut(strings.TrimPrefix(rest, "calls="), ",")
			if n, err := strconv.ParseInt(calls, 10, 64); err == nil {
				total[name] += n
			}
		}
	}
	return total, masters, nil
}

// WaitHealthy waits until every server is up and in its role.
func (s *Set) WaitHealthy(ctx context.Context) error {
	return poll(ctx, "wait for "+string(s.Topology), func() error {
		for _, server := range s.Servers {
			if err := server.healthy(ctx, s.Topology); err != nil {
				return err
			}
		}
		err := s.mastered(ctx)
		if err == nil && s.Topology == Sentinel {
			err = s.sentinelsAgree(ctx)
		}
		return err
	})
}

// WaitMasters waits until there is a master of everything, which answers, whatever the
// other servers do.
func (s *Set) WaitMasters(ctx context.Context) error {
	return poll(ctx, "wait for the masters of "+string(s.Topology), func() error { return s.mastered(ctx) })
}

// mastered reports whether there are as many masters as there must be.
func (s *Set) mastered(ctx context.Context) error {
	want := 1
	if s.Topology == Cluster {
		want = clusterMasters
	}
	if n := len(s.Masters(ctx)); n != want {
		return fmt.Errorf("%d masters, want %d", n, want)
	}
	return nil
}

// healthy reports whether a server is up, and with its master if it has one.
func (s *Server) healthy(ctx context.Context, t Topology) error {
	role, err := s.info(ctx, "replication", "role")
	if err != nil {
		return err
	}
	if role == "slave" {
		if link, err := s.info(ctx, "replication", "master_link_status"); err != nil || link != "up" {
			return errors.Join(fmt.Errorf("%s: link to its master is %s", s.Name, link), err)
		}
	}
	if t == Cluster {
		return s.clusterHealthy(ctx)
	}
	return nil
}

// silent is a logger of go-redis that says nothing: servers that come and go are
// what a run is about.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(silent{}) }
