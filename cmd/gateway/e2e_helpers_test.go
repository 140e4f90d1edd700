package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// The tests whose names begin with TestServe run whole nodes: their sockets are
// real, the Redis between them is a real redis-server, and the clients are
// github.com/coder/websocket, which shares no code with this module.

// patience is how long a test waits for what must happen; nothing takes that
// long unless it fails.
const patience = time.Minute

// asGateway is the environment variable that turns the test binary into the
// gateway.
const asGateway = "TEST_BINARY_IS_GATEWAY"

// jwtSecret signs the tokens that the nodes under test take.
const jwtSecret = "end-to-end-tests-sign-their-tokens-with-this"

// TestMain also is the gateway itself, for the tests that need a process of its
// own, and looks at what all tests have left behind.
func TestMain(m *testing.M) {
	answerTimeout = 5 * time.Second // all nodes share few processors with one another and the clients
	if os.Getenv(asGateway) != "" {
		main()
		return
	}
	code := m.Run()
	httpClient.CloseIdleConnections()
	// nbio's taskpool package starts two goroutines when it is imported, for good. A
	// pool of go-redis that has lost its server looks for it once a second, also when
	// it has been closed meanwhile.
	if err := goleak.Find(goleak.IgnoreAnyFunction("github.com/lesismal/nbio/taskpool.New.func3"),
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial")); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := tokensInLogs(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// system is nodes that share one Redis.
type system struct {
	redis *redistest.Server
	a, b  *testNode
}

// startSystem runs two nodes until the test ends; edit, which may be nil,
// changes the configuration of both.
func startSystem(t *testing.T, edit func(*Config)) *system {
	t.Helper()
	redis := redistest.Start(t)
	return &system{
		redis: redis,
		a:     launch(t, redis.URL(), "node-a", edit),
		b:     launch(t, redis.URL(), "node-b", edit),
	}
}

// nodes lists the nodes, for what holds of each.
func (s *system) nodes() []*testNode { return []*testNode{s.a, s.b} }

// publish is what a backend does that has redis-cli for a library.
func (s *system) publish(channel, payload string) { s.redis.CLI("PUBLISH", channel, payload) }

// testNode is a node that runs as `gateway serve` runs it.
type testNode struct {
	*node
	t      testing.TB
	lines  *logBuffer
	cancel context.CancelFunc
	ended  chan struct{} // closed when run has returned
	err    error         // of run, once ended is closed
}

// testConfig is the default configuration on free ports and with less patience,
// except for clients: those of the tests answer a ping only while a test reads from
// them, and a slow machine may be long about it.
func testConfig(redisURL, name string) Config {
	cfg := DefaultConfig()
	cfg.Listen, cfg.AdminListen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Node = name
	cfg.JWT.Secret = jwtSecret
	cfg.JWT.Leeway = 0
	cfg.Redis.URL = redisURL
	cfg.Presence.Grace = time.Second
	cfg.Engine.PingInterval, cfg.Engine.PongTimeout = 10*time.Minute, 9*time.Minute
	cfg.Shutdown.Timeout = 5 * time.Second
	cfg.Drain.Grace = 50 * time.Millisecond
	cfg.Namespaces["chat"] = NamespaceConfig{Presence: true, Join: allowAny, Publish: allowAny}
	return cfg
}

// launch runs a node until the test ends and waits until it is ready.
func launch(t testing.TB, redisURL, name string, edit func(*Config)) *testNode {
	t.Helper()
	n := launchUnready(t, redisURL, name, edit)
	eventually(t, func() error {
		if got := n.get(t, "/readyz"); got.status != http.StatusOK || !n.bus.State().Connected {
			return fmt.Errorf("%s: /readyz answers %d %s", name, got.status, got.body)
		}
		return nil
	})
	return n
}

// launchUnready runs a node until the test ends and waits for its listeners
// only.
func launchUnready(t testing.TB, redisURL, name string, edit func(*Config)) *testNode {
	t.Helper()
	cfg := testConfig(redisURL, name)
	if edit != nil {
		edit(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatalf("the configuration of %s: %v", name, err)
	}
	n := &testNode{t: t, lines: new(logBuffer), ended: make(chan struct{})}
	log := zerolog.New(io.MultiWriter(n.lines, allLogs)).Level(zerolog.TraceLevel)
	var err error
	if n.node, err = newNode(cfg, log); err != nil {
		t.Fatalf("newNode(%s): %v", name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	go func() { // ends with n.stop
		n.err = n.run(ctx, io.Discard)
		close(n.ended)
	}()
	t.Cleanup(n.stop)
	eventually(t, func() error {
		select {
		case <-n.ended:
			t.Fatalf("%s has ended: %v", name, n.err)
		default:
		}
		if !n.ready.Load() {
			return fmt.Errorf("%s does not listen", name)
		}
		return nil
	})
	return n
}

// stop ends the node as SIGTERM does and waits for it.
func (n *testNode) stop() {
	n.cancel()
	select {
	case <-n.ended:
		if n.err != nil {
			n.t.Errorf("%s: run: %v", n.cfg.Node, n.err)
		}
	case <-time.After(n.cfg.Shutdown.Timeout + lastStop + patience):
		n.t.Errorf("%s does not stop", n.cfg.Node)
	}
	if n.t.Failed() {
		n.t.Logf("log of %s:\n%s", n.cfg.Node, n.lines.above("debug"))
	}
}

// answer is what came back over plain HTTP.
type answer struct {
	status int
	header http.Header
	body   string
}

// httpClient has no cookies, follows nothing and keeps no connections.
var httpClient = &http.Client{
	Timeout:   patience,
	Transport: &http.Transport{DisableKeepAlives: true},
}

// get fetches a path of the public listener.
func (n *testNode) get(t testing.TB, path string, header ...string) answer {
	t.Helper()
	return fetch(t, "http://"+n.engine.Addr().String()+path, header...)
}

// getAdmin fetches a path of the internal listener.
func (n *testNode) getAdmin(t testing.TB, path string) answer {
	t.Helper()
	return fetch(t, "http://"+n.admin.addr()+path)
}

// fetch makes a GET request; header is names and values in turn.
func fetch(t testing.TB, url string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		return answer{body: err.Error()}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", req.URL.Path, err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// metric returns one number of /metrics by its name with labels, such as
// gateway_closes_sent_total{code="4001"}; 0 when it is not there.
func (n *testNode) metric(t testing.TB, name string) (value float64) {
	t.Helper()
	for line := range strings.Lines(n.getAdmin(t, "/metrics").body) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			if _, err := fmt.Sscan(rest, &value); err != nil {
				t.Fatalf("metric %q: %v", line, err)
			}
		}
	}
	return value
}

// awaitMetric waits until a number of /metrics is what it should be.
func (n *testNode) awaitMetric(t testing.TB, name string, want float64) {
	t.Helper()
	eventually(t, func() error {
		if got := n.metric(t, name); got != want {
			return fmt.Errorf("%s: %s is %v, want %v", n.cfg.Node, name, got, want)
		}
		return nil
	})
}

// eventually polls until check returns nil.
func eventually(t testing.TB, check func() error) {
	t.Helper()
	redistest.Eventually(t, patience, check)
}

// sign makes a token of any claims. It is made by hand, so that the gateway is
// tested against the RFCs and not against its own library.
func sign(claims map[string]any) string {
	b, err := json.Marshal(claims)
	if err != nil {
		panic(err) // only strings, numbers and lists of them are ever passed
	}
	return signRaw(`{"alg":"HS256","typ":"JWT"}`, string(b), jwtSecret)
}

// signRaw makes a token of a header and claims in JSON with HMAC-SHA256.
func signRaw(header, claims, secret string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return remember(text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
}

// tokenOf makes a token for a user that is good for an hour.
func tokenOf(userID string) string {
	return sign(map[string]any{"user_id": userID, "username": nameOf(userID), "exp": time.Now().Add(time.Hour).Unix()})
}

// nameOf is the name in the tokens of tokenOf.
func nameOf(userID string) string { return "Name of " + userID }

// logBuffer collects log lines from any goroutine.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// above returns the lines that are not of this level.
func (b *logBuffer) above(level string) (text string) {
	for line := range strings.Lines(b.String()) {
		if !strings.Contains(line, `"level":"`+level+`"`) {
			text += line
		}
	}
	return text
}

var (
	// allLogs is every line of every node in all tests: nbio's go to whichever
	// node was made last.
	allLogs = new(logBuffer)

	issuedMu sync.Mutex
	issued   []string // every token that a test has made; guarded by issuedMu
)

// remember has tokensInLogs look for a token.
func remember(token string) string {
	issuedMu.Lock()
	defer issuedMu.Unlock()
	issued = append(issued, token)
	return token
}

// tokensInLogs reports a token, or the part of one that makes it valuable, in
// any log line at any level.
func tokensInLogs() error {
	issuedMu.Lock()
	defer issuedMu.Unlock()
	logs := allLogs.String()
	for _, token := range issued {
		for _, part := range strings.Split(token, ".") {
			if i := strings.Index(logs, part); len(part) > 20 && i >= 0 {
				return fmt.Errorf("a token is in the log: ...%.300s", logs[max(0, i-100):])
			}
		}
	}
	if i := strings.Index(logs, jwtSecret); i >= 0 {
		return fmt.Errorf("jwt.secret is in the log: ...%.300s", logs[max(0, i-100):])
	}
	return nil
}
