package main

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub"
	"github.com/ginforge/gateway/session"
	"github.com/ginforge/gateway/session/admission"
)

// TestMapping_KeepsThePackagesDefaults finds a default that was changed in one
// place only.
func TestMapping_KeepsThePackagesDefaults(t *testing.T) {
	if got, want := admissionConfig(DefaultConfig()), admission.DefaultConfig(); !reflect.DeepEqual(got, want) {
		t.Errorf("admissionConfig(DefaultConfig()) = %+v, want admission's defaults %+v", got, want)
	}
	if got, want := busConfig(DefaultConfig()), pubsub.DefaultConfig(); got != want {
		t.Errorf("busConfig(DefaultConfig()) = %+v, want pubsub's defaults %+v", got, want)
	}
}

// TestMapping_WhatIsValidHereIsValidThere takes the ends of the ranges in
// Validate to the packages, whose errors would not name the keys.
func TestMapping_WhatIsValidHereIsValidThere(t *testing.T) {
	least := DefaultConfig()
	least.Limits = LimitsConfig{
		MessageBytes: 256, WriteBufferBytes: 4096, ReplayBytes: 4096, RoomsPerSession: 1, RoomNameBytes: 1, JSONDepth: 4, ProtocolErrors: 1,
		FramesPerSecond: 1, FramesBurst: 1, BytesPerSecond: 1, BytesBurst: 256, WatchedUsers: 1,
	}
	least.Admission = AdmissionConfig{
		MaxDelay: time.Second, TableEntries: admission.MinEntries, ClientIPHeader: admission.HeaderRealIP,
		IP: AdmissionIPConfig{IPv6Prefix: 1},
	}
	least.Engine.HandshakeTimeout, least.Engine.CloseTimeout = time.Second, time.Second
	least.Engine.PingInterval, least.Engine.PongTimeout = 2*time.Second, time.Second
	least.Engine.Compression = CompressionConfig{Level: 1}
	least.Presence.Grace, least.ReconnectWindow, least.Redis.Linger = 0, 0, 0
	least.Redis.Coalesce = 0
	least.Redis.QueueMessages, least.Redis.QueueBytes = 1, 512

	least.History.CheckInterval, least.Inbox.TTL = time.Second, time.Second

	most := DefaultConfig()
	most.Limits = LimitsConfig{
		MessageBytes: maxMessageBytes, WriteBufferBytes: maxQueueBytes, ReplayBytes: maxQueueBytes, RoomsPerSession: 10_000, RoomNameBytes: 255, JSONDepth: 512,
		ProtocolErrors: 10_000, FramesPerSecond: 100_000, FramesBurst: 100_000, BytesPerSecond: 1 << 30, BytesBurst: 1 << 30,
		WatchedUsers: 10_000, UserFramesPerSecond: 1e6, UserFramesBurst: 1e7, UserBytesPerSecond: 1 << 30, UserBytesBurst: 1 << 32,
	}
	most.Admission = AdmissionConfig{
		HandshakesPerSecond: 1e6, HandshakesBurst: 1e7, HandshakesInFlight: 1e7, MaxDelay: time.Hour, TableEntries: admission.MaxEntries,
		TrustedProxies: []string{"192.0.2.1", "2001:db8::/32"}, ClientIPHeader: admission.HeaderForwardedFor,
		IP:   AdmissionIPConfig{Connections: 1e7, HandshakesPerSecond: 1e6, HandshakesBurst: 1e7, IPv6Prefix: 128, Exempt: []string{"10.0.0.0/8", "::1"}},
		User: AdmissionUserConfig{HandshakesPerSecond: 1e6, HandshakesBurst: 1e7},
	}
	most.Engine.Pollers, most.Engine.MaxConnections = 256, 10_000_000
	most.Engine.HandshakeTimeout, most.Engine.CloseTimeout = maxEngineTimeout, maxEngineTimeout
	most.Engine.PingInterval, most.Engine.PongTimeout = maxEngineTimeout, maxEngineTimeout-time.Second
	most.Engine.Compression = CompressionConfig{Enabled: true, Level: 9, MinBytes: maxMessageBytes}
	most.Engine.Origins = []string{"*", "https://example.com", "https://*.example.com:8443", "http://localhost:5173"}
	most.Engine.Subprotocols = []string{"chat.v1"}
	most.Presence.Grace, most.ReconnectWindow, most.Redis.Linger = time.Hour, time.Hour, time.Hour
	most.ReconnectWindowMax, most.Devices.Max = time.Hour, 1000
	most.Redis.Coalesce = time.Second
	most.Redis.URL, most.Redis.WaitReplicas = "redis://127.0.0.1", maxWaitReplicas
	most.Redis.QueueMessages, most.Redis.QueueBytes = 1<<20, maxQueueBytes
	most.Namespaces["app.v1"] = NamespaceConfig{Presence: true, Join: allowCaps, Publish: allowNone, MessageBytes: maxMessageBytes, History: HistoryConfig{session.MaxHistory, maxHistoryTTL}}

	most.History.CheckInterval, most.Inbox = maxEngineTimeout, HistoryConfig{session.MaxHistory, maxHistoryTTL}

	for name, cfg := range map[string]Config{"least": least, "most": most} {
		t.Run(name, func(t *testing.T) {
			cfg.Development = true
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			err := errors.Join(engineConfig(cfg).Validate(), sessionConfig(cfg).Validate(), hubConfig(cfg).Validate(), busConfig(cfg).Validate(),
				admissionConfig(cfg).Validate())
			if err != nil {
				t.Error(err)
			}
		})
	}
}
