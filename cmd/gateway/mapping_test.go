package main

import (
	"errors"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub"
)

// TestMapping_KeepsThePackagesDefaults finds a default that was changed in one
// place only.
func TestMapping_KeepsThePackagesDefaults(t *testing.T) {
	if got, want := busConfig(DefaultConfig()), pubsub.DefaultConfig(); got != want {
		t.Errorf("busConfig(DefaultConfig()) = %+v, want pubsub's defaults %+v", got, want)
	}
}

// TestMapping_WhatIsValidHereIsValidThere takes the ends of the ranges in
// Validate to the packages, whose errors would not name the keys.
func TestMapping_WhatIsValidHereIsValidThere(t *testing.T) {
	least := DefaultConfig()
	least.Limits = LimitsConfig{256, 4096, 1, 1, 4, 1, 1, 1, 1}
	least.Engine.HandshakeTimeout, least.Engine.CloseTimeout = time.Second, time.Second
	least.Engine.PingInterval, least.Engine.PongTimeout = 2*time.Second, time.Second
	least.Engine.Compression = CompressionConfig{Level: 1}
	least.Presence.Grace, least.ReconnectWindow, least.Redis.Linger = 0, 0, 0
	least.Redis.QueueMessages, least.Redis.QueueBytes = 1, 512

	most := DefaultConfig()
	most.Limits = LimitsConfig{maxMessageBytes, maxQueueBytes, 10_000, 255, 512, 10_000, 100_000, 100_000, 10_000}
	most.Engine.Pollers, most.Engine.MaxConnections = 256, 10_000_000
	most.Engine.HandshakeTimeout, most.Engine.CloseTimeout = maxEngineTimeout, maxEngineTimeout
	most.Engine.PingInterval, most.Engine.PongTimeout = maxEngineTimeout, maxEngineTimeout-time.Second
	most.Engine.Compression = CompressionConfig{Enabled: true, Level: 9, MinBytes: maxMessageBytes}
	most.Engine.Origins = []string{"*", "https://example.com", "https://*.example.com:8443", "http://localhost:5173"}
	most.Engine.Subprotocols = []string{"chat.v1"}
	most.Presence.Grace, most.ReconnectWindow, most.Redis.Linger = time.Hour, time.Hour, time.Hour
	most.Redis.QueueMessages, most.Redis.QueueBytes = 1<<20, maxQueueBytes
	most.Namespaces["app.v1"] = NamespaceConfig{Presence: true, Join: allowCaps, Publish: allowNone, MessageBytes: maxMessageBytes}

	for name, cfg := range map[string]Config{"least": least, "most": most} {
		t.Run(name, func(t *testing.T) {
			cfg.Development = true
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			err := errors.Join(engineConfig(cfg).Validate(), sessionConfig(cfg).Validate(), hubConfig(cfg).Validate(), busConfig(cfg).Validate())
			if err != nil {
				t.Error(err)
			}
		})
	}
}
