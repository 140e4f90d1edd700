package redistest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// StartReplica runs a replica of master, with more arguments for it, and waits until it
// has all data.
func StartReplica(tb testing.TB, master *Server, args ...string) *Server {
	tb.Helper()
	replica := Start(tb, append([]string{"--replicaof", "127.0.0.1 " + strconv.Itoa(master.port)}, args...)...)
	awaitData(tb, replica)
	return replica
}

// awaitData waits until a replica has the data of its master.
func awaitData(tb testing.TB, replica *Server) {
	tb.Helper()
	Eventually(tb, clusterTimeout, func() error {
		if info := replica.CLI("INFO", "replication"); !strings.Contains(info, "master_link_status:up") {
			return fmt.Errorf("replica %s: %s", replica.Addr(), info)
		}
		return nil
	})
}

// StartFailover runs a master with a replica, with more arguments for that, and a
// Sentinel that knows both, under a name.
func StartFailover(tb testing.TB, name string, args ...string) (master, replica, sentinel *Server) {
	tb.Helper()
	master = Start(tb)
	replica = StartReplica(tb, master, args...)
	sentinel = StartSentinel(tb, name, master)
	Eventually(tb, clusterTimeout, func() error {
		if got := sentinel.CLI("SENTINEL", "REPLICAS", name); !strings.Contains(got, strconv.Itoa(replica.port)) {
			return fmt.Errorf("sentinel knows %q", got)
		}
		return nil
	})
	return master, replica, sentinel
}
