package main

import (
	"context"

	"github.com/gorilla/websocket"
)

// everyone stands for all connections where a room is named; no room has the
// empty name.
const everyone = ""

// hub keeps the sets of connections. Its goroutine owns the maps; everybody else
// talks to it through the channels.
type hub struct {
	clients map[*client]struct{}
	rooms   map[string]map[*client]struct{}

	register   chan *client
	unregister chan *client
	joins      chan join
	messages   chan message
	done       chan struct{} // closed when run has returned
}

type join struct {
	client   *client
	room     string
	response *websocket.PreparedMessage
}

type message struct {
	room string
	data *websocket.PreparedMessage
}

func newHub() *hub {
	return &hub{
		clients:    make(map[*client]struct{}),
		rooms:      make(map[string]map[*client]struct{}),
		register:   make(chan *client),
		unregister: make(chan *client),
		joins:      make(chan join),
		messages:   make(chan message),
		done:       make(chan struct{}),
	}
}

// run is the hub's goroutine; it returns when ctx ends.
func (h *hub) run(ctx context.Context) {
	defer close(h.done)
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-h.register:
			h.clients[c] = struct{}{}
		case c := <-h.unregister:
			h.drop(c)
		case j := <-h.joins:
			h.join(j)
		case m := <-h.messages:
			members := h.rooms[m.room]
			if m.room == everyone {
				members = h.clients
			}
			for c := range members {
				h.queue(c, m.data)
			}
		}
	}
}

// send gives payload to the members of room, or to everyone. The frame is
// encoded once.
func (h *hub) send(room string, payload []byte) {
	data, err := websocket.NewPreparedMessage(websocket.TextMessage, payload)
	if err != nil {
		return // only a close message could be refused
	}
	select {
	case h.messages <- message{room, data}:
	case <-h.done:
	}
}

func (h *hub) join(j join) {
	if _, ok := h.clients[j.client]; !ok {
		return // it ended meanwhile
	}
	if h.rooms[j.room] == nil {
		h.rooms[j.room] = make(map[*client]struct{})
	}
	h.rooms[j.room][j.client] = struct{}{}
	j.client.rooms = append(j.client.rooms, j.room)
	h.queue(j.client, j.response)
}

// queue drops a client that does not keep up, as the chat example does.
func (h *hub) queue(c *client, data *websocket.PreparedMessage) {
	select {
	case c.send <- data:
	default:
		h.drop(c)
	}
}

func (h *hub) drop(c *client) {
	if _, ok := h.clients[c]; !ok {
		return
	}
	delete(h.clients, c)
	for _, room := range c.rooms {
		delete(h.rooms[room], c)
		if len(h.rooms[room]) == 0 {
			delete(h.rooms, room)
		}
	}
	close(c.send)
}
