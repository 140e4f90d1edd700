package engine

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestHandshake_AnswersWithTheAcceptKeyOfTheRFC(t *testing.T) {
	t.Parallel()
	p := dial(t, startEcho(t, nil), "/echo")
	h := p.response.Header
	for name, want := range map[string]string{
		"Sec-Websocket-Accept": sampleAccept, "Upgrade": "websocket", "Connection": "Upgrade",
		"Sec-Websocket-Protocol": "", "Sec-Websocket-Extensions": "",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestHandshake_Requests(t *testing.T) {
	t.Parallel()
	e := startEcho(t, nil)
	good := handshake("/echo")
	for name, tt := range map[string]struct {
		request string
		status  int
		header  string // a header that the answer must have, "Name: value"
	}{
		"as it should be":        {good, 101, ""},
		"tokens in any case":     {strings.NewReplacer("Upgrade: websocket", "UPGRADE: WebSocket", "Connection: Upgrade", "connection: keep-alive, UPGRADE").Replace(good), 101, ""},
		"HTTP/1.1 with a query":  {strings.Replace(good, "/echo", "/echo?token=abc", 1), 101, ""},
		"own origin":             {handshake("/echo", "Origin: http://gateway.test"), 101, ""},
		"foreign origin":         {handshake("/echo", "Origin: http://evil.test"), 403, ""},
		"no key":                 {strings.Replace(good, "Sec-WebSocket-Key", "X-Key", 1), 400, ""},
		"empty key":              {strings.Replace(good, "dGhlIHNhbXBsZSBub25jZQ==", "", 1), 400, ""},
		"short key":              {strings.Replace(good, "dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 1), 400, ""},
		"key not base64":         {strings.Replace(good, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ!!", 1), 400, ""},
		"version 12":             {strings.Replace(good, "Version: 13", "Version: 12", 1), 426, "Sec-WebSocket-Version: 13"},
		"no version":             {strings.Replace(good, "Sec-WebSocket-Version", "X-Version", 1), 426, "Sec-WebSocket-Version: 13"},
		"no upgrade header":      {strings.Replace(good, "Upgrade: websocket", "X: y", 1), 426, "Upgrade: websocket"},
		"upgrade to another":     {strings.Replace(good, "Upgrade: websocket", "Upgrade: h2c", 1), 426, "Upgrade: websocket"},
		"no connection header":   {strings.Replace(good, "Connection: Upgrade", "Connection: keep-alive", 1), 426, ""},
		"POST":                   {strings.Replace(good, "GET", "POST", 1), 405, "Allow: GET"},
		"HEAD":                   {strings.Replace(good, "GET", "HEAD", 1), 405, "Allow: GET"},
		"HTTP/1.0":               {strings.Replace(good, "HTTP/1.1", "HTTP/1.0", 1), 400, ""},
		"another path":           {handshake("/nowhere"), 404, ""},
		"deflate, but it is off": {handshake("/echo", "Sec-WebSocket-Extensions: permessage-deflate"), 101, ""},
		"subprotocols, no match": {handshake("/echo", "Sec-WebSocket-Protocol: chat, superchat"), 101, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := dialTCP(t, e)
			p.send([]byte(tt.request))
			p.readResponse()
			if got := p.response.StatusCode; got != tt.status {
				t.Fatalf("status = %d, want %d", got, tt.status)
			}
			if name, value, ok := strings.Cut(tt.header, ": "); ok && p.response.Header.Get(name) != value {
				t.Errorf("%s = %q, want %q", name, p.response.Header.Get(name), value)
			}
			if ext := p.response.Header.Get("Sec-Websocket-Extensions"); ext != "" {
				t.Errorf("extensions = %q, want none", ext)
			}
			if tt.status != http.StatusSwitchingProtocols {
				return
			}
			p.send(masked(0x81, []byte("hello")))
			p.want(0x81, []byte("hello"))
		})
	}
}

// A client may send its first frames without waiting for the answer; they lie
// behind the request in the same packet, or are cut anywhere.
func TestHandshake_FramesInThePacketOfTheRequest(t *testing.T) {
	t.Parallel()
	e := startEcho(t, nil)
	for name, headers := range map[string][]string{"short": nil, "long": {"Cookie: " + strings.Repeat("c", 8<<10)}} {
		stream := []byte(handshake("/echo", headers...))
		request := len(stream)
		stream = append(stream, masked(0x81, []byte("one"))...)
		stream = append(stream, fragments(0x82, []byte("two parts"), 5)...)
		stream = append(stream, masked(0x88, closePayload(1000, ""))...)
		for _, cut := range []int{len(stream), 1, 100, request - 1, request, request + 1, request + 8, request + 12, len(stream) - 1} {
			p := dialTCP(t, e)
			p.send(stream[:cut])
			p.send(stream[cut:])
			p.readUpgrade()
			p.want(0x81, []byte("one"))
			p.want(0x82, []byte("two parts"))
			p.wantClosed(CloseNormal)
		}
		if t.Failed() {
			t.Fatalf("with %s headers", name)
		}
	}
}

func TestHandshake_ByteByByte(t *testing.T) {
	t.Parallel()
	p := dialTCP(t, startEcho(t, nil))
	p.sendChopped(append([]byte(handshake("/echo")), masked(0x81, []byte("hello"))...), 1)
	p.readUpgrade()
	p.want(0x81, []byte("hello"))
	p.close(nil)
}

func TestHandshake_AfterAPlainRequestOnTheSameConnection(t *testing.T) {
	t.Parallel()
	e := startEngine(t, nil, func(e *Engine, mux *http.ServeMux) {
		mux.Handle("/echo", e.EchoHandler(testLimits))
		mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	})
	p := dialTCP(t, e)
	p.send([]byte("GET /healthz HTTP/1.1\r\nHost: gateway.test\r\n\r\n"))
	p.readResponse()
	if body, err := io.ReadAll(p.response.Body); err != nil || string(body) != "ok" {
		t.Fatalf("body = %q, %v", body, err)
	}
	p.send([]byte(handshake("/echo")))
	p.readUpgrade()
	p.send(masked(0x81, []byte("hello")))
	p.want(0x81, []byte("hello"))
}

// What is no HTTP, or too much of it, is dropped without holding much of it.
func TestHandshake_GarbageIsDropped(t *testing.T) {
	t.Parallel()
	e := startEcho(t, nil)
	for name, request := range map[string]string{
		"TLS":           "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"no method":     "\r\n\r\n",
		"bad method":    "G3T / HTTP/1.1\r\n\r\n",
		"bad protocol":  "GET /echo FTP/1.1\r\nHost: x\r\n\r\n",
		"bad header":    "GET /echo HTTP/1.1\r\nHo st: x\r\n: y\r\n\r\n",
		"bad length":    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
		"long header":   strings.TrimSuffix(handshake("/echo", "X-Long: "+strings.Repeat("x", 200<<10)), "\r\n\r\n"),
		"many headers":  strings.TrimSuffix(handshake("/echo", strings.Repeat("X-Many: many\r\n", 20_000)+"X: y"), "\r\n\r\n"),
		"long URL":      "GET /echo?token=" + strings.Repeat("x", 200<<10),
		"body too long": "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + strings.Repeat("x", 200<<10),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := dialTCP(t, e)
			p.send([]byte(request))
			_ = p.conn.SetReadDeadline(time.Now().Add(8 * time.Second)) // before the handshake timeout
			b, err := io.ReadAll(p.conn)
			if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
				t.Errorf("still connected, after %q", b)
			}
		})
	}
}

func TestHandshake_IsGivenItsTimeOnly(t *testing.T) {
	t.Parallel()
	e := startEcho(t, func(c *Config) { c.HandshakeTimeout = 3 * time.Second })
	for name, request := range map[string]string{
		"silent":    "",
		"half":      handshake("/echo")[:40],
		"keepalive": "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := dialTCP(t, e)
			p.send([]byte(request))
			if _, err := io.Copy(io.Discard, p.conn); err != nil {
				t.Errorf("connection ended with %v, want EOF", err)
			}
		})
	}
	p := dial(t, e, "/echo") // what is upgraded stays
	over := e.wheel.tickAfter(e.cfg.HandshakeTimeout)
	eventually(t, func() error {
		if e.wheel.now.Load() <= over {
			return errors.New("the wheel has not turned")
		}
		return nil
	})
	p.send(masked(0x81, []byte("still here")))
	p.want(0x81, []byte("still here"))
}

func TestHandshake_ConfirmsTheSubprotocol(t *testing.T) {
	t.Parallel()
	supported := []string{"v2.gateway", "v1.gateway"}
	for offered, want := range map[string]string{
		"": "", "v1.gateway": "v1.gateway", "other, v1.gateway ,v2.gateway": "v1.gateway", "other": "", "V1.GATEWAY": "",
	} {
		r := &http.Request{Header: http.Header{"Sec-Websocket-Protocol": {"unknown", offered}}}
		if got := SelectProtocol(r, supported); got != want {
			t.Errorf("SelectProtocol(%q) = %q, want %q", offered, got, want)
		}
	}
	e := startEngine(t, nil, func(e *Engine, mux *http.ServeMux) {
		ep := e.NewEndpoint(testLimits)
		mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
			rec := newRecorder()
			if err := e.Upgrade(w, r, ep, SelectProtocol(r, supported), &rec.Conn, rec); err != nil {
				t.Errorf("Upgrade: %v", err)
			}
		})
	})
	p := dial(t, e, "/ws", "Sec-WebSocket-Protocol: x, v2.gateway")
	if got := p.response.Header.Get("Sec-Websocket-Protocol"); got != "v2.gateway" {
		t.Errorf("Sec-WebSocket-Protocol = %q, want v2.gateway", got)
	}
}

func TestRefuse_UpgradesAndSaysWhy(t *testing.T) {
	t.Parallel()
	e := startEngine(t, nil, func(e *Engine, mux *http.ServeMux) {
		ep := e.NewEndpoint(testLimits)
		mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
			if err := e.Refuse(w, r, ep, "", CloseReason{4001, "no token"}); err != nil {
				t.Errorf("Refuse: %v", err)
			}
		})
	})
	p := dialTCP(t, e)
	p.send(append([]byte(handshake("/ws")), masked(0x81, []byte("ignored"))...))
	p.readUpgrade()
	p.wantClose(4001)
}

func TestUpgrade_NeedsAConnectionOfTheEngine(t *testing.T) {
	t.Parallel()
	e := startEcho(t, nil)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(handshake("/echo"))))
	if err != nil {
		t.Fatalf("ReadRequest: %v", err)
	}
	rec := newRecorder()
	err = e.Upgrade(httptest.NewRecorder(), r, e.NewEndpoint(testLimits), "", &rec.Conn, rec)
	if herr := (*HandshakeError)(nil); err == nil || errors.As(err, &herr) {
		t.Errorf("Upgrade of a foreign connection = %v, want an error that is no *HandshakeError", err)
	}
}
