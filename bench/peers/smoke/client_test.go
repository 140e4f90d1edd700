package smoke

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
)

// token returns a token of the user, signed with key.
func token(t *testing.T, userID, key string) string {
	t.Helper()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"user_id": userID, "username": "User " + userID, "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// client is one connection to a peer.
type client struct {
	conn  *websocket.Conn
	peer  serving
	pings atomic.Int32

	lines [][]byte // of the last frame, not yet returned by next
}

// dial connects to a peer as the harness does.
func dial(ctx context.Context, peer serving, token string) (*client, error) {
	c := &client{peer: peer}
	conn, _, err := websocket.Dial(ctx, "ws://"+peer.Listen+"/ws?token="+token, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: constantKey{}},
		OnPingReceived: func(context.Context, []byte) bool {
			c.pings.Add(1)
			return true
		},
	})
	if err != nil {
		return nil, err
	}
	c.conn = conn
	return c, nil
}

// The example of RFC 6455, section 1.3.
const (
	exampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	exampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// constantKey sends every handshake with the key that the floor can answer. The
// accept value that a correct answer has is replaced by one that the library
// takes for its own key's.
type constantKey struct{}

func (constantKey) RoundTrip(r *http.Request) (*http.Response, error) {
	own := r.Header.Get("Sec-WebSocket-Key")
	r = r.Clone(r.Context())
	r.Header.Set("Sec-WebSocket-Key", exampleKey)
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && resp.Header.Get("Sec-WebSocket-Accept") == exampleAccept {
		resp.Header.Set("Sec-WebSocket-Accept", acceptOf(own))
	}
	return resp, err
}

// acceptOf returns the value by which a server accepts key.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// join joins room and waits for the answer.
func (c *client) join(ctx context.Context, room string) error {
	request, want := fmt.Sprintf(`{"type":"join_room","content":%q}`, room), fmt.Sprintf(`{"type":"joined","room":%q}`, room)
	if c.peer.Join != "" {
		request, want = strings.ReplaceAll(c.peer.Join, "ROOM", room), c.peer.Joined
	}
	if err := c.conn.Write(ctx, websocket.MessageText, []byte(request)); err != nil {
		return err
	}
	for {
		line, err := c.next(ctx)
		if err != nil {
			return fmt.Errorf("wait for %s: %w", want, err)
		}
		if bytes.Contains(line, []byte(want)) {
			return nil
		}
	}
}

// next returns the next line of a text message that is not a ping. Only a peer
// whose protocol does so puts several lines into a message.
func (c *client) next(ctx context.Context) ([]byte, error) {
	for len(c.lines) == 0 {
		_, data, err := c.conn.Read(ctx)
		if err != nil {
			return nil, err
		}
		if c.peer.Ping != "" && string(data) == c.peer.Ping {
			c.pings.Add(1)
			if err := c.conn.Write(ctx, websocket.MessageText, []byte(c.peer.Pong)); err != nil {
				return nil, err
			}
			continue
		}
		c.lines = bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	}
	line := c.lines[0]
	c.lines = c.lines[1:]
	return line, nil
}
