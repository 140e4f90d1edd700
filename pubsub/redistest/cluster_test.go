package redistest

import (
	"fmt"
	"testing"
)

func TestCluster_ReplicasTakeOverAndSlotsMove(t *testing.T) {
	c := StartCluster(t, 3, 1)
	home := c.Primary("key")
	if got := c.Primaries[home].CLI("SET", "key", "value"); got != "OK" {
		t.Fatalf("SET = %q", got)
	}
	Eventually(t, clusterTimeout, func() error { // WAIT would only wait for what its own connection has written
		if got := c.Replicas[home][0].CLI("DBSIZE"); got != "1" {
			return fmt.Errorf("the replica has %s keys, want 1", got)
		}
		return nil
	})
	heir := c.KillPrimary(home)
	if got := heir.CLI("GET", "key"); got != "value" {
		t.Errorf("GET at the heir = %q, want value", got)
	}

	other := (home + 1) % 3
	third := (home + 2) % 3
	slot := other * numSlots / 3
	c.MoveSlot(slot, other, third)
	c.WaitOK()
	if got := c.SwitchPrimary(third).CLI("CLUSTER", "COUNTKEYSINSLOT", "0"); got != "0" {
		t.Errorf("COUNTKEYSINSLOT = %q", got)
	}
}
