package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ginforge/gateway/engine"
)

// panicking is a connection whose handler fails at every message.
type panicking struct{ engine.Conn }

func (*panicking) OnMessage(engine.Opcode, []byte) { panic("a connection's handler") }
func (*panicking) OnSlow()                         {}
func (*panicking) OnCaughtUp()                     {}
func (*panicking) OnDeadline()                     {}
func (*panicking) OnClose(engine.CloseCode)        {}

// TestServe_NoTokenInAnyLog brings tokens, good ones and bad, to every place
// from which they could get into the log, at trace level. What all other tests
// have logged is looked at as well, here and again by TestMain.
func TestServe_NoTokenInAnyLog(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.JWT.Cookie, c.Development = "session_token", true })
	n := s.a
	n.public.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("an HTTP handler") })
	ep := n.engine.NewEndpoint(engine.Limits{MessageBytes: 1 << 10, WriteBufferBytes: 8 << 10})
	n.public.HandleFunc("/panicking", func(w http.ResponseWriter, r *http.Request) {
		c := &panicking{}
		if err := n.engine.Upgrade(w, r, ep, "", &c.Conn, c); err != nil {
			t.Errorf("Upgrade: %v", err)
		}
	})

	tokens := []string{tokenOf("ann"), withClaims("bob", map[string]any{"rooms": []string{"chat:1"}, "caps": []string{"chat:*"}})}
	for _, refused := range refusedTokens() {
		tokens = append(tokens, refused.token)
	}
	for _, token := range tokens {
		everyWayIn(t, n, token)
	}
	// A client that sends its token where it does not belong.
	c := s.b.connect(t, "careless")
	c.join("chat:1")
	token := tokenOf("careless")
	for _, text := range []string{
		`{"type":"refresh","id":"r","content":{"token":"` + token + `"}}`,
		`{"type":"` + token[:100] + `"}`, `{"type":"ping","id":"` + token + `"}`, token, `{"token":"` + token,
		`{"type":"join_room","content":"` + token + `"}`,
	} {
		c.send(text)
	}
	c.alive()
	c.leave()

	for _, text := range []string{"an HTTP handler", "a connection's handler"} {
		if !strings.Contains(n.lines.String(), text) {
			t.Errorf("the log does not hold %q: the test does not show what it should", text)
		}
	}
	if err := tokensInLogs(); err != nil {
		t.Error(err)
	}
}

// everyWayIn sends a token by every road, to paths that work and that do not.
func everyWayIn(t *testing.T, n *testNode, token string) {
	t.Helper()
	for _, path := range []string{"/ws", "/ws/online-users", "/ws/stats", "/healthz", "/", "/nowhere", "/panic", "/dev/token"} {
		n.get(t, path+"?token="+token)
		n.get(t, path, "Authorization", "Bearer "+token, "Cookie", "session_token="+token)
		fetch(t, "http://"+n.admin.addr()+path+"?token="+token, "Authorization", "Bearer "+token)
	}
	for _, opts := range []websocket.DialOptions{
		{HTTPHeader: header("Authorization", "Bearer "+token)},
		{HTTPHeader: header("Cookie", "session_token="+token)},
		{HTTPHeader: header("Origin", "https://evil.example.com", "Authorization", "Bearer "+token)},
		{Subprotocols: []string{"bearer", token}},
	} {
		if conn, err := n.dial(t, "", &opts); err == nil {
			_ = conn.CloseNow()
		}
	}
	if conn, err := n.dial(t, "?token="+token, nil); err == nil {
		_ = conn.CloseNow()
	}
	for _, request := range []string{
		"GET /ws?token=%s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",                                                     // no key
		"GET /ws?token=%s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: x\r\n\r\n", // old
		"POST /ws?token=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",                                                                       // a body
		"GET /ws?token=%s HTTP/7.7\r\nHost: x\r\n\r\n",                                                                                                  // no such version
		"GET /ws?token=%s\r\n\r\n", // none
		"TOKEN %s\r\n\r\n",         // no HTTP
		"GET /ws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nBroken header\r\n\r\n",               // a header without colon
		"GET /ws HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer %s\r\nContent-Length: many\r\n\r\n",       // a length that is none
		"GET /ws?token=%%zz%s HTTP/1.1\r\nHost: x\r\n\r\n",                                               // a broken escape
		"GET /ws?token=%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\nzz\r\n", // a broken chunk
		"GET /panicking?token=%s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" +
			"\x81\x80\x00\x00\x00\x00", // an empty message, at which the handler panics
	} {
		sendRaw(t, n, fmt.Sprintf(request, token))
	}
}

// sendRaw sends bytes to the public listener and ends its half of the stream,
// so that the gateway has read all of it when the other half ends.
func sendRaw(t *testing.T, n *testNode, request string) {
	t.Helper()
	conn, err := net.Dial("tcp", n.engine.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, conn) // a reset is an end as well
}
