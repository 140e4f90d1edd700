// Command gws is a peer of the benchmark: lxzan/gws with its event handler, one goroutine
// for each connection and its Broadcaster.
package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/lxzan/gws"

	"github.com/ginforge/gateway/bench/peers/internal/peer"
)

// The keys of a connection's session.
const (
	keyIdentity = "identity"
	keyRooms    = "rooms"
)

type server struct {
	gws.BuiltinEventHandler
	config   peer.Config
	rooms    *peer.Rooms[*gws.Conn]
	upgrader *gws.Upgrader
}

func newServer(c peer.Config) (peer.Server, error) {
	s := &server{config: c, rooms: peer.NewRooms[*gws.Conn]()}
	s.upgrader = gws.NewUpgrader(s, &gws.ServerOption{Recovery: gws.Recovery, CheckUtf8Enabled: true})
	return s, nil
}

func (s *server) Serve(ctx context.Context, l net.Listener) error {
	go s.rooms.Heartbeat(ctx, s.config.PingInterval, func(c *gws.Conn) {
		_ = c.WritePing(nil) // a failure ends ReadLoop
	})
	return peer.ServeHTTP(ctx, l, s.config.Verifier.Handler(s.upgrade))
}

func (s *server) upgrade(w http.ResponseWriter, r *http.Request, id peer.Identity) {
	c, err := s.upgrader.Upgrade(w, r)
	if err != nil {
		return // Upgrade has answered
	}
	c.Session().Store(keyIdentity, id)
	go c.ReadLoop() // the request can be collected since the handler returns
}

// OnOpen, OnClose, OnPong and OnMessage are called by ReadLoop.
func (s *server) OnOpen(c *gws.Conn) {
	s.extend(c)
	s.rooms.Add(c)
}

func (s *server) OnPong(c *gws.Conn, _ []byte) { s.extend(c) }

func (s *server) extend(c *gws.Conn) {
	_ = c.SetDeadline(time.Now().Add(s.config.PingInterval + s.config.PongTimeout)) // fails when closed
}

func (s *server) OnClose(c *gws.Conn, _ error) { s.rooms.Remove(c, joined(c)) }

func (s *server) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	room, ok := peer.JoinRoom(m.Bytes())
	if !ok {
		return
	}
	c.Session().Store(keyRooms, append(joined(c), room))
	s.rooms.Join(c, room)
	_ = c.WriteMessage(gws.OpcodeText, peer.Joined(room)) // a failure ends ReadLoop
}

func joined(c *gws.Conn) []string {
	v, _ := c.Session().Load(keyRooms)
	rooms, _ := v.([]string)
	return rooms
}

func (s *server) ToRoom(room string, payload []byte) {
	b := gws.NewBroadcaster(gws.OpcodeText, payload)
	defer b.Close()
	s.rooms.InRoom(room, func(c *gws.Conn) { _ = b.Broadcast(c) }) // a failure ends ReadLoop
}

func (s *server) ToAll(payload []byte) {
	b := gws.NewBroadcaster(gws.OpcodeText, payload)
	defer b.Close()
	s.rooms.All(func(c *gws.Conn) { _ = b.Broadcast(c) })
}

func main() { peer.Main(peer.Dialect{}, newServer) }
