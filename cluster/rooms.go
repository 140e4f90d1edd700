package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

const (
	opRooms = "rooms"
	opJoin  = "join"
	opLeave = "leave"
)

// MaxRooms is the most rooms that one page lists.
const MaxRooms = 1000

// RoomCount is a room with members.
type RoomCount struct {
	Room        string `json:"room"`
	Connections int    `json:"connections"`
}

// RoomPage is a part of the rooms that have members, in the order of their names.
type RoomPage struct {
	Rooms   []RoomCount `json:"rooms"`
	Missing []string    `json:"missing_nodes,omitempty"`
}

// LocalRooms is the rooms of this node. Its methods may be called from any
// goroutine and wait for nothing but short locks.
type LocalRooms interface {
	// Rooms returns up to limit rooms whose names begin with prefix and sort
	// behind after, in order.
	Rooms(prefix, after string, limit int) []RoomCount
	// JoinRoom and LeaveRoom have every connection of a user enter a room or
	// leave it, whatever the rules of its namespace say, and return how many.
	JoinRoom(user, room string) int
	LeaveRoom(user, room string) int
}

type roomsArgs struct {
	Prefix string `json:"prefix"`
	After  string `json:"after"`
	Limit  int    `json:"limit"`
}

type changeArgs struct {
	User string `json:"user"`
	Room string `json:"room"`
}

// OnRooms says what this node knows of its rooms. Called before the registry
// runs.
func (c *Cluster) OnRooms(local LocalRooms) {
	c.nodes.Handle(opRooms, handler(func(a roomsArgs) ([]RoomCount, error) {
		return local.Rooms(a.Prefix, a.After, clamp(a.Limit, MaxRooms)), nil
	}))
	c.nodes.Handle(opJoin, handler(func(a changeArgs) (int, error) { return local.JoinRoom(a.User, a.Room), nil }))
	c.nodes.Handle(opLeave, handler(func(a changeArgs) (int, error) { return local.LeaveRoom(a.User, a.Room), nil }))
}

// Rooms returns the rooms that have members at any node, whose names begin with
// prefix and sort behind after, in order, up to limit, MaxRooms at most. It waits
// for the nodes.
func (c *Cluster) Rooms(ctx context.Context, prefix, after string, limit int) (RoomPage, error) {
	limit = clamp(limit, MaxRooms)
	got, err := c.nodes.AskAll(ctx, opRooms, roomsArgs{prefix, after, limit})
	if err != nil {
		return RoomPage{}, fmt.Errorf("cluster: rooms: %w", err)
	}
	page := RoomPage{Missing: got.Missing}
	var all []RoomCount
	err = each(got, func(rooms []RoomCount) { all = append(all, rooms...) })
	slices.SortFunc(all, func(a, b RoomCount) int { return cmp.Compare(a.Room, b.Room) })
	page.Rooms = make([]RoomCount, 0, min(len(all), limit))
	for _, r := range all {
		if n := len(page.Rooms); n > 0 && page.Rooms[n-1].Room == r.Room {
			page.Rooms[n-1].Connections += r.Connections
			continue
		}
		if len(page.Rooms) == limit {
			break
		}
		page.Rooms = append(page.Rooms, r)
	}
	return page, err
}

// Join has every connection of a user, at all nodes, enter a room, and returns how
// many. It waits for the nodes; those that did not answer may still do it.
func (c *Cluster) Join(ctx context.Context, user, room string) (n int, missing []string, err error) {
	return c.change(ctx, opJoin, changeArgs{user, room})
}

// Leave has every connection of a user, at all nodes, leave a room, and returns
// how many. It waits as Join does.
func (c *Cluster) Leave(ctx context.Context, user, room string) (n int, missing []string, err error) {
	return c.change(ctx, opLeave, changeArgs{user, room})
}

func (c *Cluster) change(ctx context.Context, op string, args changeArgs) (n int, missing []string, err error) {
	got, err := c.nodes.AskAll(ctx, op, args)
	if err != nil {
		return 0, nil, fmt.Errorf("cluster: %s: %w", op, err)
	}
	err = each(got, func(changed int) { n += changed })
	return n, got.Missing, err
}
