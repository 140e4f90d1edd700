package main

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ginforge/gateway/session"
)

// Bounds which more than one key shares.
const (
	minMessageBytes = 256
	maxMessageBytes = 16 << 20
	maxQueueBytes   = 1 << 30
	maxWaitReplicas = 16
	maxNameBytes    = 255

	// minWriteBufferBytes holds a few frames of the gateway's own.
	minWriteBufferBytes = 4 << 10

	// minAPIKeyBytes keeps keys from being guessed.
	minAPIKeyBytes = 16

	// maxEngineTimeout is the longest time that the engine's timing wheel
	// can measure, and it measures in whole seconds.
	maxEngineTimeout = 10 * time.Minute
)

// Validate returns everything that is wrong with the configuration, one error
// a key, each of which names the key, what is allowed, and the value unless it
// is a secret.
func (c Config) Validate() error {
	return errors.Join(
		c.validateServer(),
		c.validateJWT(),
		c.validateRedis(),
		c.validateEngine(),
		c.validateLimits(),
		c.validateAdmission(),
		c.validateNamespaces(),
	)
}

// validateServer checks the keys that belong to no section of their own.
func (c Config) validateServer() error {
	var p problems
	p.address("listen", c.Listen)
	p.address("admin_listen", c.AdminListen)
	p.unless(c.AdminListen != c.Listen || strings.HasSuffix(c.Listen, ":0"), "admin_listen", c.AdminListen,
		"another address than listen: its pages are not for the public")
	for _, key := range c.Admin.APIKeys {
		p.unless(len(key) >= minAPIKeyBytes && isToken(key), "admin.api_keys", key,
			"keys of "+strconv.Itoa(minAPIKeyBytes)+" bytes and more, without spaces and brackets, such as openssl rand -hex 24 makes")
	}
	p.unless(c.Console.URL == "" || isWebSocketURL(c.Console.URL), "console.url", c.Console.URL,
		`empty, or a URL such as "wss://node-1.example.com/ws"`)
	p.unless(len(c.Node) <= 128 && isPlain(c.Node), "node", c.Node,
		"at most 128 bytes of text without control characters")
	p.oneOf("log.level", c.Log.Level, logLevels...)
	p.oneOf("log.format", c.Log.Format, formatAuto, formatJSON, formatConsole)
	p.span("presence.grace", c.Presence.Grace, 0, time.Hour)
	p.oneOf("presence.scope", c.Presence.Scope, scopeAuto, scopeCluster, scopeNode)
	p.unless(c.Presence.Scope != scopeNode || !c.limitsDevices(), "presence.scope", c.Presence.Scope,
		"cluster or auto where devices are limited (devices.max, devices.unique)")
	p.count("devices.max", c.Devices.Max, 0, 1000, "devices (0: any number)")
	p.oneOf("devices.policy", c.Devices.Policy, refuseNewest, replaceOldest)
	p.span("reconnect_window", c.ReconnectWindow, 0, time.Hour)
	p.span("reconnect_window_max", c.ReconnectWindowMax, c.ReconnectWindow, time.Hour)
	p.span("session.max_age", c.Session.MaxAge, 0, 30*24*time.Hour)
	p.count("drain.rate", c.Drain.Rate, 1, 1_000_000, "clients a second")
	p.span("drain.grace", c.Drain.Grace, 0, 10*time.Minute)
	p.span("shutdown.lb_delay", c.Shutdown.LBDelay, 0, 10*time.Minute)
	p.span("shutdown.timeout", c.Shutdown.Timeout, 100*time.Millisecond, 10*time.Minute)
	return p.join()
}

// validateJWT is all that `gateway token` needs to be right.
func (c Config) validateJWT() error {
	var p problems
	p.unless(c.JWT.Cookie == "" || (&http.Cookie{Name: c.JWT.Cookie, Value: "x"}).Valid() == nil,
		"jwt.cookie", c.JWT.Cookie, "a cookie's name, or empty for none")
	p.unless(len(c.JWT.Algorithms) > 0, "jwt.algorithms", c.JWT.Algorithms, "a list of at least one algorithm, such as [HS256]")
	p.span("jwt.leeway", c.JWT.Leeway, 0, 10*time.Minute)
	if c.JWT.Secret == "" && c.JWT.PublicKeyFile == "" && !c.Development {
		p.add(errNoSecret)
	} else {
		p.add(authConfig(c).Validate())
	}
	return p.join()
}

// errNoSecret is the first thing that a new operator sees, so it says what to do.
var errNoSecret = errors.New("jwt.secret must be set to the secret that signs the tokens, at least 32 bytes " +
	"(environment variable " + envPrefix + "JWT_SECRET), or jwt.public_key_file to a key that checks them; " +
	"development: true does without")

// validateRedis is all that `gateway publish` needs to be right. The package
// pubsub takes zero values for its defaults; here they are mistakes.
func (c Config) validateRedis() error {
	var p problems
	r := c.Redis
	p.unless(r.URL != "", "redis.url", r.URL, `"embedded" or the URL of a Redis server, not empty`)
	p.address("redis.embedded_listen", r.EmbeddedListen)
	p.unless(r.Prefix != "", "redis.prefix", r.Prefix, "what begins the name of each channel, such as websocket:")
	p.span("redis.linger", r.Linger, 0, time.Hour)
	p.span("redis.coalesce", r.Coalesce, 0, time.Second)
	p.count("redis.wait_replicas", r.WaitReplicas, 0, maxWaitReplicas, "replicas")
	p.count("redis.queue_messages", r.QueueMessages, 1, 1<<20, "messages")
	p.count("redis.queue_bytes", r.QueueBytes, 2*c.Limits.MessageBytes, maxQueueBytes,
		"bytes (the least is twice limits.message_bytes)")
	if p.none() {
		p.add(busConfig(c).Validate())
	}
	return p.join()
}

func (c Config) validateEngine() error {
	var p problems
	e := c.Engine
	p.count("engine.pollers", e.Pollers, 0, 256, "event loops (0: one for each CPU)")
	p.seconds("engine.handshake_timeout", e.HandshakeTimeout)
	p.seconds("engine.close_timeout", e.CloseTimeout)
	p.seconds("engine.ping_interval", e.PingInterval)
	p.seconds("engine.pong_timeout", e.PongTimeout)
	p.unless(e.PongTimeout < e.PingInterval, "engine.pong_timeout", e.PongTimeout,
		"shorter than engine.ping_interval ("+short(e.PingInterval)+")")
	p.count("engine.max_connections", e.MaxConnections, 0, 10_000_000, "connections (0: what the limit on open files allows)")
	for _, origin := range e.Origins {
		p.unless(isOriginPattern(origin), "engine.origins", origin,
			`a list of "*", origins such as "https://example.com" and patterns such as "https://*.example.com"`)
	}
	for _, name := range e.Subprotocols {
		p.unless(isToken(name) && !strings.EqualFold(name, "bearer"), "engine.subprotocols", name,
			"a list of subprotocol names without spaces, other than bearer, which announces a token")
	}
	p.count("engine.compression.level", e.Compression.Level, 1, 9, "(1 is fast, 9 is small)")
	p.count("engine.compression.min_bytes", e.Compression.MinBytes, 0, maxMessageBytes, "bytes")
	return p.join()
}

func (c Config) validateLimits() error {
	var p problems
	l := c.Limits
	p.count("limits.message_bytes", l.MessageBytes, minMessageBytes, maxMessageBytes, "bytes")
	p.count("limits.write_buffer_bytes", l.WriteBufferBytes, max(minWriteBufferBytes, 2*l.MessageBytes), maxQueueBytes,
		"bytes (the least is twice limits.message_bytes)")
	p.count("limits.replay_bytes", l.ReplayBytes, max(minWriteBufferBytes, 2*l.MessageBytes), maxQueueBytes,
		"bytes (the least is twice limits.message_bytes)")
	p.count("limits.rooms_per_session", l.RoomsPerSession, 1, 10_000, "rooms")
	p.count("limits.room_name_bytes", l.RoomNameBytes, 1, maxNameBytes, "bytes")
	p.count("limits.json_depth", l.JSONDepth, 4, 512, "levels of arrays and objects")
	p.count("limits.protocol_errors", l.ProtocolErrors, 1, 10_000, "errors a minute")
	p.count("limits.frames_per_second", l.FramesPerSecond, 1, 100_000, "frames a second")
	p.count("limits.frames_burst", l.FramesBurst, 1, 100_000, "frames")
	p.burst("limits.frames_burst", l.FramesBurst, l.FramesPerSecond, "frames")
	p.count("limits.bytes_per_second", l.BytesPerSecond, 1, 1<<30, "bytes a second")
	p.count("limits.bytes_burst", l.BytesBurst, l.MessageBytes, 1<<30, "bytes (the least is limits.message_bytes)")
	p.burst("limits.bytes_burst", l.BytesBurst, l.BytesPerSecond, "bytes")
	p.budget("limits.user_frames", l.UserFramesPerSecond, l.UserFramesBurst, "frames")
	p.count("limits.user_bytes_per_second", l.UserBytesPerSecond, 0, 1<<30, "bytes a second (0: no limit)")
	if l.UserBytesPerSecond > 0 {
		p.count("limits.user_bytes_burst", l.UserBytesBurst, l.MessageBytes, 1<<32, "bytes (the least is limits.message_bytes)")
	}
	p.count("limits.watched_users", l.WatchedUsers, 1, 10_000, "users")
	return p.join()
}

func (c Config) validateNamespaces() error {
	var p problems
	for _, name := range slices.Sorted(maps.Keys(c.Namespaces)) {
		rules, at := c.Namespaces[name], "namespaces."+name+"."
		p.unless(name != "" && len(name) <= maxNameBytes && isPlain(name) && !strings.Contains(name, ":"),
			"namespaces", name, "named with what stands before the first colon of its rooms' names: 1 to 255 bytes, no colon, no control characters")
		p.oneOf(at+"join", rules.Join, allowAny, allowCaps, allowNone)
		p.oneOf(at+"publish", rules.Publish, allowAny, allowCaps, allowNone)
		p.count(at+"message_bytes", rules.MessageBytes, 0, c.Limits.MessageBytes,
			"bytes (0: as limits.message_bytes, which is the most)")
		p.history(at+"history", rules.History)
		p.delivery(at+"delivery", rules.Delivery, "")
		p.unless(rules.History.Size == 0 || rules.Delivery.Class == "" || rules.Delivery.Class == string(session.DeliverMust),
			at+"delivery.class", rules.Delivery.Class, "must where history is kept, since clients would ask for what is dropped")
	}
	p.delivery("delivery.data_update", c.Delivery.DataUpdate)
	p.seconds("history.check_interval", c.History.CheckInterval)
	p.history("inbox", c.Inbox)
	p.span("intake.dedupe_window", c.Intake.DedupeWindow, time.Second, 24*time.Hour)
	return p.join()
}

// problems collects what is wrong, so that all of it is said at once.
type problems struct {
	errs []error
}

func (p *problems) add(err error) {
	if err != nil {
		p.errs = append(p.errs, err)
	}
}

func (p *problems) none() bool  { return len(p.errs) == 0 }
func (p *problems) join() error { return errors.Join(p.errs...) }

func (p *problems) unless(ok bool, name string, value any, allowed string) {
	if !ok {
		p.add(invalid(name, value, allowed))
	}
}

func (p *problems) count(name string, n, least, most int, unit string) {
	p.unless(n >= least && n <= most, name, n,
		"a number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most)+" "+unit)
}

// burst checks that what may come at once is saved up in a time that a session can
// count.
func (p *problems) burst(name string, n, perSecond int, unit string) {
	p.unless(n <= perSecond*int(session.LongestBurst/time.Second), name, n,
		"no more "+unit+" than may come in "+short(session.LongestBurst))
}

func (p *problems) span(name string, d, least, most time.Duration) {
	p.unless(d >= least && d <= most, name, d, "a time from "+short(least)+" to "+short(most))
}

// maxHistoryTTL is how long Redis remembers which messages a silent log has given
// offsets to, at the least.
const maxHistoryTTL = 30 * 24 * time.Hour

// delivery checks a rule; none is a class that it may have besides.
func (p *problems) delivery(name string, d DeliveryRuleConfig, none ...string) {
	p.oneOf(name+".class", d.Class, append([]string{string(session.DeliverMust), string(session.DeliverLatest), string(session.DeliverDrop)}, none...)...)
	if d.Class == string(session.DeliverDrop) {
		p.span(name+".max_age", d.MaxAge, time.Millisecond, session.MaxDeliveryAge)
	}
}

func (p *problems) history(name string, h HistoryConfig) {
	p.count(name+".size", h.Size, 0, session.MaxHistory, "messages (0: none are kept)")
	if h.Size > 0 || h.TTL != 0 {
		p.span(name+".ttl", h.TTL, time.Second, maxHistoryTTL)
	}
}

func (p *problems) seconds(name string, d time.Duration) {
	p.unless(d >= time.Second && d <= maxEngineTimeout && d%time.Second == 0, name, d,
		"whole seconds, from 1s to "+short(maxEngineTimeout))
}

func (p *problems) oneOf(name, value string, allowed ...string) {
	p.unless(slices.Contains(allowed, value), name, value, "one of "+strings.Join(allowed, ", "))
}

func (p *problems) address(name, value string) {
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	p.unless(err == nil, name, value, "host:port, such as 127.0.0.1:8087, or :8087 for all interfaces")
}

// short writes a time as people do: 10m, not 10m0s.
func short(d time.Duration) string {
	text := d.String()
	if d >= time.Minute {
		text = strings.TrimSuffix(text, "0s")
	}
	if d >= time.Hour {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// isPlain reports whether s is UTF-8 without control characters.
func isPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// isToken reports whether s is a token of RFC 9110 §5.6.2, which is what a
// subprotocol's name must be.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// isWebSocketURL reports whether s is where a WebSocket client can connect.
func isWebSocketURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "ws" || u.Scheme == "wss") && u.Host != ""
}

// isOriginPattern reports whether s is an origin as browsers send it, with at
// most one "*." at the head of its host, or "*".
func isOriginPattern(s string) bool {
	scheme, host, ok := strings.Cut(s, "://")
	if s == "*" {
		return true
	}
	host = strings.TrimPrefix(host, "*.")
	return ok && isToken(scheme) && host != "" && !strings.ContainsAny(host, "*/?#@ ")
}
