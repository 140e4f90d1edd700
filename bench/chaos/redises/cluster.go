package redises

import (
	"context"
	"fmt"
	"strings"
)

const (
	clusterMasters = 3
	clusterSlots   = 16384
)

// clusterLines are of the configuration of a server in a Cluster.
func (s *Server) clusterLines() []string {
	return []string{
		"cluster-enabled yes", fmt.Sprintf("cluster-port %d", s.bus), "cluster-node-timeout 3000",
		"cluster-announce-ip 127.0.0.1", fmt.Sprintf("cluster-announce-port %d", s.Front.Port()),
		fmt.Sprintf("cluster-announce-bus-port %d", s.bus), "cluster-replica-validity-factor 0",
	}
}

// startCluster starts three masters that share the slots, and a replica of each.
func (s *Set) startCluster(ctx context.Context) error {
	if err := s.startServers(ctx, 2*clusterMasters); err != nil {
		return err
	}
	for i, server := range s.Servers {
		if err := server.enter(ctx, i, s.Servers[0]); err != nil {
			return fmt.Errorf("redises: %s: %w", server.Name, err)
		}
	}
	for i, master := range s.Servers[:clusterMasters] {
		replica := s.Servers[clusterMasters+i]
		id, err := master.admin.Do(ctx, "CLUSTER", "MYID").Text()
		if err != nil {
			return fmt.Errorf("redises: %s: %w", master.Name, err)
		}
		// Its master is known to it by gossip, in a while.
		err = poll(ctx, "make "+replica.Name+" a replica", func() error {
			return replica.admin.Do(ctx, "CLUSTER", "REPLICATE", id).Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// enter gives server number i its share of the slots, if any, and introduces it.
func (s *Server) enter(ctx context.Context, i int, first *Server) error {
	if i < clusterMasters {
		from, to := i*clusterSlots/clusterMasters, (i+1)*clusterSlots/clusterMasters-1
		if err := s.admin.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", from, to).Err(); err != nil {
			return err
		}
	}
	if err := s.admin.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
		return err
	}
	if i == 0 {
		return nil
	}
	return s.admin.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", first.Front.Port(), first.bus).Err()
}

// clusterHealthy reports whether a server sees the whole Cluster at work.
func (s *Server) clusterHealthy(ctx context.Context) error {
	info, err := s.admin.ClusterInfo(ctx).Result()
	if err != nil {
		return fmt.Errorf("redises: %s: %w", s.Name, err)
	}
	if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprint("cluster_known_nodes:", 2*clusterMasters)) {
		return fmt.Errorf("redises: %s: %s", s.Name, info)
	}
	nodes, err := s.admin.ClusterNodes(ctx).Result()
	if err != nil {
		return fmt.Errorf("redises: %s: %w", s.Name, err)
	}
	for line := range strings.Lines(nodes) {
		if strings.Contains(line, "fail") || strings.Contains(line, "handshake") {
			return fmt.Errorf("redises: %s sees %s", s.Name, line)
		}
	}
	return nil
}
