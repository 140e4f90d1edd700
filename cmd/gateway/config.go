package main

import (
	"slices"
	"strings"
	"time"

	"github.com/ginforge/gateway/session"
	"github.com/ginforge/gateway/session/admission"
)

// Config is everything that can be set, with the keys of configs/gateway.yaml
// as its koanf tags. It is read once at start-up and never changed afterwards;
// the comments in configs/gateway.yaml are its reference for operators.
type Config struct {
	// Listen is the public address, for browsers: host:port, port 0 for a free one.
	Listen string `koanf:"listen"`
	// AdminListen is the internal address: metrics, profiles.
	AdminListen string `koanf:"admin_listen"`
	// Development turns on what helps to try the gateway and must not be
	// reachable by strangers: the demo page, a secret that everybody knows.
	Development bool `koanf:"development"`
	// Node is this node's name in welcome frames and logs; empty for the
	// host's name with a random suffix, see nodeName.
	Node string `koanf:"node"`

	Admin     AdminConfig     `koanf:"admin"`
	Console   ConsoleConfig   `koanf:"console"`
	Log       LogConfig       `koanf:"log"`
	JWT       JWTConfig       `koanf:"jwt"`
	Redis     RedisConfig     `koanf:"redis"`
	Engine    EngineConfig    `koanf:"engine"`
	Limits    LimitsConfig    `koanf:"limits"`
	Admission AdmissionConfig `koanf:"admission"`
	Presence  PresenceConfig  `koanf:"presence"`
	Devices   DevicesConfig   `koanf:"devices"`
	// ReconnectWindow and ReconnectWindowMax bound the time over which clients
	// are asked to spread their reconnects when this node goes away.
	ReconnectWindow    time.Duration `koanf:"reconnect_window"`
	ReconnectWindowMax time.Duration `koanf:"reconnect_window_max"`
	Session            SessionConfig `koanf:"session"`
	Drain              DrainConfig   `koanf:"drain"`
	// Namespaces has the rules for rooms by namespace, and for the rooms
	// without one under defaultNamespace.
	Namespaces map[string]NamespaceConfig `koanf:"namespaces"`
	// History is about all rooms that have one, and Inbox what is kept of the
	// messages of each user.
	History LogsConfig    `koanf:"history"`
	Inbox   HistoryConfig `koanf:"inbox"`
	// Intake is about what backends publish durably.
	Intake IntakeConfig `koanf:"intake"`
	// Delivery is for messages to clients that read too slowly.
	Delivery DeliveryConfig `koanf:"delivery"`
	Shutdown ShutdownConfig `koanf:"shutdown"`
}

// ConsoleConfig is about the console of the internal listener.
type ConsoleConfig struct {
	// URL is where its pages reach /ws of this node, ws:// or wss://; empty for
	// the public listener's port at the host by which the page was reached.
	URL string `koanf:"url"`
}

// AdminConfig is about who may use the internal listener's API.
type AdminConfig struct {
	// APIKeys are what X-API-Key may be; with none the API is off, except in
	// development mode.
	APIKeys []string `koanf:"api_keys"`
}

// LogConfig says what is logged and how; logs go to standard error.
type LogConfig struct {
	Level  string `koanf:"level"`
	Format string `koanf:"format"`
}

// JWTConfig says which tokens open a connection.
type JWTConfig struct {
	Secret        string        `koanf:"secret"`
	Algorithms    []string      `koanf:"algorithms"`
	PublicKeyFile string        `koanf:"public_key_file"`
	Issuer        string        `koanf:"issuer"`
	Audience      string        `koanf:"audience"`
	Leeway        time.Duration `koanf:"leeway"`
	// Cookie names the cookie that may carry the token; empty for none.
	Cookie string `koanf:"cookie"`
}

// RedisConfig says where Redis is and how much may wait for it.
type RedisConfig struct {
	// URL is "embedded" or the address of a real Redis.
	URL            string        `koanf:"url"`
	EmbeddedListen string        `koanf:"embedded_listen"`
	Prefix         string        `koanf:"prefix"`
	Linger         time.Duration `koanf:"linger"`
	Coalesce       time.Duration `koanf:"coalesce"`
	QueueMessages  int           `koanf:"queue_messages"`
	// WaitReplicas is how many replicas must have a message for a log before
	// its sender is told that it was taken.
	WaitReplicas int `koanf:"wait_replicas"`
	QueueBytes   int `koanf:"queue_bytes"`
	// NotifyClients tells clients when Redis goes and when it is back.
	NotifyClients bool `koanf:"notify_clients"`
}

// EngineConfig is about sockets and the WebSocket protocol itself.
type EngineConfig struct {
	Pollers          int               `koanf:"pollers"`
	HandshakeTimeout time.Duration     `koanf:"handshake_timeout"`
	CloseTimeout     time.Duration     `koanf:"close_timeout"`
	PingInterval     time.Duration     `koanf:"ping_interval"`
	PongTimeout      time.Duration     `koanf:"pong_timeout"`
	MaxConnections   int               `koanf:"max_connections"`
	Origins          []string          `koanf:"origins"`
	Subprotocols     []string          `koanf:"subprotocols"`
	Compression      CompressionConfig `koanf:"compression"`
	// Echo opens /echo, which needs no token, for conformance tests.
	Echo bool `koanf:"echo"`
}

// CompressionConfig is permessage-deflate, without context takeover.
type CompressionConfig struct {
	Enabled  bool `koanf:"enabled"`
	Level    int  `koanf:"level"`
	MinBytes int  `koanf:"min_bytes"`
}

// LimitsConfig bounds what one connection may ask for.
type LimitsConfig struct {
	MessageBytes     int `koanf:"message_bytes"`
	WriteBufferBytes int `koanf:"write_buffer_bytes"`
	// ReplayBytes bounds one replay, or one part of an inbox, and what of it may
	// wait beyond WriteBufferBytes.
	ReplayBytes     int `koanf:"replay_bytes"`
	RoomsPerSession int `koanf:"rooms_per_session"`
	RoomNameBytes   int `koanf:"room_name_bytes"`
	JSONDepth       int `koanf:"json_depth"`
	// ProtocolErrors is per minute, FramesPerSecond and FramesBurst are a
	// token bucket.
	ProtocolErrors  int `koanf:"protocol_errors"`
	FramesPerSecond int `koanf:"frames_per_second"`
	FramesBurst     int `koanf:"frames_burst"`
	// Bytes are those of frames.
	BytesPerSecond int `koanf:"bytes_per_second"`
	BytesBurst     int `koanf:"bytes_burst"`
	WatchedUsers   int `koanf:"watched_users"`
	// The User keys hold for all connections of a user at a node together; 0
	// a second is no limit.
	UserFramesPerSecond int `koanf:"user_frames_per_second"`
	UserFramesBurst     int `koanf:"user_frames_burst"`
	UserBytesPerSecond  int `koanf:"user_bytes_per_second"`
	UserBytesBurst      int `koanf:"user_bytes_burst"`
}

// AdmissionConfig says who is let in; 0 is no limit everywhere.
type AdmissionConfig struct {
	HandshakesPerSecond int           `koanf:"handshakes_per_second"`
	HandshakesBurst     int           `koanf:"handshakes_burst"`
	HandshakesInFlight  int           `koanf:"handshakes_in_flight"`
	MaxDelay            time.Duration `koanf:"max_delay"`
	TableEntries        int           `koanf:"table_entries"`
	// TrustedProxies are networks whose ClientIPHeader is believed.
	TrustedProxies []string            `koanf:"trusted_proxies"`
	ClientIPHeader string              `koanf:"client_ip_header"`
	IP             AdmissionIPConfig   `koanf:"ip"`
	User           AdmissionUserConfig `koanf:"user"`
}

// AdmissionIPConfig is what one address may have.
type AdmissionIPConfig struct {
	Connections         int      `koanf:"connections"`
	HandshakesPerSecond int      `koanf:"handshakes_per_second"`
	HandshakesBurst     int      `koanf:"handshakes_burst"`
	IPv6Prefix          int      `koanf:"ipv6_prefix"`
	Exempt              []string `koanf:"exempt"`
}

// AdmissionUserConfig is how often one user may connect to a node.
type AdmissionUserConfig struct {
	HandshakesPerSecond int `koanf:"handshakes_per_second"`
	HandshakesBurst     int `koanf:"handshakes_burst"`
}

// PresenceConfig is about users coming and going.
type PresenceConfig struct {
	// Grace is how long a user whose last device has gone is still online.
	Grace time.Duration `koanf:"grace"`
	// Scope says whose: of all nodes, of each node by itself, or auto.
	Scope string `koanf:"scope"`
}

// DevicesConfig limits the devices of a user, over all nodes.
type DevicesConfig struct {
	// Max is how many a user may have; 0 for any number.
	Max int `koanf:"max"`
	// Policy says which one has to go for one too many.
	Policy string `koanf:"policy"`
	// Unique allows one connection for each device id.
	Unique bool `koanf:"unique"`
}

// NamespaceConfig rules the rooms whose names begin with the namespace and a
// colon. The one called "default" rules the rooms that have no other.
type NamespaceConfig struct {
	// Presence tells the members of a room who comes online and who goes.
	Presence bool `koanf:"presence"`
	// Join and Publish say who may: any, caps (whose token says so), none.
	Join    string `koanf:"join"`
	Publish string `koanf:"publish"`
	// MessageBytes is a limit below Limits.MessageBytes; 0 for that one.
	MessageBytes int `koanf:"message_bytes"`
	// History is what is kept of a room's messages.
	History HistoryConfig `koanf:"history"`
	// Delivery is what may happen to its messages when a client is slow.
	Delivery DeliveryRuleConfig `koanf:"delivery"`
}

// DeliveryConfig has rules for messages by their type.
type DeliveryConfig struct {
	DataUpdate DeliveryRuleConfig `koanf:"data_update"`
}

// DeliveryRuleConfig is a class, must, latest or drop, and of drop the age.
type DeliveryRuleConfig struct {
	Class  string        `koanf:"class"`
	MaxAge time.Duration `koanf:"max_age"`
}

// HistoryConfig says how much is kept: Size messages, 0 for none, none of them
// longer than TTL.
type HistoryConfig struct {
	Size int           `koanf:"size"`
	TTL  time.Duration `koanf:"ttl"`
}

// IntakeConfig is about what backends publish durably, by XADD.
type IntakeConfig struct {
	Enabled bool `koanf:"enabled"`
	// DedupeWindow is how long the id of a message is remembered, also of one
	// that was published plainly for a log.
	DedupeWindow time.Duration `koanf:"dedupe_window"`
}

// LogsConfig is about the logs of rooms and inboxes.
type LogsConfig struct {
	// CheckInterval is how often a log that is silent is compared with Redis.
	CheckInterval time.Duration `koanf:"check_interval"`
}

// How long messages are kept unless it is said otherwise.
const (
	defaultHistoryTTL = 24 * time.Hour
	defaultMaxAge     = 2 * time.Second
	defaultInboxTTL   = 7 * 24 * time.Hour
)

// SessionConfig is about the life of a connection.
type SessionConfig struct {
	// MaxAge is when a connection's client is asked for a new one; 0 for never.
	MaxAge time.Duration `koanf:"max_age"`
}

// DrainConfig says how clients are sent to other nodes.
type DrainConfig struct {
	// Rate is how many clients are asked in a second, Grace how long each may
	// take until its old connection is closed.
	Rate  int           `koanf:"rate"`
	Grace time.Duration `koanf:"grace"`
}

// ShutdownConfig bounds the end of the process.
type ShutdownConfig struct {
	// LBDelay is how long the node still takes connections when it is no longer
	// ready, Timeout how long clients have after that.
	LBDelay time.Duration `koanf:"lb_delay"`
	Timeout time.Duration `koanf:"timeout"`
}

// Who may join a room or publish to it.
const (
	allowAny  = "any"
	allowCaps = "caps"
	allowNone = "none"
)

// defaultNamespace is the name of the rule for rooms without a rule of their own.
const defaultNamespace = "default"

// embeddedURL is the value of redis.url for the Redis inside the process.
const embeddedURL = "embedded"

// developmentSecret signs and checks tokens in development mode when no secret
// is configured. It is in the source for everyone to read on purpose: `gateway
// token` in another terminal must arrive at the same one.
const developmentSecret = "gateway-development-secret-which-everybody-knows"

// DefaultConfig is what holds for every key that nothing sets. It lacks only
// what nobody can guess: jwt.secret, without which it is not valid.
func DefaultConfig() Config {
	gate := admission.DefaultConfig()
	return Config{
		Listen:      ":8087",
		AdminListen: "127.0.0.1:8088",
		Admin:       AdminConfig{APIKeys: []string{}},
		Log:         LogConfig{Level: "info", Format: formatAuto},
		JWT:         JWTConfig{Algorithms: []string{"HS256"}, Leeway: 5 * time.Second},
		Redis: RedisConfig{
			URL:            embeddedURL,
			EmbeddedListen: "127.0.0.1:6379",
			Prefix:         "websocket:",
			Linger:         30 * time.Second,
			Coalesce:       16 * time.Millisecond,
			QueueMessages:  4096,
			QueueBytes:     16 << 20,
			NotifyClients:  true,
		},
		Engine: EngineConfig{
			HandshakeTimeout: 10 * time.Second,
			CloseTimeout:     5 * time.Second,
			PingInterval:     25 * time.Second,
			PongTimeout:      10 * time.Second,
			Origins:          []string{},
			Subprotocols:     []string{},
			Compression:      CompressionConfig{Level: 1, MinBytes: 256},
		},
		Limits: LimitsConfig{
			MessageBytes:     64 << 10,
			WriteBufferBytes: 256 << 10,
			ReplayBytes:      1 << 20,
			RoomsPerSession:  100,
			RoomNameBytes:    255,
			JSONDepth:        32,
			ProtocolErrors:   20,
			FramesPerSecond:  50,
			FramesBurst:      100,
			BytesPerSecond:   1 << 20,
			BytesBurst:       8 << 20,
			WatchedUsers:     200,

			UserFramesPerSecond: gate.User.FramesPerSecond,
			UserFramesBurst:     gate.User.FramesBurst,
			UserBytesPerSecond:  gate.User.BytesPerSecond,
			UserBytesBurst:      gate.User.BytesBurst,
		},
		Admission: AdmissionConfig{
			HandshakesPerSecond: gate.HandshakesPerSecond,
			HandshakesBurst:     gate.HandshakesBurst,
			HandshakesInFlight:  gate.HandshakesInFlight,
			MaxDelay:            gate.MaxDelay,
			TableEntries:        gate.Entries,
			TrustedProxies:      []string{},
			ClientIPHeader:      gate.Address.Header,
			IP: AdmissionIPConfig{
				Connections:         gate.Address.Connections,
				HandshakesPerSecond: gate.Address.HandshakesPerSecond,
				HandshakesBurst:     gate.Address.HandshakesBurst,
				IPv6Prefix:          gate.Address.IPv6Prefix,
				Exempt:              networkTexts(gate.Address.Exempt),
			},
			User: AdmissionUserConfig{
				HandshakesPerSecond: gate.User.HandshakesPerSecond,
				HandshakesBurst:     gate.User.HandshakesBurst,
			},
		},
		Presence:           PresenceConfig{Grace: 10 * time.Second, Scope: scopeAuto},
		Devices:            DevicesConfig{Policy: refuseNewest},
		ReconnectWindow:    5 * time.Second,
		ReconnectWindowMax: 2 * time.Minute,
		Drain:              DrainConfig{Rate: 500, Grace: 5 * time.Second},
		Namespaces:         map[string]NamespaceConfig{defaultNamespace: {Join: allowAny, Publish: allowAny, History: HistoryConfig{TTL: defaultHistoryTTL}, Delivery: DeliveryRuleConfig{MaxAge: defaultMaxAge}}},
		History:            LogsConfig{CheckInterval: 30 * time.Second},
		Inbox:              HistoryConfig{TTL: defaultInboxTTL},
		Intake:             IntakeConfig{Enabled: true, DedupeWindow: 2 * time.Minute},
		Shutdown:           ShutdownConfig{Timeout: 15 * time.Second},
		Delivery:           DeliveryConfig{DataUpdate: DeliveryRuleConfig{Class: string(session.DeliverMust), MaxAge: defaultMaxAge}},
	}
}

// usesDevelopmentSecret reports whether tokens are checked against the secret
// that everybody knows, for want of any other key.
func (c Config) usesDevelopmentSecret() bool {
	return c.Development && c.JWT.Secret == "" && c.JWT.PublicKeyFile == "" &&
		slices.ContainsFunc(c.JWT.Algorithms, signsWithSecret)
}

// signsWithSecret reports whether an algorithm is one that jwt.secret is for.
func signsWithSecret(algorithm string) bool { return strings.HasPrefix(algorithm, "HS") }
