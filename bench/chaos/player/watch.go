package player

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Two kinds of clients tell the books of presence what they believe: those that
// `watch` some users, and those that look who of the members of a room with presence is
// online when they have joined, and are told of changes as its members.

// nodeNumber reads the number of a node from its name, node-1 being 0.
func nodeNumber(name string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(name, "node-")) // else it is none of the run's
	return n - 1
}

// ask asks to be told of the users that the client watches, or who of the other
// members of its first room is online. An answer to a join that comes again, without a
// new connection, has it ask again, which changes nothing.
func (cl *client) ask(k int) bool {
	cl.wires[k].lookAt = 0
	if cl.watches != nil {
		return cl.askFor(k, "watch", cl.watches)
	}
	return cl.askFor(k, "presence", cl.mates)
}

// askFor asks for users with a frame of the type given; its id is the same.
func (cl *client) askFor(k int, frame string, users []string) bool {
	b, _ := json.Marshal(users) // strings
	out := append(append(cl.crowd.out[:0], `{"type":"`...), frame...)
	out = append(append(append(out, `","id":"`...), frame...), `","content":{"users":`...)
	cl.crowd.out = append(append(out, b...), `}}`...)
	cl.crowd.presence.Asks(cl.wires[k].who, cl.wires[k].node)
	return cl.send(k, cl.crowd.out)
}

// learned takes the answer to a question for mates.
func (cl *client) learned(k int, f frame, more content) {
	if f.ID != "presence" {
		return
	}
	var online []string
	for _, u := range more.Users {
		if u.Status == "online" {
			online = append(online, u.User)
		}
	}
	cl.crowd.presence.Answered(cl.wires[k].who, cl.mates, online)
}

// mingle chooses whom client i tells the books of: some clients watch others, and some
// the other members of their first room. A member with a second device elsewhere is no
// mate: it may come back, or be online, without being a member, which members are not
// told.
func (c *Crowd) mingle(i int) {
	cl := &c.clients[i]
	switch {
	case i < c.opt.Watchers:
		for k := range c.opt.Watched {
			if u := (i*c.opt.Watched + k + c.opt.Watchers) % c.users; u != cl.user {
				cl.watches = append(cl.watches, c.userID(u))
			}
		}
	case i < 2*c.opt.Watchers && len(cl.rooms) > 0:
		known := map[int]bool{cl.user: true}
		for m := range c.clients {
			if mate := &c.clients[m]; !known[mate.user] && mate.isIn(cl.rooms[0]) && !c.hasTwo(mate.user) {
				known[mate.user] = true
				cl.mates = append(cl.mates, c.userID(mate.user))
			}
		}
	}
}

// hasTwo reports whether a user has a second device.
func (c *Crowd) hasTwo(user int) bool { return c.users+user < len(c.clients) }
