package redises

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// ErrNoReplica is returned by Failover when nobody could take over.
var ErrNoReplica = errors.New("redises: no replica to fail over to")

// Failover has a replica take over from a master in good order, as an operator
// does before maintenance.
func (s *Set) Failover(ctx context.Context, master *Server) error {
	switch s.Topology {
	case Sentinel:
		return s.sentinelFailover(ctx, master)
	case Cluster:
		return s.clusterFailover(ctx, master)
	default:
		return ErrNoReplica
	}
}

// sentinelFailover has the Sentinels replace their master. They do not ask it to
// stop first: what it takes between the promotion of a replica and its own
// demotion, a second or two, would be lost. So it is told to refuse writes, and the
// replicas have all that it has, before the Sentinels begin.
func (s *Set) sentinelFailover(ctx context.Context, master *Server) error {
	err := master.wantReplicas(ctx, len(s.Servers)) // more than there are
	if err == nil {
		err = s.caughtUp(ctx, master)
	}
	if err == nil {
		err = s.sentinels[0].admin.Do(ctx, "SENTINEL", "FAILOVER", masterName).Err()
	}
	if err != nil {
		return fmt.Errorf("redises: failover: %w", err)
	}
	err = poll(ctx, "demote "+master.Name, func() error {
		role, err := master.info(ctx, "replication", "role")
		if err == nil && role == "master" {
			err = errors.New("it is still the master")
		}
		return err
	})
	return errors.Join(err, master.wantReplicas(ctx, 1))
}

// caughtUp waits until all replicas have what their master has.
func (s *Set) caughtUp(ctx context.Context, master *Server) error {
	want, err := master.info(ctx, "replication", "master_repl_offset")
	if err != nil {
		return err
	}
	return poll(ctx, "catch up with "+master.Name, func() error {
		for _, server := range s.Servers {
			got, err := server.info(ctx, "replication", "master_repl_offset")
			if err != nil {
				return err
			}
			if len(got) < len(want) || len(got) == len(want) && got < want { // numbers
				return fmt.Errorf("%s has %s of %s", server.Name, got, want)
			}
		}
		return nil
	})
}

// clusterFailover has the replica of a master ask it for its slots.
func (s *Set) clusterFailover(ctx context.Context, master *Server) error {
	port := strconv.Itoa(master.Front.Port())
	for _, server := range s.Servers {
		of, err := server.info(ctx, "replication", "master_port") // a replica has it
		if err != nil || of != port {
			continue
		}
		if err := server.admin.Do(ctx, "CLUSTER", "FAILOVER").Err(); err != nil {
			return fmt.Errorf("redises: failover to %s: %w", server.Name, err)
		}
		return nil
	}
	return ErrNoReplica
}
