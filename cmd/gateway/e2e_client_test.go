package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// frame is a frame from the gateway.
type frame struct {
	raw string

	Type      string          `json:"type"`
	ID        string          `json:"id"`
	From      string          `json:"from"`
	FromName  string          `json:"from_name"`
	To        string          `json:"to"`
	Room      string          `json:"room"`
	Content   json.RawMessage `json:"content"`
	Data      json.RawMessage `json:"data"`
	Timestamp int64           `json:"timestamp"`
}

// client is a device of a user: a connection, and what has arrived on it that
// the test has not asked for yet.
type client struct {
	t       testing.TB
	conn    *websocket.Conn
	user    string
	welcome frame
	pending []frame
	marks   string        // the room that sync has joined
	longer  time.Duration // what the test waits for takes so much more than patience
}

// within has clients of a test fail its subtest while that runs.
func within(t *testing.T, clients ...*client) {
	for _, c := range clients {
		outer := c.t
		c.t = t
		t.Cleanup(func() { c.t = outer })
	}
}

// dial opens a WebSocket to /ws; query is everything behind the path.
func (n *testNode) dial(t testing.TB, query string, opts *websocket.DialOptions) (*websocket.Conn, error) {
	t.Helper()
	return dialHost(t, n.engine.Addr().String(), query, opts)
}

// dialHost is dial for whoever listens there.
func dialHost(t testing.TB, host, query string, opts *websocket.DialOptions) (*websocket.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if opts == nil {
		opts = &websocket.DialOptions{}
	}
	if opts.HTTPClient == nil {
		opts.HTTPClient = httpClient
	}
	// The library's own HTTP client must have no timeout of its own: it would
	// cut the connection.
	plain := *opts.HTTPClient
	plain.Timeout = 0
	opts.HTTPClient = &plain
	conn, _, err := websocket.Dial(ctx, "ws://"+host+"/ws"+query, opts) //nolint:bodyclose // it closes the body
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(1 << 22)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn, nil
}

// mustDial is dial for a connection that must be upgraded.
func (n *testNode) mustDial(t testing.TB, query string, opts *websocket.DialOptions) *client {
	t.Helper()
	conn, err := n.dial(t, query, opts)
	if err != nil {
		t.Fatalf("dial %s: %v", n.cfg.Node, err)
	}
	return &client{t: t, conn: conn}
}

// connect opens a connection for a user and takes its welcome.
func (n *testNode) connect(t testing.TB, userID string) *client {
	t.Helper()
	return n.connectWith(t, tokenOf(userID))
}

// connectWith is connect with a token of one's own.
func (n *testNode) connectWith(t testing.TB, token string) *client {
	t.Helper()
	c := n.mustDial(t, "?token="+token, nil)
	c.greeted()
	return c
}

// greeted takes the welcome, which must be the first frame.
func (c *client) greeted() {
	c.t.Helper()
	c.welcome = c.read()
	if c.welcome.Type != "welcome" {
		c.t.Fatalf("the first frame is %s, want welcome", c.welcome.raw)
	}
	var data struct {
		UserID string `json:"user_id"`
	}
	decode(c.t, c.welcome.Data, &data)
	c.user = data.UserID
}

// send sends a text frame as it is.
func (c *client) send(text string) {
	c.t.Helper()
	c.sendAs(websocket.MessageText, text)
}

func (c *client) sendAs(typ websocket.MessageType, payload string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.conn.Write(ctx, typ, []byte(payload)); err != nil {
		c.t.Fatalf("%s: sending %.200s: %v", c.user, payload, err)
	}
}

// read returns the next frame.
func (c *client) read() frame {
	c.t.Helper()
	f, err := c.tryRead()
	if err != nil {
		c.t.Fatalf("%s: read: %v", c.user, err)
	}
	return f
}

func (c *client) tryRead() (f frame, err error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience+c.longer)
	defer cancel()
	typ, b, err := c.conn.Read(ctx)
	if err != nil {
		return f, err
	}
	if typ != websocket.MessageText {
		c.t.Fatalf("%s: got a binary message", c.user)
	}
	decode(c.t, b, &f)
	f.raw = string(b)
	return f, nil
}

// await returns the first frame for which match is true. Others that come
// before it are kept for later.
func (c *client) await(what string, match func(frame) bool) frame {
	c.t.Helper()
	if i := slices.IndexFunc(c.pending, match); i >= 0 {
		f := c.pending[i]
		c.pending = slices.Delete(c.pending, i, i+1)
		return f
	}
	for deadline := time.Now().Add(3 * patience); ; { // one that gets others all the time would wait forever
		f, err := c.tryRead()
		if err == nil && time.Now().After(deadline) {
			err = fmt.Errorf("not within %v", 3*patience)
		}
		if err != nil {
			c.t.Fatalf("%s: no %s: %v; there was %s", c.user, what, err, listed(c.pending))
		}
		if match(f) {
			return f
		}
		c.pending = append(c.pending, f)
	}
}

// awaitType returns the next frame of a type.
func (c *client) awaitType(typ string) frame {
	c.t.Helper()
	return c.await(typ, func(f frame) bool { return f.Type == typ })
}

// awaitText returns the next frame that holds text anywhere.
func (c *client) awaitText(text string) frame {
	c.t.Helper()
	return c.await("frame with "+text, func(f frame) bool { return strings.Contains(f.raw, text) })
}

// awaitError returns the next error frame, which must have this id and code and
// say something.
func (c *client) awaitError(id string, code int) frame {
	c.t.Helper()
	f := c.awaitType("error")
	var content struct {
		Code    int
		Message string
	}
	decode(c.t, f.Content, &content)
	if f.ID != id || content.Code != code || len(content.Message) < 5 {
		c.t.Fatalf("%s: got %s, want an error for id %q with code %d and a sentence", c.user, f.raw, id, code)
	}
	return f
}

// request sends a frame with the marker ID in place of its id, and awaits the ack.
func (c *client) request(text string) frame {
	c.t.Helper()
	id := nextID()
	c.send(strings.ReplaceAll(text, "ID", id))
	return c.await("ack", func(f frame) bool { return f.Type == "ack" && f.ID == id })
}

// refused sends a frame with the marker ID in place of its id, and awaits an
// error with this code.
func (c *client) refused(code int, text string) {
	c.t.Helper()
	id := nextID()
	c.send(strings.ReplaceAll(text, "ID", id))
	c.awaitError(id, code)
}

// join joins a room and awaits the answer.
func (c *client) join(room string) {
	c.t.Helper()
	c.request(`{"type":"join_room","id":"ID","content":` + quote(room) + `}`)
	c.await("joined", func(f frame) bool { return f.Type == "joined" && f.Room == room })
}

// say sends a text to a room and awaits the ack.
func (c *client) say(room, text string) {
	c.t.Helper()
	c.request(`{"type":"room_message","id":"ID","room":` + quote(room) + `,"content":{"text":` + quote(text) + `}}`)
}

// sync waits until everything that this client has caused has been answered and
// delivered, and returns the frames that nobody has asked for. What it waits for
// is a message through Redis to a room of this client's own, which the gateway
// handles behind all else.
func (c *client) sync() []frame {
	c.t.Helper()
	if c.marks == "" {
		room := "marks:" + nextID()
		c.join(room)
		c.marks = room
	}
	text := nextID()
	c.say(c.marks, text)
	c.awaitText(text)
	rest := c.pending
	c.pending = nil
	return rest
}

// nothingMore fails the test when there are frames that nobody has asked for.
func (c *client) nothingMore() {
	c.t.Helper()
	if rest := c.sync(); len(rest) > 0 {
		c.t.Fatalf("%s: got %s as well", c.user, listed(rest))
	}
}

// alive shows that the connection still works.
func (c *client) alive() {
	c.t.Helper()
	c.request(`{"type":"ping","id":"ID"}`)
	c.awaitType("pong")
}

// closed reads until the gateway closes the connection, which must be with this
// code, and returns the reason.
func (c *client) closed(code websocket.StatusCode) closeReason {
	c.t.Helper()
	for {
		f, err := c.tryRead()
		if err == nil {
			c.pending = append(c.pending, f)
			continue
		}
		var ce websocket.CloseError
		if !errors.As(err, &ce) || ce.Code != code {
			c.t.Fatalf("%s: read: %v, want close code %d", c.user, err, code)
		}
		if len(ce.Reason) > 123 {
			c.t.Errorf("the close reason %q is longer than 123 bytes", ce.Reason)
		}
		var r closeReason
		decode(c.t, []byte(ce.Reason), &r)
		return r
	}
}

// reasonIn is the reason in the close frame that err tells of.
func reasonIn(t testing.TB, err error) (r closeReason) {
	t.Helper()
	var ce websocket.CloseError
	if !errors.As(err, &ce) {
		t.Fatalf("%v is no close frame", err)
	}
	decode(t, []byte(ce.Reason), &r)
	return r
}

// closeReason is the JSON in a close frame.
type closeReason struct {
	Reason  string `json:"reason"`
	DelayMS *int64 `json:"delay_ms"`
}

// leave closes the connection from the client's side.
func (c *client) leave() {
	c.t.Helper()
	if err := c.conn.Close(websocket.StatusNormalClosure, "bye"); err != nil {
		c.t.Fatalf("%s: close: %v", c.user, err)
	}
}

var lastID atomic.Int64

// nextID returns a word that no other frame of the tests holds.
func nextID() string { return fmt.Sprintf("q%06d", lastID.Add(1)) }

// quote writes a string as JSON.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(b)
}

func decode(t testing.TB, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%q is no JSON for %T: %v", b, v, err)
	}
}

func listed(frames []frame) string {
	var b strings.Builder
	for _, f := range frames {
		fmt.Fprintf(&b, "\n\t%.300s", f.raw)
	}
	if b.Len() == 0 {
		return "nothing"
	}
	return b.String()
}

// header makes an http.Header of names and values in turn.
func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}
