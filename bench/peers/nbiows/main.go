// Command nbiows is a peer of the benchmark: nbio's own nbhttp/websocket on its pollers,
// without a goroutine for each connection.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"

	"github.com/ginforge/gateway/bench/peers/internal/peer"
)

type server struct {
	config   peer.Config
	rooms    *peer.Rooms[*websocket.Conn]
	upgrader *websocket.Upgrader
}

// session is what hangs off a connection.
type session struct {
	id     peer.Identity
	joined []string // owned by the connection's callbacks, which nbio runs one at a time
}

func newServer(c peer.Config) (peer.Server, error) {
	logging.SetLevel(logging.LevelNone) // its lines would precede the address
	s := &server{config: c, rooms: peer.NewRooms[*websocket.Conn](), upgrader: websocket.NewUpgrader()}
	s.upgrader.KeepaliveTime = c.PingInterval + c.PongTimeout // any message extends it
	s.upgrader.OnMessage(s.message)
	s.upgrader.OnClose(s.closed)
	return s, nil
}

func (s *server) Serve(ctx context.Context, l net.Listener) error {
	engine := nbhttp.NewEngine(nbhttp.Config{
		Network:                 "tcp",
		Addrs:                   []string{l.Addr().String()},
		Listen:                  func(string, string) (net.Listener, error) { return l, nil },
		Handler:                 s.config.Verifier.Handler(s.upgrade),
		ReleaseWebsocketPayload: true,
	})
	s.upgrader.Engine = engine
	if err := engine.Start(); err != nil {
		return fmt.Errorf("start nbio: %w", err)
	}
	s.rooms.Heartbeat(ctx, s.config.PingInterval, func(c *websocket.Conn) {
		_ = c.WriteMessage(websocket.PingMessage, nil) // a failure closes c
	})
	return nil
}

func (s *server) upgrade(w http.ResponseWriter, r *http.Request, id peer.Identity) {
	c, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	c.SetSession(&session{id: id})
	s.rooms.Add(c)
}

func (s *server) message(c *websocket.Conn, _ websocket.MessageType, data []byte) {
	own, _ := c.Session().(*session)
	room, ok := peer.JoinRoom(data)
	if !ok || own == nil {
		return
	}
	own.joined = append(own.joined, room)
	s.rooms.Join(c, room)
	_ = c.WriteMessage(websocket.TextMessage, peer.Joined(room)) // a failure closes c
}

func (s *server) closed(c *websocket.Conn, _ error) {
	if own, _ := c.Session().(*session); own != nil {
		s.rooms.Remove(c, own.joined)
	}
}

func (s *server) ToRoom(room string, payload []byte) {
	s.rooms.InRoom(room, func(c *websocket.Conn) { _ = c.WriteMessage(websocket.TextMessage, payload) })
}

func (s *server) ToAll(payload []byte) {
	s.rooms.All(func(c *websocket.Conn) { _ = c.WriteMessage(websocket.TextMessage, payload) })
}

func main() { peer.Main(peer.Dialect{}, newServer) }
