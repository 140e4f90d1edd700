// Command centrifuge is a peer of the benchmark: the centrifugal/centrifuge library with
// its own WebSocket handler, its JSON protocol and its broker in memory, to which
// what Redis delivers is published.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"

	"github.com/centrifugal/centrifuge"

	"github.com/ginforge/gateway/bench/peers/internal/peer"
)

// dialect sends two commands of the protocol in one message, which it allows.
var dialect = peer.Dialect{
	Join:   `{"id":1,"connect":{}}` + "\n" + `{"id":2,"subscribe":{"channel":"ROOM"}}`,
	Joined: `"subscribe":{`,
}

type server struct {
	config peer.Config
	node   *centrifuge.Node
}

func newServer(c peer.Config) (peer.Server, error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, fmt.Errorf("centrifuge: %w", err)
	}
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			done(centrifuge.SubscribeReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		return nil, fmt.Errorf("centrifuge: %w", err)
	}
	return &server{config: c, node: node}, nil
}

func (s *server) Serve(ctx context.Context, l net.Listener) error {
	ws := centrifuge.NewWebsocketHandler(s.node, centrifuge.WebsocketConfig{
		// Both are for many connections that are idle most of the time.
		UseWriteBufferPool:         true,
		ProcessCommandsOffReadLoop: true,
		PingPongConfig: centrifuge.PingPongConfig{
			PingInterval: s.config.PingInterval,
			PongTimeout:  s.config.PongTimeout,
		},
	})
	return peer.ServeHTTP(ctx, l, s.config.Verifier.Handler(func(w http.ResponseWriter, r *http.Request, id peer.Identity) {
		info, err := json.Marshal(map[string]string{"username": id.Name})
		if err != nil {
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		}
		r = r.WithContext(centrifuge.SetCredentials(r.Context(), &centrifuge.Credentials{UserID: id.UserID, Info: info}))
		// Pings are those of RFC 6455, as with the other peers, not the JSON ones.
		r.URL.RawQuery = "cf_ws_frame_ping_pong=true"
		ws.ServeHTTP(w, r)
	}))
}

func (s *server) ToRoom(room string, payload []byte) {
	_, _ = s.node.Publish(room, payload) // the broker in memory does not fail without history
}

// ToAll is not what this library is for: there is no channel that everyone is
// in, and each client's message is encoded anew.
func (s *server) ToAll(payload []byte) {
	for _, client := range s.node.Hub().Connections() {
		_ = client.Send(payload) // fails when the client has left
	}
}

func main() { peer.Main(dialect, newServer) }
