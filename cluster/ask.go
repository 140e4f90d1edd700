package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/ginforge/gateway/pubsub/nodes"
)

// What nodes ask of each other.
const (
	opMembers    = "members"
	opOnline     = "online"
	opDevices    = "devices"
	opDisconnect = "disconnect"
	opDrain      = "drain"
)

type membersArgs struct {
	Room  string `json:"room"`
	Limit int    `json:"limit"`
}

type onlineArgs struct {
	After string `json:"after"`
	Limit int    `json:"limit"`
}

type devicesArgs struct {
	User string `json:"user"`
}

type disconnectArgs struct {
	User string `json:"user"`
	Selector
	Why Why `json:"why"`
}

// errCannotDrain is returned when nobody has said how this node is drained.
var errCannotDrain = errors.New("this node cannot be drained")

// handle has this node answer the others.
func (c *Cluster) handle() {
	c.nodes.Handle(opMembers, handler(func(a membersArgs) (Members, error) {
		users, connections := c.local.Members(a.Room, clamp(a.Limit, MaxMembers))
		return Members{Users: users, Connections: connections}, nil
	}))
	c.nodes.Handle(opOnline, handler(func(a onlineArgs) (Page, error) {
		users, total := c.local.OnlineUsers(a.After, clamp(a.Limit, MaxMembers))
		return Page{Users: users, Total: total}, nil
	}))
	c.nodes.Handle(opDevices, handler(func(a devicesArgs) ([]Device, error) {
		devices := c.local.Devices(a.User, MaxDevices)
		for i := range devices {
			devices[i].Node = c.nodes.ID()
		}
		return devices, nil
	}))
	c.nodes.Handle(opDisconnect, handler(func(a disconnectArgs) (int, error) {
		return c.local.Disconnect(a.User, a.Selector, a.Why), nil
	}))
	c.nodes.Handle(opDrain, handler(func(struct{}) (bool, error) {
		if c.drain == nil {
			return false, errCannotDrain
		}
		return true, c.drain()
	}))
}

// handler turns a function of decoded arguments into a nodes.Handler.
func handler[Args, Answer any](f func(Args) (Answer, error)) nodes.Handler {
	return func(_ context.Context, raw json.RawMessage) (any, error) {
		var args Args
		if err := json.Unmarshal(raw, &args); err != nil {
			return nil, fmt.Errorf("arguments: %w", err)
		}
		return f(args)
	}
}

func clamp(limit, most int) int { return min(max(limit, 0), most) }

// Members returns up to limit users of a room, MaxMembers at most, and how many
// connections it has, at all nodes. It waits for the nodes.
func (c *Cluster) Members(ctx context.Context, room string, limit int) (Members, error) {
	limit = clamp(limit, MaxMembers)
	got, err := c.nodes.AskAll(ctx, opMembers, membersArgs{room, limit})
	if err != nil {
		return Members{}, fmt.Errorf("cluster: members: %w", err)
	}
	all := Members{Missing: got.Missing}
	err = each(got, func(m Members) {
		all.Users = append(all.Users, m.Users...)
		all.Connections += m.Connections
	})
	all.Users = merge(all.Users, limit)
	return all, err
}

// OnlineUsers returns the users online whose ids sort behind after, in order, up
// to limit, MaxMembers at most. It waits for the nodes.
func (c *Cluster) OnlineUsers(ctx context.Context, after string, limit int) (Page, error) {
	limit = clamp(limit, MaxMembers)
	got, err := c.nodes.AskAll(ctx, opOnline, onlineArgs{after, limit})
	if err != nil {
		return Page{}, fmt.Errorf("cluster: users online: %w", err)
	}
	page := Page{Missing: got.Missing}
	err = each(got, func(p Page) {
		page.Users = append(page.Users, p.Users...)
		page.Total += p.Total
	})
	page.Users = merge(page.Users, limit)
	return page, err
}

// Devices returns the connections of a user, MaxDevices for each node at most. It
// waits for the nodes.
func (c *Cluster) Devices(ctx context.Context, user string) (Devices, error) {
	got, err := c.nodes.AskAll(ctx, opDevices, devicesArgs{user})
	if err != nil {
		return Devices{}, fmt.Errorf("cluster: devices: %w", err)
	}
	all := Devices{Devices: []Device{}, Missing: got.Missing}
	err = each(got, func(d []Device) { all.Devices = append(all.Devices, d...) })
	slices.SortFunc(all.Devices, func(a, b Device) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.ClientID, b.ClientID))
	})
	return all, err
}

// merge makes one entry of each user, in the order of their ids, up to limit.
func merge(users []Present, limit int) []Present {
	slices.SortStableFunc(users, func(a, b Present) int { return cmp.Compare(a.UserID, b.UserID) })
	merged := make([]Present, 0, min(len(users), limit))
	for _, u := range users {
		if n := len(merged); n > 0 && merged[n-1].UserID == u.UserID {
			merged[n-1].Devices += u.Devices
			continue
		}
		merged = append(merged, u)
	}
	return merged[:min(len(merged), limit)]
}
