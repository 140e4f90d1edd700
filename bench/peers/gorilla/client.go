package main

import (
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ginforge/gateway/bench/peers/internal/peer"
)

const (
	// sendQueue is how many messages may wait for a connection.
	sendQueue = 256
	// writeWait is how long one write may take.
	writeWait = 10 * time.Second
)

// bufferPool lends write buffers to connections.
var bufferPool sync.Pool

// client is one connection.
type client struct {
	hub  *hub
	conn *websocket.Conn
	id   peer.Identity
	send chan *websocket.PreparedMessage // closed by the hub

	rooms []string // owned by the hub's goroutine
}

// readPump runs in a goroutine of its own and is the only reader.
func (c *client) readPump(pongWait time.Duration) {
	defer func() {
		select {
		case c.hub.unregister <- c:
		case <-c.hub.done:
		}
		_ = c.conn.Close() // the other side is gone, or the process ends
	}()
	extend := func(string) error { return c.conn.SetReadDeadline(time.Now().Add(pongWait)) }
	c.conn.SetPongHandler(extend)
	if extend("") != nil {
		return
	}
	for {
		_, data, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		if room, ok := peer.JoinRoom(data); ok && !c.join(room) {
			return
		}
	}
}

// join reports whether the hub still runs.
func (c *client) join(room string) bool {
	response, err := websocket.NewPreparedMessage(websocket.TextMessage, peer.Joined(room))
	if err != nil {
		return false
	}
	select {
	case c.hub.joins <- join{c, room, response}:
		return true
	case <-c.hub.done:
		return false
	}
}

// writePump runs in a goroutine of its own and is the only writer.
func (c *client) writePump(pingInterval time.Duration) {
	ticker := time.NewTicker(pingInterval)
	defer func() {
		ticker.Stop()
		_ = c.conn.Close() // ends readPump
	}()
	for {
		select {
		case data, ok := <-c.send:
			if err := c.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
				return
			}
			if !ok {
				_ = c.conn.WriteMessage(websocket.CloseMessage, nil) // closed right after
				return
			}
			if err := c.conn.WritePreparedMessage(data); err != nil {
				return
			}
		case <-ticker.C:
			if err := c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait)); err != nil {
				return
			}
		}
	}
}
