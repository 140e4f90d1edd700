package engine

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // RFC 6455 §4.2.2 asks for SHA-1
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/lesismal/nbio/nbhttp"
)

// HandshakeError says why a request was not upgraded, as an HTTP status and a
// sentence that may be shown to the client.
type HandshakeError struct {
	Status  int
	Message string
}

func (e *HandshakeError) Error() string {
	return fmt.Sprintf("engine: handshake: %d %s", e.Status, e.Message)
}

// SetHeader sets the headers that the answer to the request has to have besides
// its status: the supported version with a 426 (RFC 6455 §4.2.2), the method with
// a 405.
func (e *HandshakeError) SetHeader(h http.Header) {
	switch e.Status {
	case http.StatusUpgradeRequired:
		h.Set("Sec-WebSocket-Version", "13")
		h.Set("Upgrade", "websocket")
		h.Set("Connection", "Upgrade")
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodGet)
	}
}

// IsWebSocket reports whether r asks to be upgraded to WebSocket.
func IsWebSocket(r *http.Request) bool {
	return hasToken(r.Header["Connection"], "upgrade") && hasToken(r.Header["Upgrade"], "websocket")
}

// checkRequest is the server's reading of the opening handshake, RFC 6455 §4.2.1.
func (e *Engine) checkRequest(r *http.Request) *HandshakeError {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-Websocket-Key"))
	switch {
	case !IsWebSocket(r):
		return &HandshakeError{http.StatusUpgradeRequired, "this path speaks WebSocket"}
	case r.Method != http.MethodGet:
		return &HandshakeError{http.StatusMethodNotAllowed, "a WebSocket handshake is a GET request"}
	case !r.ProtoAtLeast(1, 1):
		return &HandshakeError{http.StatusBadRequest, "a WebSocket handshake needs HTTP/1.1"}
	case r.Header.Get("Sec-Websocket-Version") != "13":
		return &HandshakeError{http.StatusUpgradeRequired, "Sec-WebSocket-Version must be 13"}
	case err != nil || len(key) != 16:
		return &HandshakeError{http.StatusBadRequest, "Sec-WebSocket-Key must be 16 bytes in base64"}
	case !e.originAllowed(r):
		return &HandshakeError{http.StatusForbidden, "this origin may not connect"}
	}
	return nil
}

// Upgrade completes the opening handshake (RFC 6455 §4.2.2) and brings c to
// life; from then on h gets its messages. protocol is the subprotocol to
// confirm, or empty. It is called in the HTTP handler, on the poller. On a
// *HandshakeError nothing has been written and the caller answers the request; on
// any other error the request cannot be upgraded at all. Without an error
// Handler.OnClose will come, even if the peer is already gone.
func (e *Engine) Upgrade(w http.ResponseWriter, r *http.Request, ep *Endpoint, protocol string, c *Conn, h Handler) error {
	return e.upgrade(w, r, ep, protocol, c, h, false)
}

// UpgradeSoon is Upgrade for an application that greets the peer: the response goes
// out in one write with the first frame, or after a second or two without one. Who
// looks at the peer from outside sees an upgrade that takes as long as the greeting.
func (e *Engine) UpgradeSoon(w http.ResponseWriter, r *http.Request, ep *Endpoint, protocol string, c *Conn, h Handler) error {
	return e.upgrade(w, r, ep, protocol, c, h, true)
}

func (e *Engine) upgrade(w http.ResponseWriter, r *http.Request, ep *Endpoint, protocol string, c *Conn, h Handler, soon bool) error {
	if herr := e.checkRequest(r); herr != nil {
		return herr
	}
	c.ep, c.handler = ep, h
	c.seen.Store(e.wheel.now.Load())
	var extensions string
	if o, ok := acceptableOffer(r.Header); ok && e.cfg.Compression.Enabled {
		c.set(flagDeflate)
		c.windowBits = cmp.Or(o.windowBits, maxWindowBits)
		extensions = o.response()
	}
	key := r.Header.Get("Sec-Websocket-Key")
	c.wmu.Lock() // no ping of the wheel gets in front of the response
	defer c.wmu.Unlock()
	if err := hijack(w, c); err != nil {
		return err
	}
	e.stats.webSockets.Add(1)
	e.wheel.add(c)
	if soon {
		c.hold(key, protocol, extensions)
		return nil
	}
	var scratch [512]byte
	_ = c.writeLocked(appendResponse(scratch[:0], key, protocol, extensions)) // an error means that the peer is gone: OnClose will come
	return nil
}

// Refuse upgrades a request only to close it with a reason, since a browser's
// script cannot see the status of a failed handshake.
func (e *Engine) Refuse(w http.ResponseWriter, r *http.Request, ep *Endpoint, protocol string, reason CloseReason) error {
	c := &Conn{}
	if err := e.UpgradeSoon(w, r, ep, protocol, c, refused{}); err != nil {
		return err
	}
	c.Close(reason)
	return nil
}

// refused handles what a refused connection still sends.
type refused struct{}

func (refused) OnMessage(Opcode, []byte) {}
func (refused) OnSlow()                  {}
func (refused) OnCaughtUp()              {}
func (refused) OnDeadline()              {}
func (refused) OnClose(CloseCode)        {}

// hijack takes the connection of a request over, so that bytes that are still to come
// go to the session that becomes c.
func hijack(w http.ResponseWriter, c *Conn) error {
	if r, ok := w.(*openingResponse); ok {
		if r.conn.Session() != any(r.conn) {
			return errTaken
		}
		c.nb = r.conn.Conn
		c.nb.SetSession((*takeover)(c))
		return nil
	}
	hj, ok := w.(http.Hijacker)
	if !ok {
		return fmt.Errorf("engine: %T cannot be upgraded", w)
	}
	conn, _, err := hj.Hijack()
	if err != nil {
		return fmt.Errorf("engine: hijack: %w", err)
	}
	hc, ok := conn.(*httpConn)
	if !ok {
		return fmt.Errorf("engine: %T is not a connection of this engine", conn)
	}
	parser, ok := hc.Session().(*nbhttp.Parser)
	if !ok {
		return errTaken
	}
	c.nb = hc.Conn
	_ = c.nb.SetReadDeadline(time.Time{}) // drops the timer that an earlier plain request left
	c.nb.SetSession((*takeover)(c))
	parser.ParserCloser = (*takeover)(c)
	return nil
}

// errTaken is returned for a second upgrade of one connection.
var errTaken = errors.New("engine: connection has been upgraded before")

// acceptGUID is the constant of RFC 6455 §1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

func appendResponse(dst []byte, key, protocol, extensions string) []byte {
	sum := sha1.Sum([]byte(key + acceptGUID)) //nolint:gosec // see the import
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = base64.StdEncoding.AppendEncode(dst, sum[:])
	if protocol != "" {
		dst = append(append(dst, "\r\nSec-WebSocket-Protocol: "...), protocol...)
	}
	if extensions != "" {
		dst = append(append(dst, "\r\nSec-WebSocket-Extensions: "...), extensions...)
	}
	return append(dst, "\r\n\r\n"...)
}

// SelectProtocol returns the first of the client's subprotocols that is
// supported, or "".
func SelectProtocol(r *http.Request, supported []string) string {
	for _, line := range r.Header["Sec-Websocket-Protocol"] {
		for _, offered := range strings.Split(line, ",") {
			offered = strings.TrimSpace(offered)
			for _, s := range supported {
				if offered == s {
					return s
				}
			}
		}
	}
	return ""
}

// hasToken reports whether a comma-separated header lists token.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for _, t := range strings.Split(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
