package redises

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
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
	if err != nil {
		return fmt.Errorf("redises: failover: %w", err)
	}
	err = s.demote(ctx, master)
	return errors.Join(err, master.wantReplicas(ctx, 1))
}

// askAgain is how long after a demand for a failover the next one may come.
const askAgain = 3 * time.Second

// demote asks for a failover until it is done. Sentinel gives one up when the
// replica that it has chosen is late, on a busy machine for instance, tells only its
// log, and makes the replica one again, which may have been a master for a moment.
// Nothing is lost by that: it has no replicas, so it takes no writes.
func (s *Set) demote(ctx context.Context, master *Server) error {
	var asked time.Time
	var answer error
	return poll(ctx, "demote "+master.Name, func() error {
		role, err := master.info(ctx, "replication", "role")
		if err != nil || role != "master" {
			return err
		}
		// The master hears of its end a second or two after the Sentinels have decided.
		if time.Since(asked) > askAgain && s.sentinelMaster(ctx) == master.Addr() {
			asked = time.Now()
			// INPROG, while one is under way, and NOGOODSLAVE, for now, are no failures.
			answer = s.sentinels[0].admin.Do(ctx, "SENTINEL", "FAILOVER", masterName).Err()
		}
		return errors.Join(errors.New("it is still the master"), answer)
	})
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
