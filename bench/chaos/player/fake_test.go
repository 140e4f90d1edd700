package player

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/ginforge/gateway/bench/chaos/ledger"
)

// fake is a server with one room whose history it keeps for ever, and with
// inboxes that stay empty. It is as wrong as a test wants it to be.
type fake struct {
	t    *testing.T
	addr netip.AddrPort
	ctx  context.Context

	mu      sync.Mutex // guards the fields below
	history [][]byte   // offset k+1 at index k, without its offset
	members map[*websocket.Conn]bool
	asked   []string         // the frames of clients
	lose    map[uint64]bool  // offsets that are not pushed
	replay  func(uint64) int // index of the first message replayed to who has an offset
	mute    bool             // nothing is answered
	deaf    bool             // messages are not
	busy    bool             // questions for users are refused
}

func newFake(t *testing.T) *fake {
	f := &fake{
		t: t, members: make(map[*websocket.Conn]bool), lose: make(map[uint64]bool), ctx: context.Background(),
		replay: func(offset uint64) int { return int(offset) },
	}
	s := httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(s.Close)
	f.addr = netip.MustParseAddrPort(s.Listener.Addr().String())
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		f.t.Errorf("accept: %v", err)
		return
	}
	defer func() { _ = c.CloseNow() }()
	f.write(c, `{"type":"welcome","data":{"ping_interval":1,"reconnect_window_ms":20,"node":"node-2","inbox":{"epoch":"i","offset":0}}}`)
	for {
		_, b, err := c.Read(f.ctx)
		if err != nil {
			f.mu.Lock()
			delete(f.members, c)
			f.mu.Unlock()
			return
		}
		f.handle(c, b)
	}
}

func (f *fake) write(c *websocket.Conn, frame string) {
	_ = c.Write(f.ctx, websocket.MessageText, []byte(frame)) // it may have gone
}

// handle answers a client's frame.
func (f *fake) handle(c *websocket.Conn, b []byte) {
	var in struct {
		Type, ID string
		Content  json.RawMessage
	}
	if err := json.Unmarshal(b, &in); err != nil {
		f.t.Errorf("a client says %s: %v", b, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, string(b))
	switch {
	case f.mute, f.deaf && in.Type == "room_message":
	case in.Type == "join_room":
		f.join(c, in.ID, in.Content)
	case in.Type == "room_message":
		f.push(in.Content)
		f.write(c, fmt.Sprintf(`{"type":"ack","id":%q}`, in.ID))
	case in.Type == "user_message":
		f.write(c, fmt.Sprintf(`{"type":"error","id":%q,"content":{"code":4005,"message":"not here"}}`, in.ID))
	case in.Type == "watch" || in.Type == "presence":
		f.status(c, in.Type, in.ID, in.Content)
	case in.Type == "ping":
		f.write(c, `{"type":"pong"}`)
	}
}

func (f *fake) join(c *websocket.Conn, id string, content []byte) {
	var in struct {
		Since *struct{ Offset uint64 }
	}
	_ = json.Unmarshal(content, &in) // our own client
	f.write(c, fmt.Sprintf(`{"type":"joined","id":%q,"room":"log:0","epoch":"e","offset":%d,"recovered":true}`, id, len(f.history)))
	f.members[c] = true
	if in.Since == nil {
		return
	}
	for k := f.replay(in.Since.Offset); k < len(f.history); k++ {
		f.write(c, message(f.history[k], k+1))
	}
}

// status tells that everybody is online, or refuses to.
func (f *fake) status(c *websocket.Conn, kind, id string, content []byte) {
	var in struct{ Users []string }
	_ = json.Unmarshal(content, &in) // our own client
	if f.busy {
		f.write(c, fmt.Sprintf(`{"type":"error","id":%q,"content":{"code":4101,"message":"too much is asked at the moment: try again"}}`, id))
		return
	}
	answer := map[string]any{"type": "ack", "id": id, "content": map[string]any{"online": in.Users}}
	if kind == "presence" {
		users := make([]map[string]string, len(in.Users))
		for i, u := range in.Users {
			users[i] = map[string]string{"user_id": u, "status": "online"}
		}
		answer = map[string]any{"type": kind, "id": id, "content": map[string]any{"users": users}}
	}
	b, _ := json.Marshal(answer) // strings
	f.write(c, string(b))
}

func message(content []byte, offset int) string {
	return fmt.Sprintf(`{"type":"room_message","room":"log:0","content":%s,"offset":%d}`, content, offset)
}

// push gives a message its offset and sends it to the members. The caller holds
// mu.
func (f *fake) push(content []byte) {
	f.history = append(f.history, bytes.Clone(content))
	offset := len(f.history)
	if f.lose[uint64(offset)] {
		return
	}
	for c := range f.members {
		f.write(c, message(content, offset))
	}
}

// publish is what a backend does.
func (f *fake) publish(book *ledger.Book, log int) ledger.Stamp {
	stamp := book.Publish(log, ledger.Stream, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.push(append(AppendStamp([]byte{'{'}, stamp), '}'))
	book.Acknowledge(stamp)
	return stamp
}

// resend sends members what is at an offset once more.
func (f *fake) resend(offset int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.members {
		f.write(c, message(f.history[offset-1], offset))
	}
}

// tell sends a frame to all members.
func (f *fake) tell(frame string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.members {
		f.write(c, frame)
	}
}

// close ends all members' connections with a code.
func (f *fake) close(code int, reason string) {
	f.mu.Lock()
	var all []*websocket.Conn
	for c := range f.members {
		all = append(all, c)
	}
	f.mu.Unlock()
	for _, c := range all {
		_ = c.Close(websocket.StatusCode(code), reason) // it may have gone
	}
}

// with changes the fake while nobody looks.
func (f *fake) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// count tells how many frames of clients hold a text.
func (f *fake) count(text string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, frame := range f.asked {
		if bytes.Contains([]byte(frame), []byte(text)) {
			n++
		}
	}
	return n
}
