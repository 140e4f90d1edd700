package redises

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// numSentinels vote by majority.
const numSentinels = 3

// startSentinel starts a master, two replicas and the Sentinels. A master that has
// lost its replicas refuses writes: one that was replaced while it hung must not
// acknowledge what nobody will keep.
func (s *Set) startSentinel(ctx context.Context) error {
	if err := s.startServers(ctx, 3); err != nil {
		return err
	}
	for i := range numSentinels {
		sentinel, err := prepare(s.dir, "sentinel"+strconv.Itoa(i+1))
		if err != nil {
			return err
		}
		config := filepath.Join(filepath.Dir(sentinel.log), "sentinel.conf") // which Sentinel writes to
		text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor %s 127.0.0.1 %d 2\n"+
			"sentinel down-after-milliseconds %[3]s %[5]d\nsentinel failover-timeout %[3]s 6000\n",
			sentinel.port, filepath.Dir(sentinel.log), masterName, s.Servers[0].Front.Port(), downAfter.Milliseconds())
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return fmt.Errorf("redises: %w", err)
		}
		sentinel.args = []string{config, "--sentinel"}
		s.sentinels = append(s.sentinels, sentinel)
		if err := sentinel.Start(ctx); err != nil {
			return err
		}
	}
	if err := s.WaitHealthy(ctx); err != nil {
		return err
	}
	for _, server := range s.Servers {
		if err := server.wantReplicas(ctx, 1); err != nil {
			return err
		}
	}
	return nil
}

// wantReplicas has a server refuse writes while it has fewer replicas than that.
func (s *Server) wantReplicas(ctx context.Context, n int) error {
	err := s.admin.ConfigSet(ctx, "min-replicas-to-write", strconv.Itoa(n)).Err()
	if err == nil {
		err = s.admin.ConfigRewrite(ctx).Err()
	}
	if err != nil {
		return fmt.Errorf("redises: %s: %w", s.Name, err)
	}
	return nil
}

func (s *Set) sentinelAddrs() []string {
	addrs := make([]string, len(s.sentinels))
	for i, sentinel := range s.sentinels {
		addrs[i] = sentinel.addr()
	}
	return addrs
}

// sentinelMaster is the address that the first Sentinel gives out, or "".
func (s *Set) sentinelMaster(ctx context.Context) string {
	addr, err := s.sentinels[0].admin.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName).StringSlice()
	if err != nil || len(addr) != 2 {
		return ""
	}
	return addr[0] + ":" + addr[1]
}

// Replaced waits until a master that was killed, and has been dead for so long, can come
// back without harm. Sentinels who have found it dead replace it even when it lives
// again; what it then took, with the one replica that had not left it yet, would be
// lost though acknowledged and replicated, and that is no fault of a gateway. A server
// of a Cluster takes nothing before it has heard of the others.
func (s *Set) Replaced(ctx context.Context, master *Server, dead time.Duration) error {
	if s.Topology != Sentinel || dead < unnoticed {
		return nil
	}
	return poll(ctx, "replace "+master.Name, func() error {
		for _, server := range s.Servers {
			if server == master {
				continue
			}
			role, err := server.info(ctx, "replication", "role")
			if err != nil {
				return err
			}
			if role == "master" {
				continue
			}
			of, err := server.info(ctx, "replication", "master_port")
			if err != nil {
				return err
			}
			if of == strconv.Itoa(master.Front.Port()) {
				return fmt.Errorf("%s still follows it", server.Name)
			}
		}
		return nil
	})
}

// downAfter is how long a master may be silent until a Sentinel takes it for dead, and
// unnoticed what is so much shorter that it is up again by then.
const (
	downAfter = 2 * time.Second
	unnoticed = 1200 * time.Millisecond
)

// sentinelsAgree reports whether all Sentinels know each other, and a master with
// two replicas.
func (s *Set) sentinelsAgree(ctx context.Context) error {
	for _, sentinel := range s.sentinels {
		state, err := sentinel.admin.Do(ctx, "SENTINEL", "MASTER", masterName).Result()
		if err != nil {
			return fmt.Errorf("redises: %s: %w", sentinel.Name, err)
		}
		fields := pairs(state)
		if fields["flags"] != "master" || fields["num-slaves"] != "2" || fields["num-other-sentinels"] != strconv.Itoa(numSentinels-1) {
			return fmt.Errorf("redises: %s: flags %s, %s replicas, %s other sentinels", sentinel.Name,
				fields["flags"], fields["num-slaves"], fields["num-other-sentinels"])
		}
	}
	return nil
}

// pairs reads an answer of names and values, as RESP2 has it.
func pairs(answer any) map[string]string {
	fields := make(map[string]string)
	list, _ := answer.([]any)
	for i := 0; i+1 < len(list); i += 2 {
		name, _ := list[i].(string)
		value, _ := list[i+1].(string)
		fields[name] = value
	}
	return fields
}
