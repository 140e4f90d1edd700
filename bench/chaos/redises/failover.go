package redises

import (
	"context"
	"errors"
	"fmt"
)

// ErrNoReplica is returned by Failover when nobody could take over.
var ErrNoReplica = errors.New("redises: no replica to fail over to")

// Failover has a replica take over from a master in good order, as an operator
// does before maintenance: pick chooses the master in a Cluster.
func (s *Set) Failover(ctx context.Context, pick int) error {
	switch s.Topology {
	case Sentinel:
		if err := s.sentinels[0].admin.Do(ctx, "SENTINEL", "FAILOVER", masterName).Err(); err != nil {
			return fmt.Errorf("redises: failover: %w", err)
		}
		return nil
	case Cluster:
		return s.clusterFailover(ctx, pick)
	default:
		return ErrNoReplica
	}
}

func (s *Set) clusterFailover(ctx context.Context, pick int) error {
	var replicas []*Server
	for _, server := range s.Servers {
		if role, err := server.info(ctx, "replication", "role"); err == nil && role == "slave" {
			replicas = append(replicas, server)
		}
	}
	if len(replicas) == 0 {
		return ErrNoReplica
	}
	server := replicas[pick%len(replicas)]
	if err := server.admin.Do(ctx, "CLUSTER", "FAILOVER").Err(); err != nil {
		return fmt.Errorf("redises: failover to %s: %w", server.Name, err)
	}
	return nil
}
