package main

import (
	"testing"

	"github.com/ginforge/gateway/pubsub"
)

// TestMapping_KeepsThePackagesDefaults finds a default that was changed in one
// place only.
func TestMapping_KeepsThePackagesDefaults(t *testing.T) {
	if got, want := busConfig(DefaultConfig()), pubsub.DefaultConfig(); got != want {
		t.Errorf("busConfig(DefaultConfig()) = %+v, want pubsub's defaults %+v", got, want)
	}
}
