// Command coder is a peer of the benchmark: coder/websocket in the form of its chat
// example, with a queue for each connection that the handler's goroutine writes
// from, and a second goroutine that reads.
package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/ginforge/gateway/bench/peers/internal/peer"
)

const (
	// sendQueue is how many messages may wait for a connection.
	sendQueue = 256
	// writeTimeout is how long one write may take.
	writeTimeout = 10 * time.Second
)

type server struct {
	config peer.Config
	rooms  *peer.Rooms[*client]
}

// client is one connection.
type client struct {
	server *server
	conn   *websocket.Conn
	id     peer.Identity
	send   chan *[]byte

	joined []string // owned by the reader's goroutine
}

func newServer(c peer.Config) (peer.Server, error) {
	return &server{config: c, rooms: peer.NewRooms[*client]()}, nil
}

func (s *server) Serve(ctx context.Context, l net.Listener) error {
	return peer.ServeHTTP(ctx, l, s.config.Verifier.Handler(func(w http.ResponseWriter, r *http.Request, id peer.Identity) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // Accept has answered
		}
		c := &client{server: s, conn: conn, id: id, send: make(chan *[]byte, sendQueue)}
		c.serve(ctx)
	}))
}

// serve writes until the connection or ctx ends.
func (c *client) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() { _ = c.conn.CloseNow() }() // is closed already when its reader ended it
	go c.read(ctx, cancel)

	ticker := time.NewTicker(c.server.config.PingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case data := <-c.send:
			if err := c.write(ctx, *data); err != nil {
				return
			}
		case <-ticker.C:
			// Ping waits for the pong; messages must not wait for it.
			go c.ping(ctx, cancel)
		}
	}
}

func (c *client) write(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return c.conn.Write(ctx, websocket.MessageText, data)
}

func (c *client) ping(ctx context.Context, end func()) {
	ctx, cancel := context.WithTimeout(ctx, c.server.config.PongTimeout)
	defer cancel()
	if c.conn.Ping(ctx) != nil {
		end()
	}
}

// read is the reader's goroutine; it ends with the connection, and ends serve.
func (c *client) read(ctx context.Context, end func()) {
	defer end()
	c.server.rooms.Add(c)
	defer func() { c.server.rooms.Remove(c, c.joined) }()
	for {
		_, data, err := c.conn.Read(ctx)
		if err != nil {
			return
		}
		if room, ok := peer.JoinRoom(data); ok {
			c.joined = append(c.joined, room)
			c.server.rooms.Join(c, room)
			response := peer.Joined(room)
			c.queue(&response)
		}
	}
}

// queue closes a connection that does not keep up, as the chat example does.
func (c *client) queue(data *[]byte) {
	select {
	case c.send <- data:
	default:
		go c.conn.Close(websocket.StatusPolicyViolation, "too slow") // waits for the answer
	}
}

func (s *server) ToRoom(room string, payload []byte) {
	s.rooms.InRoom(room, func(c *client) { c.queue(&payload) })
}

func (s *server) ToAll(payload []byte) {
	s.rooms.All(func(c *client) { c.queue(&payload) })
}

func main() { peer.Main(peer.Dialect{}, newServer) }
