// Command gorilla is a peer of the benchmark: gorilla/websocket in the form of its chat
// example, with a hub that owns all sets and two goroutines for each connection.
package main

import (
	"context"
	"net"
	"net/http"

	"github.com/gorilla/websocket"

	"github.com/ginforge/gateway/bench/peers/internal/peer"
)

// upgrader has the buffer sizes of the chat example. Its pool lends a write
// buffer for the time of a write only.
var upgrader = websocket.Upgrader{
	ReadBufferSize:  1024,
	WriteBufferSize: 1024,
	WriteBufferPool: &bufferPool,
}

type server struct {
	config peer.Config
	hub    *hub
}

func (s *server) Serve(ctx context.Context, l net.Listener) error {
	go s.hub.run(ctx)
	return peer.ServeHTTP(ctx, l, s.config.Verifier.Handler(s.upgrade))
}

func (s *server) upgrade(w http.ResponseWriter, r *http.Request, id peer.Identity) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	c := &client{hub: s.hub, conn: conn, id: id, send: make(chan *websocket.PreparedMessage, sendQueue)}
	c.hub.register <- c
	// The request can be collected since the handler returns.
	go c.writePump(s.config.PingInterval)
	go c.readPump(s.config.PingInterval + s.config.PongTimeout)
}

func (s *server) ToRoom(room string, payload []byte) { s.hub.send(room, payload) }

func (s *server) ToAll(payload []byte) { s.hub.send(everyone, payload) }

func main() {
	peer.Main(peer.Dialect{}, func(c peer.Config) (peer.Server, error) {
		return &server{config: c, hub: newHub()}, nil
	})
}
