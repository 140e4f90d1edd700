package engine

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lesismal/nbio/nbhttp"
)

// browserHandshake is what Chromium sends.
var browserHandshake = handshake("/ws?token=aaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbb.cccccccccccccccccccc&device=phone-1",
	"Pragma: no-cache", "Cache-Control: no-cache", "Origin: http://gateway.test", "Accept-Encoding: gzip, deflate, br, zstd",
	"Accept-Language: en-US,en;q=0.9", "Cookie: a=b; c=d",
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")

// openingCases are requests that are read here, or left to nbhttp.
var openingCases = map[string]struct {
	request string
	taken   bool
}{
	"a browser's":          {browserHandshake, true},
	"with frames behind":   {browserHandshake + "\x81\x85abcdefghi", true},
	"small letters":        {strings.ReplaceAll(strings.ReplaceAll(handshake("/ws"), "Sec-WebSocket", "sec-websocket"), "Host", "host"), true},
	"spaces":               {strings.ReplaceAll(handshake("/ws"), ": ", ": \t "), true},
	"no spaces":            {strings.ReplaceAll(handshake("/ws"), ": ", ":"), true},
	"unknown header":       {handshake("/ws", "x-my-HEADER: a"), true},
	"empty value":          {handshake("/ws", "Cookie:"), true},
	"escapes in the query": {handshake("/ws?token=a%20b&x"), true},

	"no handshake":          {"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", false},
	"in pieces":             {browserHandshake[:len(browserHandshake)-1], false},
	"POST":                  {strings.Replace(browserHandshake, "GET", "POST", 1), false},
	"HTTP/1.0":              {strings.Replace(browserHandshake, "HTTP/1.1", "HTTP/1.0", 1), false},
	"HTTP/1.12":             {strings.Replace(browserHandshake, "HTTP/1.1", "HTTP/1.12", 1), false},
	"no host":               {strings.Replace(browserHandshake, "Host", "X-Host", 1), false},
	"a host with a path":    {strings.Replace(browserHandshake, "Host: ", "Host: a/", 1), false},
	"two hosts":             {handshake("/ws", "Host: other"), false},
	"a body":                {handshake("/ws", "Content-Length: 3"), false},
	"a body of no length":   {handshake("/ws", "content-length: 0"), false},
	"chunks":                {handshake("/ws", "Transfer-Encoding: chunked"), false},
	"a folded line":         {handshake("/ws", "Cookie: a\r\n b"), false},
	"space before colon":    {handshake("/ws", "Cookie : a"), false},
	"no colon":              {handshake("/ws", "Cookie"), false},
	"no name":               {handshake("/ws", ": a"), false},
	"a lone line feed":      {handshake("/ws", "Cookie: a\nX: b"), false},
	"a lone return":         {handshake("/ws", "Cookie: a\rX: b"), false},
	"NUL":                   {handshake("/ws", "Cookie: a\x00b"), false},
	"UTF-8":                 {handshake("/ws", "Cookie: ä"), false},
	"escapes in the path":   {handshake("/w%73"), false},
	"authority in the path": {handshake("//ws"), false},
	"a fragment":            {handshake("/ws#a"), false},
	"empty query":           {handshake("/ws?"), false},
	"absolute":              {handshake("http://gateway.test/ws"), false},
	"two spaces":            {strings.Replace(handshake("/ws"), "GET ", "GET  ", 1), false},
	"too many headers":      {handshake("/ws", slices.Repeat([]string{"X-A: b"}, maxOpeningHeaders)...), false},
	"too long":              {handshake("/ws", "Cookie: "+strings.Repeat("a", maxRequestBytes)), false},
}

// checkOpening compares what was read with what net/http reads.
func checkOpening(t *testing.T, data []byte) (taken bool) {
	t.Helper()
	o := openings.Get().(*opening)
	defer o.free()
	n, ok := o.read(data)
	if !ok {
		return false
	}
	rest := bytes.NewReader(data)
	buffered := bufio.NewReader(rest)
	want, err := http.ReadRequest(buffered)
	if err != nil {
		t.Fatalf("%q was read, net/http says %v", data, err)
	}
	got := &o.request
	header := maps.Clone(got.Header)
	delete(header, "Host") // net/http moves it
	if _, ok := header["Cache-Control"]; !ok {
		delete(want.Header, "Cache-Control") // net/http makes it up where "Pragma: no-cache" stands alone
	}
	if !maps.EqualFunc(header, want.Header, slices.Equal[[]string]) {
		t.Errorf("headers are %q, want %q", header, want.Header)
	}
	if got.Host != want.Host || got.Method != want.Method || got.RequestURI != want.RequestURI || got.Proto != want.Proto {
		t.Errorf("%s %q %s of %q, want %s %q %s of %q", got.Method, got.RequestURI, got.Proto, got.Host, want.Method, want.RequestURI, want.Proto, want.Host)
	}
	if got.URL.Path != want.URL.Path || got.URL.RawQuery != want.URL.RawQuery || got.URL.EscapedPath() != want.URL.EscapedPath() {
		t.Errorf("URL is %+v, want %+v", got.URL, want.URL)
	}
	if want.ContentLength != 0 || len(want.TransferEncoding) > 0 {
		t.Errorf("%q has a body", data)
	}
	if left := buffered.Buffered() + rest.Len(); left != len(data)-n {
		t.Errorf("%d bytes are behind the request, want %d", len(data)-n, left)
	}
	return true
}

func TestOpening_ReadsAsNetHTTP(t *testing.T) {
	t.Parallel()
	for name, tt := range openingCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if taken := checkOpening(t, []byte(tt.request)); taken != tt.taken {
				t.Errorf("taken: %v, want %v", taken, tt.taken)
			}
		})
	}
}

// FuzzOpening: whatever is read here is read as net/http reads it.
func FuzzOpening(f *testing.F) {
	for _, tt := range openingCases {
		f.Add([]byte(tt.request))
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkOpening(t, data) })
}

// A request that was used for one client shows nothing of it to the next.
func TestOpening_IsUsedAgainClean(t *testing.T) {
	t.Parallel()
	o := openings.New().(*opening)
	if _, ok := o.read([]byte(handshake("/ws?token=secret", "Cookie: secret=1"))); !ok {
		t.Fatal("a handshake was not read")
	}
	o.response.Header().Set("X-Secret", "1")
	o.forget()
	if _, ok := o.read([]byte(handshake("/ws"))); !ok {
		t.Fatal("the next handshake was not read")
	}
	if o.request.URL.RawQuery != "" || len(o.header["Cookie"]) != 0 || o.response.header != nil || slices.Contains(o.values[:], "secret=1") {
		t.Errorf("the request is %+v", o.request)
	}
}

// A handshake that its handler answers like any request gets that answer, and the
// connection ends.
func TestOpening_PlainAnswers(t *testing.T) {
	t.Parallel()
	e := startEngine(t, nil, func(e *Engine, mux *http.ServeMux) {
		mux.HandleFunc("/no", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Why", "because")
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write([]byte("short and "))
			_, _ = w.Write([]byte("stout"))
		})
		mux.HandleFunc("/later", func(w http.ResponseWriter, r *http.Request) {
			answer, err := e.Later(w)
			if err != nil {
				t.Errorf("Later: %v", err)
				return
			}
			if _, err := e.Later(w); err == nil {
				t.Error("a connection was taken over twice")
			}
			go answer(http.StatusAccepted, nil, []byte(r.Header.Get("X-Asked")))
		})
		mux.HandleFunc("/silent", func(http.ResponseWriter, *http.Request) {})
		mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("before the upgrade") })
	})
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/no":      {http.StatusTeapot, "short and stout"},
		"/later":   {http.StatusAccepted, "kept"},
		"/silent":  {http.StatusOK, ""},
		"/panic":   {http.StatusInternalServerError, "internal error\n"},
		"/nowhere": {http.StatusNotFound, "404 page not found\n"},
	} {
		p := dialTCP(t, e)
		p.send([]byte(handshake(path, "X-Asked: kept")))
		p.readResponse()
		body, err := io.ReadAll(p.response.Body)
		if err != nil || p.response.StatusCode != want.status || string(body) != want.body || !p.response.Close {
			t.Errorf("%s: %d %q, closing: %v, %v, want %d %q", path, p.response.StatusCode, body, p.response.Close, err, want.status, want.body)
		}
		if why := p.response.Header.Get("X-Why"); path == "/no" && why != "because" {
			t.Errorf("X-Why is %q", why)
		}
		p.wantEOF()
	}
}

// BenchmarkOpening compares the two ways in which a handshake may be read.
func BenchmarkOpening(b *testing.B) {
	data := []byte(browserHandshake)
	b.Run("here", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			o := openings.Get().(*opening)
			if _, ok := o.read(data); !ok {
				b.Fatal("not read")
			}
			o.free()
		}
	})
	b.Run("nbhttp", func(b *testing.B) {
		e := nbhttp.NewEngine(nbhttp.Config{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
		conn := &httpConn{Conn: newNBConn(-1)}
		b.ReportAllocs()
		for b.Loop() {
			p := nbhttp.NewParser(conn, e, readOnly{nbhttp.NewServerProcessor()}, false, runInline)
			if err := p.Parse(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// readOnly reads requests and answers none.
type readOnly struct{ nbhttp.Processor }

func (readOnly) OnComplete(*nbhttp.Parser) {}
