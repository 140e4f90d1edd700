package engine

import (
	"bytes"
	"cmp"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
)

// The opening handshakes of nearly all clients are alike: a GET without a body that
// one read brings whole (RFC 6455 §4.1). These are read here, into a request that is used
// again. Everything else goes to nbhttp as it came: a request in two pieces, one with a
// body, one that is no handshake, and whatever looks unusual. So this reader may say
// no to anything, but what it takes it must read as net/http does;
// FuzzOpening compares the two.
//
// It is worth a third of a handshake's garbage: see BenchmarkOpening.

// maxOpeningHeaders is how many header lines a handshake may have here. Browsers send 12
// to 20, proxies add some.
const maxOpeningHeaders = 40

// opening is a handshake that is being read and answered. It belongs to a poller until
// the handler has returned.
type opening struct {
	request  http.Request
	url      url.URL
	header   http.Header
	values   [maxOpeningHeaders]string // the slices in header are parts of it
	response openingResponse
}

var openings = sync.Pool{New: func() any { return &opening{header: make(http.Header, maxOpeningHeaders)} }}

// free gives o back, when nobody has its request any more.
func (o *opening) free() {
	o.forget()
	openings.Put(o)
}

// forget leaves nothing of one client's handshake to the next.
func (o *opening) forget() {
	clear(o.header)
	clear(o.values[:])
	o.request, o.url, o.response = http.Request{}, url.URL{}, openingResponse{}
}

// read reads a handshake that lies at the beginning of data as a whole, and returns where
// it ends. The request shares nothing with data.
func (o *opening) read(data []byte) (n int, ok bool) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 || end+4 > maxRequestBytes || !bytes.HasPrefix(data, []byte("GET /")) {
		return 0, false
	}
	line, lines, _ := strings.Cut(string(data[:end+2]), "\r\n")
	o.request = http.Request{
		Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		URL: &o.url, Header: o.header, Body: http.NoBody,
	}
	if !o.readTarget(line) || !o.readHeaders(lines) || !IsWebSocket(&o.request) {
		return 0, false
	}
	return end + 4, true
}

// readTarget reads the request line (RFC 9112 §3).
func (o *opening) readTarget(line string) bool {
	target, ok := strings.CutSuffix(line[len("GET "):], " HTTP/1.1")
	if !ok {
		return false
	}
	path, query, asked := strings.Cut(target, "?")
	if asked && query == "" || strings.HasPrefix(path, "//") || !all(path, isPlainInPath) || !all(query, isPlainInQuery) {
		return false
	}
	o.request.RequestURI = target
	o.url = url.URL{Path: path, RawQuery: query}
	return true
}

// readHeaders reads header lines, each with its CRLF (RFC 9112 §5). What says that there
// is a body, or comes twice, is not for here.
func (o *opening) readHeaders(lines string) bool {
	for i := 0; lines != ""; i++ {
		var line string
		line, lines, _ = strings.Cut(lines, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok || i == maxOpeningHeaders || name == "" || !all(name, isToken) {
			return false
		}
		value = strings.Trim(value, " \t")
		if !all(value, isPlainInValue) {
			return false
		}
		name = canonicalName(name)
		if _, twice := o.header[name]; twice {
			return false
		}
		o.values[i] = value
		o.header[name] = o.values[i : i+1 : i+1]
	}
	for _, name := range [...]string{"Content-Length", "Transfer-Encoding", "Trailer", "Expect"} {
		if _, there := o.header[name]; there {
			return false
		}
	}
	host := o.header["Host"]
	if len(host) == 0 || !all(host[0], isPlainInHost) {
		return false
	}
	o.request.Host = host[0]
	o.url.Host = host[0] // as nbhttp has it
	return true
}

// canonicalNames are the headers of handshakes as net/http spells them, by how
// clients do: RFC 6455's own spelling is not canonical in Go, and many proxies send small letters.
var canonicalNames = func() map[string]string {
	names := map[string]string{}
	for _, sent := range []string{
		"Host", "Upgrade", "Connection", "Origin", "Cookie", "Authorization", "User-Agent", "Pragma", "Cache-Control",
		"Accept", "Accept-Language", "Accept-Encoding", "Referer", "Forwarded", "Via", "DNT",
		"Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions",
		"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-Storage-Access",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Real-IP", "X-Request-ID",
	} {
		canonical := textproto.CanonicalMIMEHeaderKey(sent)
		for _, spelled := range [...]string{sent, strings.ToLower(sent), canonical} {
			names[spelled] = canonical
		}
	}
	return names
}()

func canonicalName(name string) string {
	if canonical, known := canonicalNames[name]; known {
		return canonical
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}

// byteClass is a set of bytes; what is not in one is left to nbhttp.
type byteClass [256]bool

var (
	isToken        = classOf("!#$%&'*+-.^_`|~")                       // RFC 9110 §5.6.2
	isPlainInPath  = classOf("/-._~")                                 // no escapes, nothing that is cleaned away but dots
	isPlainInHost  = classOf(".-:[]_")                                // a name or address, with a port
	isPlainInQuery = classOf("/-._~!$&'()*+,;=:@?%")                  // RFC 3986 §3.4
	isPlainInValue = classOf(" \t!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") // visible ASCII: RFC 9110 §5.5 without obs-text
)

// classOf is the set of the given bytes, and of letters and digits.
func classOf(others string) *byteClass {
	var c byteClass
	for _, b := range []byte(others) {
		c[b] = true
	}
	for b := byte('0'); b <= 'z'; b++ {
		if b <= '9' || b >= 'a' || b >= 'A' && b <= 'Z' {
			c[b] = true
		}
	}
	return &c
}

// all reports whether s has only bytes of a class.
func all(s string, c *byteClass) bool {
	for i := range len(s) {
		if !c[s[i]] {
			return false
		}
	}
	return true
}

// openingResponse answers a handshake. As long as the handler does not take the
// connection over it only collects what is to be answered.
type openingResponse struct {
	conn   *httpConn
	header http.Header
	status int // 0: not said
	body   []byte
}

// Header implements http.ResponseWriter.
func (r *openingResponse) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}

// WriteHeader implements http.ResponseWriter.
func (r *openingResponse) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *openingResponse) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	r.body = append(r.body, p...)
	return len(p), nil
}

// settle answers the handshake when the handler has only written to r, and reports
// whether everything is over with the request: not so if it is to be answered later.
func (r *openingResponse) settle(e *Engine) bool {
	if t, taken := r.conn.Session().(*takeover); taken {
		return !(*Conn)(t).has(flagPlain)
	}
	c, err := e.plainConn(r)
	if err != nil {
		return true // nobody else can have it
	}
	c.answer(cmp.Or(r.status, http.StatusOK), r.header, r.body)
	return true
}
